# SPDX-License-Identifier: Apache-2.0
"""In plain words, what evidence of each kind proves once verified, and what not."""

from strongroom.cli.words import say

_TITLES = {
    "arm-cca": (
        "a realm of this initial measurement runs on a platform of this state",
        "what the realm does with its inputs, or that published test keys are no root",
    ),
    "az-snp-vtpm": (
        "an AMD SEV-SNP machine of Azure whose virtual TPM measured this boot",
        "that Microsoft's layer below the guest is harmless: it holds the TPM",
    ),
    "az-tdx-vtpm": (
        "an Intel TDX machine of Azure whose virtual TPM measured this boot",
        "that Microsoft's layer below the guest is harmless: it holds the TPM",
    ),
    "hygon-csv": (
        "a virtual machine of this launch measurement on a Hygon CSV processor",
        "what the machine loaded after its launch",
    ),
    "ibm-se": (
        "a key of an IBM Secure Execution host, to encrypt images for",
        "that anything runs there: the document attests a host, not a guest",
    ),
    "nitro": (
        "an AWS Nitro enclave, or a machine with NitroTPM, of these measurements",
        "that memory is encrypted: AWS's hypervisor isolates the enclave",
    ),
    "nvidia-gpu": (
        "an NVIDIA device that measured its firmware and settings so",
        "that the firmware is good, or which machine the device sits in",
    ),
    "ra-tls": (
        "the holder of this certificate's key is the program that is attested inside",
        "that the other side of a connection holds that key: TLS proves it",
    ),
    "sev-snp": (
        "a virtual machine of this launch measurement on an AMD SEV-SNP processor",
        "what the machine loaded after its launch, unless the measurement covers it",
    ),
    "sgx": (
        "an Intel SGX enclave of this code, signer and version",
        "that the enclave's program is free of faults",
    ),
    "tdx": (
        "a virtual machine of these measurements in an Intel TDX trust domain",
        "what measurements stand for: that takes reference values",
    ),
    "tpm2": (
        "a machine with this TPM whose firmware and boot loaders measured this boot",
        "that memory is shielded from the machine's operator: a TPM shields none",
    ),
}
"""By kind: what its evidence proves, and what it does not."""


def proves(kind: str) -> tuple[str, str]:
    """Return what verified evidence of `kind` proves, and what it does not."""
    texts = _TITLES.get(kind)
    if texts is None:
        return say("nothing that this version knows of"), say("anything")
    return say(texts[0]), say(texts[1])
