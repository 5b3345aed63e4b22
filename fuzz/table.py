# SPDX-License-Identifier: Apache-2.0
"""The parsers that are fuzzed. A parser of foreign bytes that is not here is a gap."""

from types import MappingProxyType

from fuzz.targets import Target

_X509 = "strongroom.core.crypto.x509"
_CODEC = "strongroom.core.codec"
_HW = "strongroom.hardware"
_SERVICE = "strongroom.services.attestation"
_K = 1 << 10

TARGETS: MappingProxyType[str, Target] = MappingProxyType(
    {
        "x509-certificate": Target(
            f"{_X509}:Certificate.read_all", ("*/*/*.pem", "*/*/*.der", "*/*/*.crt")
        ),
        "x509-crl": Target(f"{_X509}:RevocationList.read", ("*/*/*crl*",)),
        "intel-quote": Target(
            f"{_HW}.dcap.quote:Quote.parse", ("*/*/*quote.bin",), "quote", 8 * _K
        ),
        "tcb-info": Target("fuzz.wrapped:tcb_info", ("*/*/tcb_info.json",)),
        "qe-identity": Target("fuzz.wrapped:qe_identity", ("*/*/qe_identity.json",)),
        "pck": Target("fuzz.wrapped:pck", ("*/*/*.der", "*/*/*.crt"), "", 8 * _K),
        "dstack-log": Target(
            f"{_HW}.tdx.runtime_log:read_runtime_log", ("tdx/*/event_log.json",)
        ),
        "snp-report": Target(
            f"{_HW}.sev_snp.abi:Report.parse", ("sev-snp/*/report.bin",), "", 2 * _K
        ),
        "snp-table": Target(
            f"{_HW}.sev_snp.collateral:read_table", ("sev-snp/*/*.der",), "", 8 * _K
        ),
        "nitro-envelope": Target(
            f"{_HW}.nitro.abi:read_envelope", ("nitro/*/document*",), "", 16 * _K
        ),
        "nitro-document": Target(
            f"{_HW}.nitro.abi:Document.parse", ("nitro/*/document*",), "", 16 * _K
        ),
        "cca-token": Target(
            f"{_HW}.arm_cca.abi:Token.parse", ("arm-cca/*/token.cbor",), "", 8 * _K
        ),
        "cca-platform": Target(
            f"{_HW}.arm_cca.abi:PlatformClaims.parse", ("arm-cca/*/token.cbor",)
        ),
        "cca-realm": Target(
            f"{_HW}.arm_cca.abi:RealmClaims.parse", ("arm-cca/*/token.cbor",)
        ),
        "hygon-report": Target(
            f"{_HW}.hygon_csv.abi:Report.parse", ("hygon-csv/*/report.bin",), "", 8 * _K
        ),
        "hygon-ca": Target(
            f"{_HW}.hygon_csv.certificate:Certificate.parse_ca",
            ("hygon-csv/*/*.cert",),
            "",
            4 * _K,
        ),
        "hygon-chip": Target(
            f"{_HW}.hygon_csv.certificate:Certificate.parse_chip",
            ("hygon-csv/*/*.cert",),
            "",
            8 * _K,
        ),
        "spdm": Target(
            f"{_HW}.nvidia_gpu.abi:Exchange.parse",
            ("nvidia-gpu/*/evidence.bin",),
            "",
            16 * _K,
        ),
        "host-key": Target(
            f"{_HW}.ibm_se.abi:HostKeyDocument.parse", ("ibm-se/*/*.crt",), "", 8 * _K
        ),
        "ra-tls-wrapper": Target(
            f"{_HW}.ra_tls.wrapper:Wrapper.parse", ("ra-tls/*/*.pem",), "", 32 * _K
        ),
        "tpm-attest": Target(
            f"{_HW}.tcg.quote:Attest.parse",
            ("tpm2/*/quote.bin", "az-*/*/quote.bin"),
            "quote",
            2 * _K,
        ),
        "tpm-public": Target(
            f"{_HW}.tcg.public:Public.parse", ("tpm2/*/ak_public*",), "key", 2 * _K
        ),
        "event-log": Target(
            f"{_HW}.tcg.event_log:parse_event_log",
            ("tpm2/*/eventlog.bin", "tdx/*/ccel.bin"),
            "log",
        ),
        "hcl-report": Target(
            f"{_HW}.tcg.hcl:HclReport.parse", ("az-*/*/hcl_report.bin",), "", 8 * _K
        ),
        "td-report": Target(
            f"{_HW}.az_tdx_vtpm.abi:TdReport.parse",
            ("az-*/*/hcl_report.bin",),
            "",
            8 * _K,
        ),
        "pcrs-json": Target(
            f"{_HW}.tcg.pcrs:read_json", ("*/*/pcrs.json",), "pcrs", 8 * _K
        ),
        "pcrs-serialized": Target(
            f"{_HW}.tcg.pcrs:read_serialized", ("tpm2/*/*",), "pcrs", 8 * _K
        ),
        "foreign-cbor": Target(
            f"{_CODEC}.foreign_cbor:decode",
            ("nitro/*/document*", "arm-cca/*/token.cbor"),
            "CBOR",
            16 * _K,
        ),
        "jws": Target(f"{_CODEC}.jws:Jws.parse", (), "", 4 * _K),
        "pe-image": Target(f"{_SERVICE}.pe:PeImage.parse", (), "", 8 * _K),
        "policy-file": Target(f"{_SERVICE}.policy_file:read_policy", (), "", 4 * _K),
    }
)
