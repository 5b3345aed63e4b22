# SPDX-License-Identifier: Apache-2.0
"""Certificate paths of hardware vendors (RFC 5280 section 6), up to a pinned root.

What web PKI checks by names of hosts has no place here; what it leaves to the browser
(which root, which revocation lists) is explicit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from strongroom.core.crypto.x509 import Certificate, Parts
from strongroom.core.rats.hardware import Reason
from strongroom.core.rats.trust import Trust
from strongroom.errors import Malformed, Refused
from strongroom.hardware.refusal import refuse

_MAX_PATH = 8
_ORGANISATION = "2.5.4.10"


@dataclass(frozen=True)
class Path:
    """A path that holds: leaf first, the root last; valid in [not_before, not_after].

    The window is where all certificates are valid; lists have theirs
    (`revocation.py`).
    """

    certificates: tuple[Certificate, ...]
    not_before: int
    not_after: int

    @property
    def leaf(self) -> Certificate:
        """The certificate that the path is for."""
        return self.certificates[0]


def verify_path(
    kind: str,
    what: str,
    leaf: Certificate,
    pool: Sequence[Certificate],
    trust: Trust,
    now: int,
) -> Path:
    """Return the path from `leaf` to one of the roots of `trust`.

    1. Each certificate is signed by the next, whose name it gives as its issuer.
    2. The last is a root: the same bytes as a trusted one, or signed by one.
    3. Every issuer is a CA that may have so many below it.
    4. No certificate has a critical extension that nobody here understands: limits of
       names and policies are such.
    5. Every certificate is valid at `now`, the root too.
    6. None of the keys is one that the verifier has revoked itself.

    Revocation by vendors is apart (`revocation.py`).

    Args:
        kind: of the evidence, for rule ids.
        what: names the path in rule ids: "pck", "vcek".
        leaf: the certificate whose key is to be trusted.
        pool: certificates that may stand in between, untrusted, in any order.
        trust: the trust anchors and revoked keys.
        now: Unix seconds.

    Raises:
        Untrusted: `missing_endorsement` without any root; `chain`, `root`, `revoked`.
        Stale: `expired`.
    """
    roots = _valid_first(read_roots(trust), now)
    path = _build(kind, what, leaf, _valid_first(pool, now), roots)
    for below, certificate in enumerate(path[1:]):
        _check_issuer(kind, what, certificate, below)
    revoked = trust.endorsements.revoked
    for certificate in path:
        if certificate.critical_unknown:
            raise refuse(
                kind,
                "chain",
                what,
                expected="critical extensions that are understood",
                got=", ".join(certificate.critical_unknown),
            )
        check_time(kind, what, certificate, now)
        if revoked:
            check_key(kind, what, certificate.spki, trust)
    return Path(
        tuple(path),
        max(each.not_before for each in path),
        min(each.not_after for each in path),
    )


def check_key(kind: str, what: str, spki: bytes, trust: Trust) -> None:
    """Refuse a key that the verifier's own endorsements revoke.

    Args:
        kind: as in `verify_path`.
        what: names the key in rule ids.
        spki: its SubjectPublicKeyInfo in DER; the SHA-256 of it is the key's id.
        trust: whose `endorsements.revoked` lists ids.

    Raises:
        Untrusted: `revoked`.
    """
    revoked = trust.endorsements.revoked
    if revoked and sha256(spki).digest() in revoked:
        raise refuse(
            kind,
            "revoked",
            what,
            expected="a chain without keys that the verifier has revoked",
            got=f"the key {sha256(spki).hexdigest()[:16]}",
            remedy="This verifier itself refuses the key; use another platform.",
        )


def check_time(kind: str, what: str, certificate: Certificate, now: int) -> None:
    """Refuse a certificate that is not valid at `now`.

    Raises:
        Stale: `expired`.
    """
    if not certificate.not_before <= now <= certificate.not_after:
        raise refuse(
            kind,
            "expired",
            what,
            expected=f"{certificate.name} to be valid at {now}",
            got=f"valid from {certificate.not_before} to {certificate.not_after}",
        )


def read_roots(trust: Trust) -> tuple[Certificate, ...]:
    """Read the trust anchors.

    Raises:
        Malformed: one of them is not a certificate.
    """
    return tuple(each for data in trust.roots for each in read_chain(trust, data))


def read_chain(trust: Trust, data: bytes) -> tuple[Certificate, ...]:
    """Read any number of PEM certificates, or one in DER, each of them once.

    Raises:
        Malformed: something in it is not a certificate.
    """
    found = trust.read(Certificate.split, data)
    return tuple(trust.read(Certificate, each) for each in found)


def _valid_first(
    certificates: Sequence[Certificate], now: int
) -> tuple[Certificate, ...]:
    """Return certificates, those first that are valid: a key may have several."""
    return tuple(
        sorted(
            certificates, key=lambda each: not each.not_before <= now <= each.not_after
        )
    )


def read_all(documents: Iterable[bytes]) -> tuple[Certificate, ...]:
    """Read certificates from documents in PEM or DER.

    Raises:
        Malformed: one of them is something else.
    """
    return tuple(each for data in documents for each in Certificate.read_all(data))


def _build(
    kind: str,
    what: str,
    leaf: Certificate,
    pool: Sequence[Certificate],
    roots: Sequence[Certificate],
) -> list[Certificate]:
    """Return the first way up to a root; one that ends elsewhere is gone back on.

    An issuer may be certified by several: by one that is trusted and by others.
    """
    path, seen, ends = [leaf], [leaf], list[Certificate]()
    while path and path[-1] not in roots:
        if len(path) > _MAX_PATH:
            raise _broken(kind, "chain", what, path[-1], "a path without end")
        above = _issuer(path[-1], roots, seen) or _issuer(path[-1], pool, seen)
        if above is None:
            ends.append(path.pop())
        else:
            seen.append(above)
            path.append(above)
    if not path:
        raise _no_issuer(kind, what, ends[0], pool, roots)
    return path


def _issuer(
    certificate: Certificate,
    among: Sequence[Certificate],
    but: Sequence[Certificate],
) -> Certificate | None:
    for each in among:
        if each not in but and certificate.is_signed_by(each):
            return each
    return None


def _no_issuer(
    kind: str,
    what: str,
    top: Certificate,
    pool: Sequence[Certificate],
    roots: Sequence[Certificate],
) -> Refused | Malformed:
    """Return why nobody issued `top`: its root is not trusted, or the chain is broken.

    Where a root of that name did not sign, an id of the root's key in the certificate
    speaks for the root, if it signed itself; where nobody has that name, a root of the
    same vendor speaks for a link that is missing.
    """
    if not roots:
        return _broken(kind, "missing_endorsement", "root", top, "no root at all")
    if top.subject == top.issuer:
        return _broken(kind, "root", what, top, "a root of its own")
    named = [each for each in (*roots, *pool) if each.subject == top.issuer]
    if not named:
        vendors = {_vendor(each.subject_parts) for each in roots}
        reason: Reason = "chain" if _vendor(top.issuer_parts) in vendors else "root"
        return _broken(kind, reason, what, top, "nobody of its issuer's name")
    _, key_id = top.key_ids
    mine = [each for each in named if each in roots]
    meant = [each for each in mine if key_id and each.key_ids[0] == key_id]
    altered = any(each.is_signed_by(each) for each in meant)
    reason = "root" if mine and not altered else "chain"
    return _broken(kind, reason, what, top, "a namesake that did not sign it")


def _vendor(name: Parts) -> str:
    """Return the first word of the organisation in a name, or ""."""
    found = next((text for oid, text in name if oid == _ORGANISATION), "")
    return found.partition(" ")[0].casefold()


def _broken(
    kind: str, reason: Reason, what: str, top: Certificate, got: str
) -> Refused | Malformed:
    return refuse(
        kind,
        reason,
        what,
        expected=f"an issuer of {top.name} that leads to a trusted root",
        got=got,
    )


def _check_issuer(kind: str, what: str, issuer: Certificate, below: int) -> None:
    allowed = issuer.path_length
    if not issuer.is_ca or (allowed is not None and below > allowed):
        raise refuse(
            kind,
            "chain",
            what,
            expected=f"{issuer.name} to be a CA for {below} CAs below it",
            got="no CA" if not issuer.is_ca else f"a CA for {allowed}",
        )
