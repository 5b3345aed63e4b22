# SPDX-License-Identifier: Apache-2.0
"""Verify quotes of the TPM in an Azure VM on SEV-SNP: authenticity, not expectation."""

from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.hardware.chain import check_key
from strongroom.hardware.refusal import refuse
from strongroom.hardware.sev_snp.verify import verify as verify_snp
from strongroom.hardware.tcg.hcl import SNP, HclReport
from strongroom.hardware.tcg.vtpm import claims_of, read_quote, verify_quote

KIND = "az-snp-vtpm"

PARAVISOR_VMPL = 0
"""Where the paravisor runs; the guest's operating system runs at a lower privilege."""

_SHOWN = (
    "version",
    "guest_svn",
    "policy",
    "family_id",
    "image_id",
    "vmpl",
    "signature_algo",
    "current_tcb",
    "platform_info",
    "flags",
    "report_data",
    "measurement",
    "host_data",
    "id_key_digest",
    "author_key_digest",
    "report_id",
    "report_id_ma",
    "reported_tcb",
    "chip_id",
    "committed_tcb",
    "launch_tcb",
    "cpuid_family",
    "cpuid_model",
    "cpuid_stepping",
    "debug_allowed",
    "signing_key",
    "product",
)
"""Fields of the report that are shown as `snp`; `inner` has all of them."""


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what the TPM in a confidential VM says, vouched for by AMD hardware.

    Parts: `hcl_report`, `tpm_quote`, `tpm_signature`, and optional
    `tpm_signature_format`, `pcrs`, `event_log`.
    Endorsements: those of "sev-snp", for the report inside.

    1. Parse the HCL report, around an SNP report, and the parts of the quote.
    2. The SNP report holds, as "sev-snp" verifies it.
    3. It was asked for at VMPL 0, where the paravisor runs: the guest's operating
       system could have any runtime data bound at its own level.
    4. Its report data begin with the digest of the runtime data.
    5. The attestation key in the runtime data signed the quote, and the values of
       registers and the event log belong to it.

    Not checked: nonce, registers, debug, and whether the launch measurement is that
    of Azure's paravisor, without which none of this means anything. That is appraisal.

    Args:
        evidence: of kind "az-snp-vtpm".
        trust: see above.
        now: Unix seconds.

    Raises:
        Malformed: step 1, or runtime data without a key.
        Untrusted: steps 2 to 5.
        Stale: step 2.
    """
    # 1
    report = HclReport.parse(evidence.part("hcl_report"))
    report.check_type(KIND, SNP)
    quoted = read_quote(evidence)
    # 2
    inside = HardwareEvidence("sev-snp", {"report": report.hardware_report})
    hardware = verify_snp(inside, trust, now)
    # 3
    _check_level(hardware)
    # 4, 5
    runtime, verified = verify_quote(KIND, quoted, report, hardware)
    check_key(KIND, "ak", verified.key.spki, trust)
    shown = {name: hardware.fields[name] for name in _SHOWN if name in hardware.fields}
    return claims_of(KIND, runtime, verified, hardware, {"snp": shown}, vouch())


def _check_level(hardware: HardwareClaims) -> None:
    vmpl = hardware.fields.get("vmpl")
    if vmpl != PARAVISOR_VMPL:
        raise refuse(
            KIND,
            "binding",
            "vmpl",
            expected=f"a report of the paravisor, at VMPL {PARAVISOR_VMPL}",
            got=f"VMPL {vmpl}",
        )
