# SPDX-License-Identifier: Apache-2.0
"""What a TPM, or a paravisor that is one, has signed, logged or answers."""

from types import MappingProxyType

from fuzz.targets import Target

_TCG, _TPM2 = "strongroom.hardware.tcg", "strongroom.hardware.tpm2"
_HERE, _MADE = "fuzz.wrapped", "fuzz.samples"
_K = 1 << 10

TPM: MappingProxyType[str, Target] = MappingProxyType(
    {
        "tpm-attest": Target(
            f"{_TCG}.quote:Attest.parse",
            ("tpm2/*/quote.bin", "az-*/*/quote.bin"),
            "quote",
            2 * _K,
        ),
        "tpm-public": Target(
            f"{_TCG}.public:Public.parse", ("tpm2/*/ak_public*",), "key", 2 * _K
        ),
        "tpm-signature": Target(
            f"{_TCG}.signature:Signature.parse",
            max_len=2 * _K,
            through=f"{_HERE}:tpm_signature",
            samples=f"{_MADE}:tpm_signatures",
        ),
        "event-log": Target(
            f"{_TCG}.event_log:parse_event_log",
            ("tpm2/*/eventlog.bin", "tdx/*/ccel.bin"),
            "log",
        ),
        "event-data": Target(
            f"{_TCG}.event_data:text_of",
            max_len=2 * _K,
            through=f"{_HERE}:event_data",
            samples=f"{_MADE}:events",
        ),
        "hcl-report": Target(
            f"{_TCG}.hcl:HclReport.parse", ("az-*/*/hcl_report.bin",), max_len=8 * _K
        ),
        "hcl-runtime-data": Target(
            f"{_TCG}.hcl:RuntimeData.parse",
            max_len=8 * _K,
            samples=f"{_MADE}:runtime_data",
        ),
        "td-report": Target(
            "strongroom.hardware.az_tdx_vtpm.abi:TdReport.parse",
            max_len=8 * _K,
            samples=f"{_MADE}:td_reports",
        ),
        "pcrs-json": Target(
            f"{_TCG}.pcrs:read_json", ("*/*/pcrs.json",), "pcrs", 8 * _K
        ),
        "pcrs-serialized": Target(
            f"{_TCG}.pcrs:read_serialized", ("tpm2/*/pcr_blob.bin",), "pcrs", 8 * _K
        ),
        "tpm-answers": Target(
            f"{_TPM2}.client:Tpm.run",
            max_len=16 * _K,
            through="fuzz.devices:tpm_answers",
            samples=f"{_MADE}:tpm_answers",
        ),
        "tpm-trusted-key": Target(
            f"{_TPM2}.collateral:read_trusted",
            ("tpm2/*/ak*", "*/*/*public*"),
            max_len=4 * _K,
        ),
        "tsm-report": Target(
            "strongroom.hardware.tsm.report:make_report",
            max_len=4 * _K,
            through="fuzz.devices:tsm_report",
            samples=f"{_MADE}:kernel_answers",
        ),
        "tdx-outblob": Target(
            "strongroom.hardware.tdx.attest:without_padding",
            ("tdx/*/quote.bin",),
            max_len=8 * _K,
        ),
        "nsm-answer": Target(
            "strongroom.hardware.nitro.attest:document",
            max_len=16 * _K,
            through="fuzz.devices:nitro_evidence",
            samples=f"{_MADE}:nsm_answers",
        ),
        "hygon-page": Target(
            "strongroom.hardware.hygon_csv.attest:report",
            max_len=8 * _K,
            through="fuzz.devices:hygon_report",
            samples=f"{_MADE}:csv_pages",
        ),
    }
)
