# SPDX-License-Identifier: Apache-2.0
"""Certificate chains: every step a rule with a name, so that a refusal can be mended.

The chain is leaf first, each certificate before the one of its issuer. The roots come
from the verifier's own configuration and are never taken from the chain.
"""

from collections.abc import Sequence
from itertools import pairwise

from strongroom.core.codec.certificate import (
    TYPE,
    Certificate,
    SignedCertificate,
    issue,
)
from strongroom.errors import Finding, Refused, Stale, Untrusted

__all__ = [
    "MAX_CHAIN",
    "Certificate",
    "SignedCertificate",
    "issue",
    "verify_chain",
    "verify_path",
]

MAX_CHAIN = 4

_MAY_ISSUE: dict[str, tuple[str, ...]] = {
    "root": ("intermediate", "attestation"),
    "intermediate": ("intermediate", "attestation"),
    "attestation": (),
}


def verify_chain(
    chain: Sequence[bytes],
    roots: Sequence[bytes],
    now: int,
    revoked: Sequence[bytes] = (),
) -> Certificate:
    """Return the leaf's certificate once all of its chain holds, as `verify_path`."""
    return verify_path(chain, roots, now, revoked)[0]


def verify_path(
    chain: Sequence[bytes],
    roots: Sequence[bytes],
    now: int,
    revoked: Sequence[bytes] = (),
) -> tuple[Certificate, ...]:
    """Return the certificates from the leaf to the root once all of the chain holds.

    1. The chain is not empty and not too long.
    2. The last certificate is signed by one of `roots`, each of them self-signed
       and of role "root". A root at the end of the chain is dropped if it is,
       byte for byte, one of `roots`.
    3. Each certificate names its issuer, may be issued by it, is of the same
       suite, and carries its signature.
    4. The leaf is for attestation.
    5. Every certificate, the root too, is valid at `now` and not revoked.

    Args:
        chain: encoded certificates, leaf first.
        roots: encoded self-signed certificates that are trusted.
        now: Unix seconds.
        revoked: key ids that must not appear.

    Raises:
        Malformed: some bytes are not a certificate.
        Stale: `certificate.expired` or `certificate.not-yet-valid`.
        Untrusted: `certificate.length`, `.root`, `.issuer`, `.role`, `.suite`,
            `.signature` or `.revoked`.
    """
    links = list(chain)
    if links and links[-1] in roots:
        links.pop()
    if not 0 < len(links) <= MAX_CHAIN:
        raise _refusal(
            Untrusted,
            rule="certificate.length",
            expected=f"1 to {MAX_CHAIN} certificates below the root, leaf first",
            got=str(len(links)),
            remedy="Send the chain from the attestation key up to its root.",
        )
    path = [SignedCertificate.parse(data) for data in links]
    path.append(_find_root(path[-1], roots))
    for child, parent in pairwise(path):
        _check_issued(child, parent)
    if path[0].claims.role != "attestation":
        raise _wrong_role(path[0].claims, "attestation")
    for link in path:
        _check_current(link.claims, now, revoked)
    return tuple(link.claims for link in path)


def _find_root(last: SignedCertificate, roots: Sequence[bytes]) -> SignedCertificate:
    """Return the root that `last` names, the newest where it was renewed."""
    key_id = last.envelope.key_id
    parsed = [SignedCertificate.parse(data) for data in roots]
    matching = [root for root in parsed if root.claims.public_key.key_id == key_id]
    if not matching:
        raise _refusal(
            Untrusted,
            rule="certificate.root",
            expected=f"one of the {len(roots)} trusted roots",
            got=f"{last.claims.issuer!r}, key {key_id.hex()[:16]}",
            remedy="Add the manufacturer's root to the endorsements if you trust it.",
        )
    root = max(matching, key=lambda each: each.claims.expires_at)
    if root.claims.role != "root":
        raise _wrong_role(root.claims, "root")
    if root.claims.issuer != root.claims.subject:
        raise _wrong_issuer(root.claims, root.claims.subject)
    _check_signature(root, root.claims)
    return root


def _check_issued(child: SignedCertificate, parent: SignedCertificate) -> None:
    claims, issuer = child.claims, parent.claims
    if claims.issuer != issuer.subject:
        raise _wrong_issuer(claims, issuer.subject)
    if claims.role not in _MAY_ISSUE[issuer.role]:
        allowed = " or ".join(_MAY_ISSUE[issuer.role]) or "nothing at all"
        raise _wrong_role(claims, f"{allowed}, issued by a {issuer.role}")
    if claims.public_key.suite != issuer.public_key.suite:
        raise _refusal(
            Untrusted,
            rule="certificate.suite",
            expected=f"a key of suite {issuer.public_key.suite}, as its issuer's",
            got=f"{claims.subject!r} of suite {claims.public_key.suite}",
            remedy="Issue the whole chain in one suite.",
        )
    _check_signature(child, issuer)


def _check_signature(signed: SignedCertificate, issuer: Certificate) -> None:
    try:
        signed.envelope.verify(issuer.public_key.verifying(), TYPE)
    except Untrusted as error:
        raise _refusal(
            Untrusted,
            rule="certificate.signature",
            expected=f"{signed.claims.subject!r} signed by {issuer.subject!r}",
            got="a signature that is not of its key",
            remedy="Get the certificate again from its issuer.",
        ) from error


def _check_current(claims: Certificate, now: int, revoked: Sequence[bytes]) -> None:
    if claims.public_key.key_id in revoked:
        raise _refusal(
            Untrusted,
            rule="certificate.revoked",
            expected="keys that are not revoked",
            got=f"{claims.subject!r}, key {claims.public_key.key_id.hex()[:16]}",
            remedy="Stop using this device until its issuer says otherwise.",
        )
    if now < claims.not_before:
        raise _refusal(
            Stale,
            rule="certificate.not-yet-valid",
            expected=f"{claims.subject!r} from {claims.not_before} on",
            got=f"the time {now}",
            remedy="Set the clock, or wait.",
        )
    if now >= claims.expires_at:
        raise _refusal(
            Stale,
            rule="certificate.expired",
            expected=f"{claims.subject!r} before {claims.expires_at}",
            got=f"the time {now}",
            remedy="Have the issuer renew the certificate.",
        )


def _wrong_issuer(claims: Certificate, expected: str) -> Refused:
    return _refusal(
        Untrusted,
        rule="certificate.issuer",
        expected=f"{claims.subject!r} issued by {expected!r}",
        got=repr(claims.issuer),
        remedy="Send the chain leaf first, with no certificate left out.",
    )


def _wrong_role(claims: Certificate, expected: str) -> Refused:
    return _refusal(
        Untrusted,
        rule="certificate.role",
        expected=f"a certificate for {expected}",
        got=f"{claims.subject!r} for {claims.role}",
        remedy="Use a certificate that was issued for this purpose.",
    )


def _refusal(
    kind: type[Refused], *, rule: str, expected: str, got: str, remedy: str
) -> Refused:
    finding = Finding(rule, "core", expected, got, remedy)
    return kind(str(finding), [finding])
