# SPDX-License-Identifier: Apache-2.0
"""What one end accepts at the other: an enclave, a known key, or anybody.

Each looks twice: at the certificate, and at what the peer says in this connection.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from strongroom.core.codec.permits import ANYONE, Caller
from strongroom.core.crypto import constant_time_equal
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed, Refused, Stale, Untrusted
from strongroom.services.channel.ra_tls.certificate import (
    certificate_binding,
    certified_evidence,
)
from strongroom.services.channel.verifying import Anybody, Appraiser, Verify
from strongroom.services.channel.who import Admit

__all__ = ["Anybody", "Enclave", "Introduced", "KnownKey", "Peer"]

MAX_REMEMBERED = 1024


class Peer(Protocol):
    """Decides about the other end, before any byte of an application."""

    def certificate(self, suite_id: str, certificate: Certificate) -> Verify:
        """Return what judges the peer's word in this connection.

        TLS has proved that the peer holds the certificate's key.

        Raises:
            StrongroomError: why the certificate is not acceptable.
        """


class Enclave:
    """An enclave that `appraiser` accepts; its fresh word is app evidence."""

    def __init__(
        self,
        appraiser: Appraiser,
        clock: Callable[[], int],
        remember_s: int,
        max_evidence_age_s: int = 0,
    ) -> None:
        """Say who judges.

        Args:
            appraiser: judges the evidence of both layers in certificates.
            clock: Unix seconds.
            remember_s: how long a certificate that was accepted need not be looked
                at again; 0 looks at each. A revocation takes as long to show. The
                word in a connection is judged all the same.
            max_evidence_age_s: how long a word that was accepted in one connection
                serves for others with the same certificate, whose key TLS proves in
                each; 0 wants a word in every connection. That the enclave, its
                platform and its place are still as they were takes as long to show.

        Raises:
            Malformed: a word that serves for longer than its certificate.
        """
        if not 0 <= max_evidence_age_s <= max(remember_s, 0):
            message = "a word serves no longer than the certificate is remembered"
            raise Malformed(message)
        self._appraiser, self._clock, self._remember_s = appraiser, clock, remember_s
        self.max_evidence_age_s = max_evidence_age_s
        self._known: OrderedDict[Certificate, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def certificate(self, suite_id: str, certificate: Certificate) -> Verify:
        """Check dates, self-signature, and that the evidence is about this key."""
        now = self._clock()
        check_dates(certificate, now)
        with self._lock:
            known = self._known.get(certificate)
        if known is None or not 0 <= now - known.since < self._remember_s:
            known = _Known(now, self._look_at(suite_id, certificate))
            self._remember(certificate, known)
        return _Word(known, now)

    def heard(self, certificate: Certificate) -> bool:
        """Whether a word that was accepted before serves for this connection too."""
        with self._lock:
            known = self._known.get(certificate)
        if known is None or known.heard_at is None:
            return False
        return 0 <= self._clock() - known.heard_at < self.max_evidence_age_s

    def _look_at(self, suite_id: str, certificate: Certificate) -> Verify:
        if not certificate.is_signed_by(certificate):
            raise refused(
                "ra-tls.signature",
                expected="a certificate signed with its own key",
                got="one that is not",
            )
        nonce, user_data = certificate_binding(suite_id, certificate.spki)
        evidence = certified_evidence(certificate)
        return self._appraiser.accept(evidence, nonce, user_data)

    def _remember(self, certificate: Certificate, known: "_Known") -> None:
        if not self._remember_s:
            return
        with self._lock:
            self._known.pop(certificate, None)
            while len(self._known) >= MAX_REMEMBERED:
                self._known.popitem(last=False)
            self._known[certificate] = known


@dataclass
class _Known:
    """A certificate that was accepted: when, and when its enclave gave its word."""

    since: int
    accepted: Verify
    heard_at: int | None = None


@dataclass(frozen=True)
class _Word:
    """Judges the word in a connection of `now`; refuses a peer that has none."""

    known: _Known
    now: int

    def __call__(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        if not evidence:
            raise refused(
                "ra-tls.fresh", expected="evidence bound to this connection", got="none"
            )
        self.known.accepted(evidence, nonce, user_data)
        self.known.heard_at = self.now


@dataclass(frozen=True)
class KnownKey:
    """A party without an enclave: one of these keys (SubjectPublicKeyInfo, DER)."""

    spkis: frozenset[bytes]
    clock: Callable[[], int]

    def certificate(self, suite_id: str, certificate: Certificate) -> Verify:
        """Check dates and key."""
        del suite_id
        check_dates(certificate, self.clock())
        if not any(constant_time_equal(certificate.spki, each) for each in self.spkis):
            raise refused(
                "ra-tls.client",
                expected="a party whose key is known here",
                got="another key",
            )
        return _no_evidence


@dataclass(frozen=True)
class Introduced:
    """Whoever comes, by what it proves of itself: nothing, a key, a party, an enclave.

    Attributes:
        admit: says who a client is by its word in the connection, or refuses.
        clock: Unix seconds.
    """

    admit: Admit
    clock: Callable[[], int]

    def holder(self, certificate: Certificate | None) -> Caller:
        """Return who holds the key of a certificate, which TLS has proved.

        Raises:
            Stale: `ra-tls.dates`.
        """
        if certificate is None:
            return ANYONE
        check_dates(certificate, self.clock())
        return Caller("tls", hashlib.sha256(certificate.spki).digest())

    def word(self, proof: bytes, nonce: bytes, user_data: bytes) -> Caller:
        """Return who gave its word about this connection; raises as `admit`."""
        return self.admit(proof, nonce, user_data)


def _no_evidence(evidence: bytes, nonce: bytes, user_data: bytes) -> None:
    del nonce, user_data
    if evidence:
        message = "evidence from a party that is known by its key"
        raise Malformed(message)


def check_dates(certificate: Certificate, now: int) -> None:
    """Refuse a certificate out of its time.

    Raises:
        Stale: `ra-tls.dates`.
    """
    first, last = certificate.not_before, certificate.not_after
    if not first <= now <= last:
        raise Stale.because(
            "ra-tls.dates",
            "channel",
            expected=f"a certificate that is valid at {now}",
            got=f"one from {first} to {last}",
            remedy="Have the other end make a new one, and compare the clocks.",
        )


def refused(rule: str, *, expected: str, got: str) -> Refused:
    return Untrusted.because(
        rule,
        "channel",
        expected=expected,
        got=got,
        remedy="Do not use this connection; find out who terminates TLS on the path.",
    )
