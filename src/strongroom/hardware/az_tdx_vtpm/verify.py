# SPDX-License-Identifier: Apache-2.0
"""Verify quotes of the TPM in an Azure VM on TDX: authenticity, not expectation."""

from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.hardware.az_tdx_vtpm.abi import TdReport
from strongroom.hardware.chain import check_key
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tcg.hcl import TDX, HclReport
from strongroom.hardware.tcg.vtpm import claims_of, read_quote, verify_quote
from strongroom.hardware.tdx.verify import verify as verify_tdx

KIND = "az-tdx-vtpm"

_SHOWN = (
    "quote_version",
    "att_key_type",
    "tee_type",
    "qe_vendor_id",
    "user_data",
    "body_type",
    "tee_tcb_svn",
    "mr_seam",
    "mr_signer_seam",
    "seam_attributes",
    "td_attributes",
    "xfam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    "rt_mr0",
    "rt_mr1",
    "rt_mr2",
    "rt_mr3",
    "report_data",
    "tee_tcb_svn2",
    "mr_service_td",
    "debug",
    "fmspc",
    "pck_ca",
)
"""Fields of the quote that are shown as `tdx`; `inner` has all of them."""


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what the TPM in a confidential VM says, vouched for by Intel hardware.

    Parts: `hcl_report`, `td_quote`, `tpm_quote`, `tpm_signature`, and optional
    `tpm_signature_format`, `pcrs`, `event_log`.
    Endorsements: those of "tdx", for the quote of the TD.

    1. Parse the HCL report, around a TDREPORT, and the parts of the TPM's quote.
    2. The TD's quote holds, as "tdx" verifies it.
    3. It says what the TDREPORT says, so it was made of it.
    4. Its report data begin with the digest of the runtime data.
    5. The attestation key in the runtime data signed the TPM's quote, and the values
       of registers and the event log belong to it.

    Not checked: nonce, registers, debug, TCB status, and whether MRTD is that of
    Azure's paravisor, without which none of this means anything. That is appraisal.

    Args:
        evidence: of kind "az-tdx-vtpm".
        trust: see above.
        now: Unix seconds.

    Raises:
        Malformed: step 1, or runtime data without a key.
        Untrusted: steps 2 to 5.
        Stale: step 2.
    """
    # 1
    report = HclReport.parse(evidence.part("hcl_report"))
    report.check_type(KIND, TDX)
    td_report = TdReport.parse(report.hardware_report)
    quoted = read_quote(evidence)
    # 2
    inside = HardwareEvidence("tdx", {"quote": evidence.part("td_quote")})
    hardware = verify_tdx(inside, trust, now)
    # 3
    _check_report(td_report, hardware)
    # 4, 5
    runtime, verified = verify_quote(KIND, quoted, report, hardware)
    check_key(KIND, "ak", verified.key.spki, trust)
    shown = {name: hardware.fields[name] for name in _SHOWN if name in hardware.fields}
    return claims_of(KIND, runtime, verified, hardware, {"tdx": shown}, vouch())


def _check_report(report: TdReport, hardware: HardwareClaims) -> None:
    for name, value in report.fields.items():
        if hardware.fields.get(name) != value:
            raise refuse(
                KIND,
                "binding",
                name,
                expected=f"a quote of the TD in the HCL report, {value[:16]}",
                got=str(hardware.fields.get(name))[:16],
            )
