# SPDX-License-Identifier: Apache-2.0
"""IBM's host-key signing key: its certificate, its path, and its revocation lists."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Trust, Verified
from strongroom.hardware.chain import read_all, verify_path
from strongroom.hardware.ibm_se.abi import KIND, is_signing_certificate, same_place
from strongroom.hardware.refusal import refuse
from strongroom.hardware.revocation import (
    check_revocation,
    current_lists,
    read_lists,
    until_the_next,
)

SIGNING_CERTIFICATE = "host_key_signing_certificate"


@dataclass(frozen=True)
class Signer:
    """A signing key that is IBM's, with the current lists of what it has revoked."""

    certificate: Certificate
    lists: tuple[RevocationList, ...]

    def has_revoked(self, serial: int) -> bool:
        """Whether the document of this number is revoked."""
        return any(each.revokes(serial) for each in self.lists)


def signing_certificates(trust: Trust, now: int) -> tuple[Certificate, ...]:
    """Return the certificates of that role that are IBM's by their subject.

    The role may hold the certificates in between as well, as bundles do.

    Raises:
        Malformed: an endorsement that is no certificate.
    """

    def read() -> "Verified[tuple[Certificate, ...]]":
        found = dict.fromkeys(read_all(trust.documents(SIGNING_CERTIFICATE)))
        return Verified(tuple(filter(is_signing_certificate, found)))

    return trust.once(("ibm_se.signing_certificates",), now, read)


def verify_signer(certificate: Certificate, trust: Trust, now: int) -> Signer:
    """Return the signer of that certificate, known to be a root's.

    1. The certificate leads to a root; all are valid at `now`.
    2. Every issuer of that path has a current revocation list, which names none of
       its certificates.
    3. The signing key has one, too: signed by it and current.

    Raises:
        Untrusted: one of them does not hold.
        Stale: a certificate or a list out of its time.
    """

    def make() -> "Verified[Signer]":
        # 1
        pool = read_all(
            (*trust.documents("intermediate"), *trust.documents(SIGNING_CERTIFICATE))
        )
        path = verify_path(KIND, "signing_key", certificate, pool, trust, now)
        # 2
        lists = read_lists(trust, "crls")
        window = check_revocation(KIND, "signing_key", path, lists, now, required=True)
        # 3
        named = _own_lists(certificate, lists)
        own = current_lists(named, now)
        for each in own:
            _check_list(each, certificate, now)
        begins = [path.not_before, window[0], *(each.this_update for each in own)]
        ends = [path.not_after, window[1]]
        ends += [each.next_update for each in own if each.next_update is not None]
        ends.append(until_the_next(named, now))
        return Verified(Signer(certificate, own), max(begins), min(ends))

    return trust.once(("ibm_se.signer", certificate.der), now, make)


def _own_lists(
    signer: Certificate, lists: Sequence[RevocationList]
) -> tuple[RevocationList, ...]:
    """Return the lists of a signing key; IBM's keys of other machines have its name."""
    name = same_place(signer.subject_parts)
    named = tuple(each for each in lists if same_place(each.issuer_parts) == name)
    if not named:
        raise refuse(
            KIND,
            "missing_endorsement",
            "crls",
            expected=f"a revocation list of {signer.name}",
            got="none",
        )
    return tuple(each for each in named if each.bears_signature_of(signer)) or named


def _check_list(crl: RevocationList, signer: Certificate, now: int) -> None:
    """Do as `chain.check_list` does, for a list that may spell its issuer otherwise.

    One without an end is refused, as s390-tools does.
    """
    if not crl.bears_signature_of(signer):
        raise refuse(
            KIND,
            "signature",
            "host_key_crl",
            expected=f"a revocation list signed by {signer.name}",
            got="one that is not",
        )
    if crl.next_update is None or not crl.this_update <= now <= crl.next_update:
        raise refuse(
            KIND,
            "expired",
            "host_key_crl",
            expected=f"a revocation list that is current at {now}",
            got=f"one from {crl.this_update} to {crl.next_update}",
        )
