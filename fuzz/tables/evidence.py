# SPDX-License-Identifier: Apache-2.0
"""Evidence of processors and devices, as attesters hand it over."""

from types import MappingProxyType

from fuzz.targets import Target

_HW = "strongroom.hardware"
_HERE, _MADE = "fuzz.wrapped", "fuzz.samples"
_K = 1 << 10

EVIDENCE: MappingProxyType[str, Target] = MappingProxyType(
    {
        "intel-quote": Target(
            f"{_HW}.dcap.quote:Quote.parse", ("*/*/*quote.bin",), "quote", 8 * _K
        ),
        "sgx-report": Target(
            f"{_HW}.dcap.report:EnclaveReport.parse",
            max_len=_K,
            through=f"{_HERE}:sgx_report",
        ),
        "td-body": Target(
            f"{_HW}.tdx.abi:TdBody.parse", max_len=_K, through=f"{_HERE}:td_body"
        ),
        "dstack-log": Target(
            f"{_HW}.tdx.runtime_log:read_runtime_log", ("tdx/*/event_log.json",)
        ),
        "snp-report": Target(
            f"{_HW}.sev_snp.abi:Report.parse", ("sev-snp/*/report.bin",), max_len=2 * _K
        ),
        "snp-table": Target(
            f"{_HW}.sev_snp.collateral:read_table",
            max_len=8 * _K,
            samples=f"{_MADE}:snp_tables",
        ),
        "snp-tcb": Target(
            f"{_HW}.sev_snp.tcb:TcbVersion.parse",
            max_len=16,
            through=f"{_HERE}:snp_tcb",
        ),
        "nitro-envelope": Target(
            f"{_HW}.nitro.abi:read_envelope", ("nitro/*/document*",), max_len=16 * _K
        ),
        "nitro-document": Target(
            f"{_HW}.nitro.abi:Document.parse",
            max_len=16 * _K,
            samples=f"{_MADE}:nitro_payloads",
        ),
        "nitro-key": Target(
            f"{_HW}.nitro.tpm:read_key", max_len=2 * _K, samples=f"{_MADE}:keys"
        ),
        "cca-token": Target(
            f"{_HW}.arm_cca.abi:Token.parse", ("arm-cca/*/token.cbor",), max_len=8 * _K
        ),
        "cca-platform": Target(
            f"{_HW}.arm_cca.abi:PlatformClaims.parse",
            max_len=8 * _K,
            samples=f"{_MADE}:cca_claims",
        ),
        "cca-realm": Target(
            f"{_HW}.arm_cca.abi:RealmClaims.parse",
            max_len=8 * _K,
            samples=f"{_MADE}:cca_claims",
        ),
        "hygon-report": Target(
            f"{_HW}.hygon_csv.abi:Report.parse",
            ("hygon-csv/*/report.bin",),
            max_len=8 * _K,
        ),
        "spdm": Target(
            f"{_HW}.nvidia_gpu.abi:Exchange.parse",
            ("nvidia-gpu/*/evidence.bin",),
            max_len=16 * _K,
        ),
        "host-key": Target(
            f"{_HW}.ibm_se.abi:HostKeyDocument.parse",
            ("ibm-se/*/*.crt",),
            max_len=8 * _K,
        ),
        "ra-tls-wrapper": Target(
            f"{_HW}.ra_tls.wrapper:Wrapper.parse",
            max_len=8 * _K,
            samples=f"{_MADE}:cmw",
        ),
        "ra-tls-key-hash": Target(
            f"{_HW}.ra_tls.abi:KeyHash.parse", max_len=_K, samples=f"{_MADE}:key_hash"
        ),
        "ra-tls-extension": Target(
            f"{_HW}.ra_tls.abi:Carried.parse",
            max_len=32 * _K,
            through=f"{_HERE}:ra_tls_extension",
            samples=f"{_MADE}:ra_tls_extensions",
        ),
        "ra-tls-certificate": Target(
            f"{_HW}.ra_tls.abi:carried",
            ("ra-tls/*/*.pem", "ra-tls/*/*.der"),
            max_len=32 * _K,
            through=f"{_HERE}:ra_tls_certificate",
        ),
        "hardware-evidence": Target(
            "strongroom.services.attestation.hardware:verify_hardware",
            through=f"{_HERE}:hardware_evidence",
            samples=f"{_MADE}:evidence",
        ),
    }
)
