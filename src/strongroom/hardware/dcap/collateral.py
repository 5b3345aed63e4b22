# SPDX-License-Identifier: Apache-2.0
"""Intel's documents and the PCK chain: verified once, remembered while they hold."""

from dataclasses import dataclass

from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Trust, Verified
from strongroom.errors import Malformed
from strongroom.hardware.chain import read_chain, verify_path
from strongroom.hardware.dcap.documents import (
    QeIdentity,
    Signed,
    TcbInfo,
    read_signed,
)
from strongroom.hardware.dcap.pck import PckTcb
from strongroom.hardware.dcap.quote import QuoteSignature
from strongroom.hardware.refusal import one_document, refuse
from strongroom.hardware.revocation import check_revocation, read_lists

_PLATFORM = b"Platform"
_SIGNER = b"SGX TCB Signing"
"""In the name of the one kind of certificate whose key signs Intel's documents."""

_ISSUED = 2
"""A path of fewer certificates has nobody who issued the first."""

_CHAIN = "pck_certificate_chain"
"""The PCK certificate and its CAs, for a quote that has none of them inside."""

_ROOT_LIST = "root_ca_crl"
_LISTS = ("pck_crl", _ROOT_LIST)


@dataclass(frozen=True)
class Documents:
    """TCB info and QE identity whose signatures, chains and times hold."""

    tcb_info: TcbInfo
    qe_identity: QeIdentity


@dataclass(frozen=True)
class Pck:
    """A PCK certificate whose chain holds, and what it says of the processor."""

    certificate: Certificate
    tcb: PckTcb
    authority: str


@dataclass(frozen=True)
class _Signer:
    """Whose documents are believed, and from when to when."""

    certificate: Certificate
    not_before: int
    not_after: int


def documents(kind: str, tee: str, trust: Trust, now: int) -> Documents:
    """Return the documents of `tee` ("SGX" or "TDX"), verified.

    Raises:
        Untrusted, Stale, Malformed: one is missing, is not Intel's, is out of its
            time, or is of the other TEE.
    """

    def make() -> "Verified[Documents]":
        info, first = _signed(kind, "tcb_info", "tcbInfo", trust, now)
        identity, second = _signed(kind, "qe_identity", "enclaveIdentity", trust, now)
        found = Documents(TcbInfo.parse(info.value), QeIdentity.parse(identity.value))
        for what, each in (
            ("tcb_info", found.tcb_info),
            ("qe_identity", found.qe_identity),
        ):
            _check_document(kind, what, each, tee, now)
        begins = (first.not_before, second.not_before, found.tcb_info.issued_at)
        ends = (first.not_after, second.not_after, found.tcb_info.next_update)
        return Verified(
            found,
            max(*begins, found.qe_identity.issued_at),
            min(*ends, found.qe_identity.next_update),
        )

    return trust.once(("dcap.documents", kind, tee), now, make)


def pck_of(kind: str, signature: QuoteSignature, trust: Trust, now: int) -> Pck:
    """Return the PCK certificate of a quote, once its chain leads to a root.

    A quote with an encrypted PPID in the place of the chain (certification data of
    types 1 to 3) needs an endorsement `pck_certificate_chain`.

    Raises:
        Untrusted: `missing_endorsement` without a chain; `chain`, `root`, `revoked`.
        Stale: `expired`.
        Malformed: something in it is not a certificate.
    """
    chain = signature.chain
    endorsed = () if chain else _endorsed(kind, signature, trust)
    key = chain or endorsed[0].der

    def make() -> "Verified[Pck]":
        leaf, *pool = endorsed or read_chain(trust, chain.rstrip(b"\0"))
        path = verify_path(kind, "pck", leaf, pool, trust, now)
        if len(path.certificates) < _ISSUED:
            raise refuse(
                kind,
                "chain",
                "pck",
                expected="a certificate that an authority issued for a platform",
                got=f"{leaf.name}, which is a trust anchor itself",
            )
        lists = [each for role in _LISTS for each in _lists(kind, role, trust)]
        window = check_revocation(kind, "pck", path, lists, now, required=True)
        by_platform = _PLATFORM in path.certificates[1].subject
        authority = "platform" if by_platform else "processor"
        return Verified(
            Pck(leaf, PckTcb.parse(leaf), authority),
            max(path.not_before, window[0]),
            min(path.not_after, window[1]),
        )

    return trust.once(("dcap.pck", kind, bool(chain), key), now, make)


def _endorsed(
    kind: str, signature: QuoteSignature, trust: Trust
) -> tuple[Certificate, ...]:
    """Return the endorsed PCK certificate that signed the QE's report, and the others.

    Where none did, the first is as good as any: its signature will be refused.
    """
    found = [
        each for data in trust.documents(_CHAIN) for each in read_chain(trust, data)
    ]
    if not found:
        raise refuse(
            kind,
            "missing_endorsement",
            "pck",
            expected="a quote with its PCK certificate chain, or an endorsement "
            f"{_CHAIN}",
            got=f"certification data of type {signature.certification_type}, "
            "and no such endorsement",
            remedy="Have the platform's quote provider put the chain into quotes, or "
            f"get the platform's PCK certificate from Intel and add it as {_CHAIN}.",
        )
    leaves = [each for each in found if not each.is_ca] or found
    proof, report = signature.qe_report_signature, signature.qe_report
    signers = (
        each for each in leaves if each.public_key.signed_raw(proof, report, "sha256")
    )
    return (next(signers, leaves[0]), *found)


def _signed(
    kind: str, role: str, name: str, trust: Trust, now: int
) -> tuple[Signed, _Signer]:
    document = read_signed(one_document(trust, kind, role), name)
    chain = one_document(trust, kind, f"{role}_issuer_chain")
    # Both documents have one signer, whose chain is not verified twice.
    signer = trust.once(
        ("dcap.signer", kind, chain),
        now,
        lambda: _signer(kind, role, chain, trust, now),
    )
    key = signer.certificate.public_key
    if not key.signed_raw(document.signature, document.raw, "sha256"):
        raise refuse(
            kind,
            "signature",
            role,
            expected=f"a document signed by {signer.certificate.name}",
            got="one that is not",
        )
    return document, signer


def _signer(
    kind: str, role: str, chain: bytes, trust: Trust, now: int
) -> Verified[_Signer]:
    """Return whose certificate a chain is for, once it leads to a root."""
    leaf, *pool = read_chain(trust, chain)
    path = verify_path(kind, role, leaf, pool, trust, now)
    if leaf.is_ca or _SIGNER not in leaf.subject:
        raise refuse(
            kind,
            "chain",
            role,
            expected="a certificate for signing Intel's documents",
            got=f"{leaf.name}, which is for something else",
        )
    lists = _lists(kind, _ROOT_LIST, trust)
    window = check_revocation(kind, role, path, lists, now, required=True)
    begin, end = max(path.not_before, window[0]), min(path.not_after, window[1])
    return Verified(_Signer(leaf, begin, end), begin, end)


def _lists(kind: str, role: str, trust: Trust) -> tuple[RevocationList, ...]:
    """Read the lists of a role; one must be there."""
    try:
        lists = read_lists(trust, role)
    except Malformed as error:
        raise refuse(
            kind,
            "format",
            role,
            expected="a revocation list in DER, PEM or hex",
            got=error.message,
            remedy=f"Get the endorsement {role} again from Intel; this one is damaged.",
        ) from error
    if not lists:
        raise refuse(
            kind,
            "missing_endorsement",
            role,
            expected=f"an endorsement {role}",
            got="none",
        )
    return lists


def _check_document(
    kind: str, what: str, each: TcbInfo | QeIdentity, tee: str, now: int
) -> None:
    if each.tee != tee:
        raise refuse(
            kind,
            "collateral_mismatch",
            what,
            expected=f"a document for {tee}",
            got=each.tee,
        )
    if not each.issued_at <= now <= each.next_update:
        raise refuse(
            kind,
            "expired",
            what,
            expected=f"a document that is current at {now}",
            got=f"one from {each.issued_at} to {each.next_update}",
        )
