# SPDX-License-Identifier: Apache-2.0
"""Verify SEV-SNP attestation reports: authenticity, never expectation."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust, Verified
from strongroom.core.rats.claims import vouch
from strongroom.errors import Malformed
from strongroom.hardware.chain import read_all, verify_path
from strongroom.hardware.refusal import refuse
from strongroom.hardware.revocation import check_revocation, has_lists, read_lists
from strongroom.hardware.sev_snp.abi import (
    HOST_VMPL,
    KIND,
    SIGNED_BYTES,
    Report,
    SigningKey,
)
from strongroom.hardware.sev_snp.collateral import EndorsementKey, read_table
from strongroom.hardware.sev_snp.tcb import TcbVersion

_CURVE = "P-384"
_MAX_TRIED = 16

_NOT_PROVEN = (
    "that AMD still calls this TCB safe: it signs no list of those; set a minimum",
    "what runs in the guest after its launch: the measurement is of its first memory",
    "who has physical access to the memory bus",
)
_NO_CHIP = "which chip made the report: the host masks its id"
_NO_REVOCATION = "that AMD has not revoked the chain: no revocation list was given"
_BY_HOST = "that the guest asked for this report: the host did"


@dataclass(frozen=True)
class _Certificates:
    """Certificates of one role, and what evidence brought for the way to the root.

    `digest` covers all that evidence brought.
    """

    role: SigningKey
    keys: tuple[EndorsementKey, ...]
    authorities: tuple[Certificate, ...]
    brought: tuple[bytes, ...] = ()
    digest: bytes = b""


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what an SNP guest's report says, known to be AMD hardware's own word.

    Parts: `report`; `cert_table`, optional: the certificates that the host gave.
    Endorsements: roots (ARK), `vcek` or `vlek` (any number of them), `intermediate`
    (ASK or ASVK), `crl` (the ARK's).

    1. Parse the report: a known version, ECDSA P-384, reserved bytes zero.
    2. The report says which kind of key signed it.
    3. A VCEK or VLEK of the endorsements or of the table signed bytes 0 to 0x2A0.
    4. Its certificate leads to a root, and all are valid at `now`. An ARK signs itself:
       one that does not was altered since AMD made it.
    5. With revocation lists: the root's is among them and current, none is revoked.
    6. The certificate is for the product, the reported TCB and the chip of the report.

    Not checked: report data, measurement, policy, debug, VMPL, minimum TCB, and who
    the cloud of a VLEK is. That is appraisal.

    Args:
        evidence: of kind "sev-snp".
        trust: see above.
        now: Unix seconds.

    Raises:
        Malformed: step 1, or an endorsement that is not one.
        Untrusted: steps 2 to 6.
        Stale: a certificate or a list out of its time.
    """
    # 1
    data = evidence.part("report")
    report = Report.parse(data)
    # 2
    role = _signing_role(report)
    certificates = _certificates(evidence, trust, role, now)
    # 3
    key = _signer(report, data[:SIGNED_BYTES], certificates, now)
    # 4, 5
    _check_chain(key, certificates, trust, now)
    # 6
    _check_match(report, key)
    return _claims(report, key, role, revocation=has_lists(trust))


def _signing_role(report: Report) -> SigningKey:
    role = report.signing_key
    if role is None or report.mask_chip_key:
        raise refuse(
            KIND,
            "signature",
            "report",
            expected="a report signed by a VCEK or VLEK",
            got=f"flags {report.flags:#x}: not signed",
            remedy="Have the host sign reports (MaskChipKey off), then ask again.",
        )
    return role


def _certificates(
    evidence: HardwareEvidence, trust: Trust, role: SigningKey, now: int
) -> _Certificates:
    configured = trust.once(
        ("sev_snp.certificates", role),
        now,
        lambda: Verified(_read(trust.documents(role), role)),
    )
    table = evidence.parts.get("cert_table")
    if table is None:
        return configured
    # what evidence brings is read anew each time: strangers do not fill the memory
    documents = read_table(table)
    brought = _read(documents.get(role, ()), role)
    return _Certificates(
        role,
        tuple(dict.fromkeys((*configured.keys, *brought.keys))),
        (*configured.authorities, *brought.authorities),
        documents.get("intermediate", ()),
        sha256(table).digest(),
    )


def _read(documents: Iterable[bytes], role: SigningKey) -> _Certificates:
    found = tuple(dict.fromkeys(read_all(documents)))
    return _Certificates(
        role,
        tuple(EndorsementKey.parse(each, role) for each in found if not each.is_ca),
        tuple(each for each in found if each.is_ca),
    )


def _signer(
    report: Report, signed: bytes, found: _Certificates, now: int
) -> EndorsementKey:
    """Return the key that signed.

    Of many only those for this TCB and chip are tried, first what is valid at `now`:
    AMD gives out new certificates for the same key.
    """
    keys = found.keys
    if len(keys) > 1:
        fitting = [each for each in keys if not _mismatch(report, each)]
        fitting.sort(key=lambda each: not each.is_valid(now))
        keys = tuple(fitting[:_MAX_TRIED])
    if not keys:
        raise refuse(
            KIND,
            "missing_endorsement",
            found.role,
            expected=f"the {found.role.upper()} of this platform "
            f"{report.chip_id.hex()[:16]} at TCB {_raw(report.reported_tcb).hex()}",
            got="none" if not found.keys else f"{len(found.keys)} of others",
        )
    for key in keys:
        public = key.certificate.public_key
        if public.curve == _CURVE and public.signed_raw(
            report.signature, signed, "sha384"
        ):
            return key
    raise refuse(
        KIND,
        "signature",
        "report",
        expected=f"a report signed by the {found.role.upper()} that is given",
        got="one that is not",
    )


def _check_chain(
    key: EndorsementKey, found: _Certificates, trust: Trust, now: int
) -> None:
    def make() -> "Verified[None]":
        above = (*trust.documents("intermediate"), *found.brought)
        pool = (*read_all(above), *found.authorities)
        path = verify_path(KIND, found.role, key.certificate, pool, trust, now)
        lists = read_lists(trust, "crl")
        root = path.certificates[-1]
        if root.subject == root.issuer and not root.is_signed_by(root):
            raise refuse(
                KIND,
                "root",
                found.role,
                expected=f"{root.name} as its own key signed it",
                got="one that was altered",
            )
        if lists and root.subject not in {each.issuer for each in lists}:
            raise refuse(
                KIND,
                "missing_endorsement",
                "crl",
                expected=f"a revocation list of {root.name}",
                got="lists of others",
            )
        window = check_revocation(KIND, found.role, path, lists, now, required=False)
        return Verified(
            None, max(path.not_before, window[0]), min(path.not_after, window[1])
        )

    key_of = ("sev_snp.chain", found.role, key.certificate.der, found.digest)
    trust.once(key_of, now, make)


def _check_match(report: Report, key: EndorsementKey) -> None:
    mismatch = _mismatch(report, key)
    if mismatch:
        raise refuse(
            KIND,
            "collateral_mismatch",
            mismatch[0],
            expected=f"a certificate for {mismatch[1]}",
            got=f"one for {mismatch[2]}",
        )


def _mismatch(report: Report, key: EndorsementKey) -> tuple[str, str, str] | None:
    """Return what the key is not for: what, as the report has it, as the key does."""
    if report.product not in (None, key.product):
        return "product", str(report.product), key.product
    try:
        tcb = TcbVersion.parse(_raw(report.reported_tcb), key.product)
    except Malformed:
        tcb = None
    if tcb != key.tcb:
        return "reported_tcb", str(tcb), str(key.tcb)
    if not key.is_of_chip(report.chip_id):
        return "chip_id", report.chip_id.hex(), (key.hwid or b"").hex()
    return None


def _claims(
    report: Report, key: EndorsementKey, role: SigningKey, *, revocation: bool
) -> HardwareClaims:
    fields = report.fields()
    fields["signing_key"] = role
    fields["product"] = key.product
    fields["endorsement_key_tcb"] = {**key.tcb.components()}
    if key.csp_id is not None:
        fields["csp_id"] = key.csp_id
    open_questions = (
        (_BY_HOST, report.vmpl == HOST_VMPL),
        (_NO_CHIP, not any(report.chip_id)),
        (_NO_REVOCATION, not revocation),
    )
    return HardwareClaims(
        kind=KIND,
        format=f"SNP report v{report.version}",
        device=report.chip_id
        if any(report.chip_id)
        else sha256(key.certificate.spki).digest(),
        bound=report.report_data,
        bound_as="report_data",
        debug=report.debug_allowed,
        measurements={
            "measurement": report.measurement,
            "host_data": report.host_data,
            "id_key_digest": report.id_key_digest,
            "author_key_digest": report.author_key_digest,
        },
        svns=_svns(report, key),
        fields=fields,
        not_proven=(*_NOT_PROVEN, *(text for text, holds in open_questions if holds)),
        proof=vouch(),
    )


def _svns(report: Report, key: EndorsementKey) -> dict[str, int]:
    svns = {"guest_svn": report.guest_svn}
    for name, svn in key.tcb.components().items():
        svns[f"reported_tcb.{name}"] = svn
    return svns


def _raw(tcb: int) -> bytes:
    return tcb.to_bytes(8, "little")
