# SPDX-License-Identifier: Apache-2.0
"""Revocation lists of hardware vendors (RFC 5280 section 5), held against a path."""

from collections.abc import Sequence

from strongroom.core.crypto import pem
from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats.trust import FOREVER, Trust
from strongroom.hardware.chain import Path
from strongroom.hardware.refusal import refuse

_LISTS = ("crl", "crls")
"""The usual role, either of its names."""


def has_lists(trust: Trust) -> bool:
    """Whether there are revocation lists of the usual role."""
    return any(trust.documents(role) for role in _LISTS)


def read_lists(trust: Trust, role: str) -> tuple[RevocationList, ...]:
    """Read the revocation lists of a role, or none; "crl" and "crls" are one role.

    Raises:
        Malformed: one of them is none.
    """
    roles = _LISTS if role in _LISTS else (role,)
    return tuple(
        trust.read(RevocationList.read, each)
        for name in roles
        for document in trust.documents(name)
        for each in _each_list(document)
    )


def check_revocation(
    kind: str,
    what: str,
    path: Path,
    lists: Sequence[RevocationList],
    now: int,
    *,
    required: bool,
) -> tuple[int, int]:
    """Refuse a path with a revoked certificate; return the window of the lists used.

    A list counts for the certificates of its issuer only if that issuer, as it stands
    in the path, signed it; beside a current one of its own, those out of their time and
    those of a namesake (a key that was renewed) do not matter. The root answers for
    itself.

    Args:
        kind: as in `verify_path`.
        what: as in `verify_path`.
        path: from `verify_path`.
        lists: revocation lists in any order.
        now: Unix seconds.
        required: whether every issuer of the path must have a list.

    Raises:
        Untrusted: `revoked`; `missing_endorsement` where a required list is missing;
            `signature` where lists name that issuer and it signed none.
        Stale: `expired`, where a list is out of its time.
    """
    window = (0, FOREVER)
    for certificate, issuer in zip(
        path.certificates, path.certificates[1:], strict=False
    ):
        mine = [each for each in lists if each.issuer == issuer.subject]
        if not mine and required:
            raise refuse(
                kind,
                "missing_endorsement",
                f"{what}_crl",
                expected=f"a revocation list of {issuer.name}",
                got="none",
            )
        # a namesake's list is not this issuer's; if there is no other, that is said
        mine = [each for each in mine if each.is_signed_by(issuer)] or mine
        for each in current_lists(mine, now):
            check_list(kind, what, each, issuer, now)
            if each.revokes(certificate.serial):
                raise refuse(
                    kind,
                    "revoked",
                    what,
                    expected=f"{certificate.name} not to be revoked",
                    got=f"revoked by {issuer.name}",
                )
            window = (
                max(window[0], each.this_update),
                min(
                    window[1], FOREVER if each.next_update is None else each.next_update
                ),
            )
        window = (window[0], min(window[1], until_the_next(mine, now)))
    return window


def current_lists(
    lists: Sequence[RevocationList], now: int
) -> tuple[RevocationList, ...]:
    """Return those that are in their time; all of them where none is."""
    return tuple(each for each in lists if _is_current(each, now)) or tuple(lists)


def until_the_next(lists: Sequence[RevocationList], now: int) -> int:
    """Return the last second before another of the lists counts."""
    later = [each.this_update for each in lists if each.this_update > now]
    return min(later, default=FOREVER + 1) - 1


def check_list(
    kind: str, what: str, crl: RevocationList, issuer: Certificate, now: int
) -> None:
    """Refuse a revocation list that is not `issuer`'s or out of its time.

    Raises:
        Untrusted: `signature`.
        Stale: `expired`.
    """
    if not crl.is_signed_by(issuer):
        raise refuse(
            kind,
            "signature",
            f"{what}_crl",
            expected=f"a revocation list signed by {issuer.name}",
            got="one that is not",
        )
    if not _is_current(crl, now):
        raise refuse(
            kind,
            "expired",
            f"{what}_crl",
            expected=f"a revocation list that is current at {now}",
            got=f"one from {crl.this_update} to {crl.next_update}",
        )


def _is_current(crl: RevocationList, now: int) -> bool:
    return (
        crl.this_update
        <= now
        <= (FOREVER if crl.next_update is None else crl.next_update)
    )


def _each_list(document: bytes) -> Sequence[bytes]:
    """Return the lists of a document, which in PEM may be several."""
    if document.startswith(pem.BEGIN):
        return pem.read(document, b"X509 CRL")
    return (document,)
