# SPDX-License-Identifier: Apache-2.0
"""A quote of the TPM that is inside a confidential VM of Azure, and claims of both."""

from collections.abc import Mapping

from strongroom.core.rats import HardwareClaims, HardwareEvidence
from strongroom.core.rats.claims import Proof
from strongroom.core.rats.hardware import Field
from strongroom.hardware.tcg.hcl import HclReport, RuntimeData
from strongroom.hardware.tcg.quoted import Quoted, Roles, VerifiedQuote, verify_quoted

ROLES = Roles("tpm_quote", "tpm_signature", "tpm_signature_format")

_NOT_PROVEN = (
    "that Azure's paravisor is the TPM: compare the measurement of what was launched",
    "that the TPM's state is of this VM's whole life: it is emulated in software",
)


def read_quote(evidence: HardwareEvidence) -> Quoted:
    """Read the parts of the TPM's quote.

    Raises:
        Malformed: as `Quoted.read`.
    """
    return Quoted.read(evidence, ROLES)


def verify_quote(
    kind: str, quoted: Quoted, report: HclReport, hardware: HardwareClaims
) -> tuple[RuntimeData, VerifiedQuote]:
    """Return the paravisor's word, and the quote of the TPM that it vouches for.

    1. The hardware's report binds the runtime data.
    2. The runtime data name the TPM's attestation key.
    3. It signed the quote; registers and event log belong to it.

    Args:
        kind: of the evidence, for rule ids.
        quoted: as it was read.
        report: the HCL's.
        hardware: claims of the report inside it, verified.

    Raises:
        Untrusted: `binding`; `signature`, `measurement` and what else `verify_quoted`
            refuses.
        Malformed: runtime data without a key.
    """
    # 1
    report.check_binding(kind, hardware.bound)
    # 2
    runtime = RuntimeData.parse(report.runtime_data)
    # 3
    return runtime, verify_quoted(kind, quoted, (runtime.attestation_key,))


def claims_of(
    kind: str,
    runtime: RuntimeData,
    verified: VerifiedQuote,
    hardware: HardwareClaims,
    inside: Mapping[str, Field],
    proof: Proof,
) -> HardwareClaims:
    """Return what TPM and hardware say together; `inside` are fields of the latter."""
    attest = verified.attest
    return HardwareClaims(
        kind=kind,
        format=f"TPM 2.0 quote of {verified.bank or 'no bank'} in {hardware.format}",
        device=hardware.device,
        bound=attest.extra_data,
        bound_as="nonce",
        debug=hardware.debug,
        measurements={**hardware.measurements, **verified.measurements},
        svns=hardware.svns,
        fields={
            "quote": attest.fields(),
            **verified.pcr_fields(),
            **runtime.fields(),
            **inside,
        },
        events=verified.events,
        inner=(hardware,),
        key=verified.key.spki,
        not_proven=(*_NOT_PROVEN, *hardware.not_proven, *verified.not_proven),
        proof=proof,
    )
