# SPDX-License-Identifier: Apache-2.0
"""Verify reports of Hygon CSV guests: authenticity, never expectation."""

import hashlib
from typing import Final

from strongroom.core.crypto.foreign import ForeignSm2Key
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.hardware import Field, Reason
from strongroom.core.rats.trust import Verified
from strongroom.errors import Malformed, Refused
from strongroom.hardware.chain import check_key
from strongroom.hardware.hygon_csv.abi import Report
from strongroom.hardware.hygon_csv.certificate import (
    CA_BYTES,
    CEK,
    CHIP_BYTES,
    HRK,
    HSK,
    PEK,
    SM2_SIGNING,
    Certificate,
)
from strongroom.hardware.refusal import refuse

KIND: Final = "hygon-csv"
HSK_CEK: Final = "hsk_cek"

_NOT_PROVEN = (
    "that Hygon has revoked no key of the chain: its lists are not read here",
    "that the chip's firmware is current: a report says nothing of its version",
    "the chip's serial number against who can read the report: its MAC has no secret",
)
_NOT_PROVEN_1 = (
    "policy and measurement without the report data: `anonce` is not signed, and who "
    "changes it changes all three by the same word; compare the report data first"
)


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what a CSV report says, known to be the word of a Hygon chip.

    1. Parse the report and the certificate of the PEK in it; the MAC over that
       certificate and the serial number holds, as far as it can be recomputed.
    2. The CEK of one chip is signed by its HSK, and the PEK by that CEK.
    3. The HSK is signed by an HRK that is pinned and signs itself.
    4. The report is signed by the PEK (SM2 with SM3, under the PEK's identity).

    A policy without NODBG is debug-enabled.

    Not checked: the owner's signature (OCA) on the PEK, ends of validity (Hygon's
    certificates have none), Hygon's revocations, TCB versions, event logs of RTMRs.

    Args:
        evidence: `report`; perhaps `hsk_cek`, where the attester brings its own chip's.
        trust: the roots are HRK certificates; `hsk_cek`, one for each chip.
        now: not used but for what is remembered: nothing here has an end.

    Raises:
        Malformed: step 1.
        Untrusted: `missing_endorsement`, `root`, `chain` or `revoked` (steps 2 and
            3), and `signature`.
    """
    # 1
    report = Report.parse(evidence.part("report"))
    brought = evidence.parts.get(HSK_CEK)
    # 2, 3
    key, device = trust.once(
        (KIND, "chain", report.pek_certificate, brought),
        now,
        lambda: Verified(_verify_chain(report.pek_certificate, brought, trust)),
    )
    # 4
    if not key.signed_raw(report.r_s, report.signed):
        raise _refused("signature", "report", "a report signed by the PEK", "not by it")
    extended = report.extension is not None
    return HardwareClaims(
        kind=KIND,
        format=f"CSV attestation report v{report.version}",
        device=device,
        bound=report.report_data,
        bound_as="report_data",
        debug=report.policy.debug,
        measurements=_measurements(report),
        fields=_fields(report),
        not_proven=_NOT_PROVEN if extended else (*_NOT_PROVEN, _NOT_PROVEN_1),
        proof=vouch(),
    )


def _verify_chain(
    pek: bytes, brought: bytes | None, trust: Trust
) -> tuple[ForeignSm2Key, bytes]:
    """Return the PEK and the id of its chip: SHA-256 of the CEK's point."""
    platform = Certificate.parse_chip(pek)
    documents = (*trust.documents(HSK_CEK), *([] if brought is None else [brought]))
    chips = [_read_chip(each) for each in documents]
    if not trust.roots or not chips:
        what = HSK_CEK if trust.roots else "hrk"
        raise _refused(
            "missing_endorsement", what, "an endorsement of that role", "none"
        )
    mine = [each for each in chips if platform.is_signed_by(each[1])] or chips[:1]
    hsk, cek = mine[0]
    # 2
    if not cek.is_signed_by(hsk):
        raise _refused("chain", "cek", "a CEK signed by the HSK", "one that is not")
    if platform.usage != PEK or not platform.is_signed_by(cek):
        raise _refused(
            "chain", "pek", "a PEK signed by the chip's CEK", "one that is not"
        )
    # 3
    hrk = next((root for root in _roots(trust) if hsk.is_signed_by(root)), None)
    if hrk is None:
        raise _refused("root", "hsk", "an HSK signed by a trusted HRK", "another one")
    path = {"hrk": hrk, "hsk": hsk, "cek": cek, "pek": platform}
    for what, each in path.items():
        check_key(KIND, what, each.key().spki, trust)
    return platform.key(), hashlib.sha256(cek.x_y).digest()


def _read_chip(document: bytes) -> tuple[Certificate, Certificate]:
    if len(document) != CA_BYTES + CHIP_BYTES:
        message = f"{HSK_CEK}: an HSK and a CEK certificate, {CA_BYTES + CHIP_BYTES} B"
        raise Malformed(message)
    hsk = Certificate.parse_ca(document[:CA_BYTES])
    cek = Certificate.parse_chip(document[CA_BYTES:])
    if (hsk.usage, cek.usage) != (HSK, CEK):
        message = f"{HSK_CEK}: not certificates of an HSK and a CEK"
        raise Malformed(message)
    return hsk, cek


def _roots(trust: Trust) -> list[Certificate]:
    """Return the HRKs that sign themselves."""
    roots = [Certificate.parse_ca(each) for each in trust.roots]
    return [each for each in roots if each.usage == HRK and each.is_signed_by(each)]


def _measurements(report: Report) -> dict[str, bytes]:
    found = {"measure": report.measure}
    if report.extension is not None:
        found |= {f"rtmr{i}": each for i, each in enumerate(report.extension.rtmrs)}
    return found


def _fields(report: Report) -> dict[str, Field]:
    fields: dict[str, Field] = {
        "version": report.version,
        "user_pubkey_digest": report.user_pubkey_digest.hex(),
        "vm_id": report.vm_id.hex(),
        "vm_version": report.vm_version.hex(),
        "report_data": report.report_data.hex(),
        "mnonce": report.mnonce.hex(),
        "measure": report.measure.hex(),
        "policy": report.policy.value.to_bytes(4, "little").hex(),
        "policy_bits": dict(report.policy.bits()),
        "sig_usage": f"{PEK:08x}",
        "sig_algo": f"{SM2_SIGNING:08x}",
    }
    if report.chip_serial is not None:
        fields["chip_serial"] = report.chip_serial.rstrip(b"\0").decode(
            "ascii", "backslashreplace"
        )
    if report.extension is None:
        return fields | {"anonce": report.anonce.hex()}
    fields["build"] = report.extension.build
    fields["rtmr_version"] = report.extension.rtmr_version
    fields["reserved0"] = report.extension.reserved0.hex()
    fields["reserved1"] = report.extension.reserved1.hex()
    return fields | {f"rtmr{i}": e.hex() for i, e in enumerate(report.extension.rtmrs)}


def _refused(reason: Reason, what: str, expected: str, got: str) -> Refused | Malformed:
    return refuse(KIND, reason, what, expected=expected, got=got)
