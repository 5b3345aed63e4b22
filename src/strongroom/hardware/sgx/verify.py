# SPDX-License-Identifier: Apache-2.0
"""Verify quotes of SGX enclaves: authenticity, never expectation."""

from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.hardware.dcap.envelope import verify_envelope
from strongroom.hardware.dcap.quote import SGX_TEE, Quote
from strongroom.hardware.dcap.report import EnclaveReport
from strongroom.hardware.dcap.tcb import converge, platform_level
from strongroom.hardware.refusal import refuse

KIND = "sgx"
_NOT_PROVEN = (
    "which program the enclave loaded after its start: MRENCLAVE is of its first pages",
    "that the host answers, or answers in time",
)


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what an SGX enclave's quote says, known to be Intel hardware's own word.

    Parts: `quote` (version 3; 4 and 5 with an SGX body).
    Endorsements: roots (Intel SGX Root CA), `tcb_info`, `qe_identity`, each with its
    `..._issuer_chain`, `pck_crl`, `root_ca_crl`; `pck_certificate_chain` for a quote
    that has no PCK certificate inside.

    1. Parse the quote; it is of an SGX enclave.
    2. Its signatures, chains and documents hold (dcap.envelope, steps 1 to 7).
    3. The TCB status is worked out of platform and quoting enclave.

    Not checked: report data, debug, TCB status, MRENCLAVE, MRSIGNER. That is appraisal.

    Raises:
        Malformed: step 1, or an endorsement that is not one.
        Untrusted: step 2; a TCB below every level that Intel lists.
        Stale: a certificate, list or document out of its time.
    """
    # 1
    quote = Quote.parse(evidence.part("quote"), "SGX quote")
    if quote.tee_type != SGX_TEE:
        raise refuse(
            KIND,
            "format",
            "quote",
            expected="a quote of an SGX enclave",
            got=f"TEE type {quote.tee_type:#x}",
        )
    # 2
    envelope = verify_envelope(KIND, "SGX", quote, trust, now)
    # 3
    pck = envelope.pck
    level = platform_level(KIND, envelope.documents.tcb_info, pck.tcb, None)
    report = EnclaveReport.parse(quote.body)
    fields = quote.header_fields()
    fields |= {
        "cpu_svn": report.cpu_svn.hex(),
        "misc_select": report.misc_select.hex(),
        "attributes": report.attributes.hex(),
        "mr_enclave": report.mr_enclave.hex(),
        "mr_signer": report.mr_signer.hex(),
        "isv_ext_prod_id": report.isv_ext_prod_id.hex(),
        "isv_family_id": report.isv_family_id.hex(),
        "config_id": report.config_id.hex(),
        "isv_prod_id": report.isv_prod_id,
        "isv_svn": report.isv_svn,
        "config_svn": report.config_svn,
        "report_data": report.report_data.hex(),
        "debug": report.debug,
        "fmspc": pck.tcb.fmspc.hex(),
        "pck_ca": pck.authority,
    }
    return HardwareClaims(
        kind=KIND,
        format=f"SGX quote v{quote.version}",
        device=b"",
        bound=report.report_data,
        bound_as="report_data",
        debug=report.debug,
        measurements={"mr_enclave": report.mr_enclave, "mr_signer": report.mr_signer},
        svns={"isv_svn": report.isv_svn, "config_svn": report.config_svn},
        tcb=converge(level, envelope.qe_level),
        fields=fields,
        not_proven=_NOT_PROVEN,
        proof=vouch(),
    )
