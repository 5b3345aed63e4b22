# SPDX-License-Identifier: Apache-2.0
"""Certificates, lists, keys and documents of vendors."""

from types import MappingProxyType

from fuzz.targets import Target

_HW, _CRYPTO = "strongroom.hardware", "strongroom.core.crypto"
_HERE, _OURS, _MADE = "fuzz.wrapped", "fuzz.formats", "fuzz.samples"
_DER = ("*/*/*.der", "*/*/*.crt")
_K = 1 << 10

ENDORSEMENTS: MappingProxyType[str, Target] = MappingProxyType(
    {
        "x509-certificate": Target(
            f"{_CRYPTO}.x509:Certificate.read_all", ("*/*/*.pem", *_DER)
        ),
        "x509-extensions": Target(
            f"{_CRYPTO}.extensions:read_plain",
            _DER,
            max_len=8 * _K,
            samples=f"{_MADE}:pcks",
            through=f"{_HERE}:extensions",
        ),
        "x509-one": Target(
            f"{_CRYPTO}.x509:Certificate.read",
            _DER,
            max_len=8 * _K,
            through=f"{_HERE}:certificate",
        ),
        "x509-crl": Target(
            f"{_CRYPTO}.crl:RevocationList.read",
            ("*/*/*crl*",),
            through=f"{_HERE}:revocation_list",
        ),
        "x509-chain": Target(
            f"{_HW}.chain:read_chain", ("*/*/*.pem",), through=f"{_HERE}:issuer_chain"
        ),
        "pem": Target(
            f"{_CRYPTO}.pem:read",
            ("*/*/*.pem",),
            max_len=16 * _K,
            through=f"{_OURS}:pem_blocks",
        ),
        "foreign-key": Target(
            f"{_CRYPTO}.foreign:ForeignKey.from_spki",
            max_len=4 * _K,
            through=f"{_OURS}:foreign_key",
            samples=f"{_MADE}:keys",
        ),
        "tcb-info": Target(
            f"{_HW}.dcap.documents:TcbInfo.parse",
            ("*/*/tcb_info.json",),
            through=f"{_HERE}:tcb_info",
        ),
        "qe-identity": Target(
            f"{_HW}.dcap.documents:QeIdentity.parse",
            ("*/*/qe_identity.json",),
            through=f"{_HERE}:qe_identity",
        ),
        "pck": Target(
            f"{_HW}.dcap.pck:PckTcb.parse",
            max_len=8 * _K,
            samples=f"{_MADE}:pcks",
            through=f"{_HERE}:pck",
        ),
        "snp-key": Target(
            f"{_HW}.sev_snp.collateral:EndorsementKey.parse",
            max_len=8 * _K,
            through=f"{_HERE}:snp_key",
            samples=f"{_MADE}:chosen_files",
        ),
        "hygon-ca": Target(
            f"{_HW}.hygon_csv.certificate:Certificate.parse_ca",
            ("hygon-csv/*/*.cert",),
            max_len=4 * _K,
        ),
        "hygon-chip": Target(
            f"{_HW}.hygon_csv.certificate:Certificate.parse_chip",
            max_len=8 * _K,
            samples=f"{_MADE}:hygon_chips",
        ),
        "gpu-chain": Target(
            f"{_HW}.nvidia_gpu.collateral:Chain.read",
            ("nvidia-gpu/*/*.pem",),
            max_len=32 * _K,
        ),
        "gpu-device": Target(
            f"{_HW}.nvidia_gpu.collateral:Device.of",
            ("nvidia-gpu/*/*.pem", *_DER),
            max_len=8 * _K,
            through=f"{_HERE}:gpu_device",
        ),
        "endorsement": Target(
            "strongroom.management.endorsements.documents:describe",
            through=f"{_OURS}:endorsement",
            samples=f"{_MADE}:endorsements",
        ),
        "vendor-answer": Target(
            "strongroom.client.endorsement_refresh:refresh",
            through=f"{_OURS}:vendor_answer",
            samples="fuzz.own_samples:vendor_answers",
        ),
    }
)
