# SPDX-License-Identifier: Apache-2.0
"""A peer whose TEE speaks for itself: evidence of hardware, without a monitor.

The certificate is verified as hardware/ra_tls does, so those of other projects are read
too; the word in the connection is a second report of the same program.
"""

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.crypto import constant_time_equal
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Malformed
from strongroom.hardware.ra_tls.verify import verify as verify_certificate
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.hardware_appraise import appraise_hardware
from strongroom.services.attestation.reference_rules import References
from strongroom.services.channel.ra_tls.certificate import hardware_bound
from strongroom.services.channel.ra_tls.peer import check_dates, refused
from strongroom.services.channel.verifying import Verify


@dataclass(frozen=True)
class Hardware:
    """A program on hardware that `policy` accepts.

    Attributes:
        trust: endorsements of the kind of hardware.
        policy: kinds, debug, TCB status, measurements.
        references: () -> reference values, with the time of the appraisal.
        clock: Unix seconds.
    """

    trust: Trust
    policy: HardwarePolicy
    references: Callable[[], References]
    clock: Callable[[], int]

    def certificate(self, suite_id: str, certificate: Certificate) -> Verify:
        """Verify and appraise the evidence in a certificate, about its key."""
        del suite_id
        now = self.clock()
        check_dates(certificate, now)
        evidence = HardwareEvidence("ra-tls", {"certificate": certificate.der})
        claims = verify_certificate(evidence, self.trust, now)
        inner = claims.inner[0]
        self._appraise(inner)
        return _SameProgram(self, inner)

    def word(self, evidence: bytes) -> HardwareClaims:
        """Verify and appraise evidence of hardware by itself."""
        parsed = HardwareEvidence.from_bytes(evidence)
        claims = verify_hardware(parsed, self.trust, now=self.clock())
        self._appraise(claims)
        return claims

    def _appraise(self, claims: HardwareClaims) -> None:
        """Refuse what the policy does not accept; what is bound is compared above."""
        appraise_hardware(claims, self.policy, None, self.references()).require()


@dataclass(frozen=True)
class _SameProgram:
    peer: Hardware
    shown: HardwareClaims

    def __call__(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        """Judge the word in a connection: bound to it, and by the same program."""
        if not evidence:
            message = "a TEE gives its word in each connection; here is none"
            raise Malformed(message)
        claims = self.peer.word(evidence)
        wanted = hardware_bound(nonce, user_data)
        if not constant_time_equal(claims.bound[: len(wanted)], wanted):
            raise refused(
                "ra-tls.fresh",
                expected=f"evidence that binds this connection, {wanted.hex()[:16]}",
                got=claims.bound[: len(wanted)].hex()[:16] or "none",
            )
        if _who(claims) != _who(self.shown):
            raise refused(
                "ra-tls.program",
                expected="the program of the certificate, on the same device",
                got="another one",
            )


def _who(claims: HardwareClaims) -> tuple[str, bytes, dict[str, bytes]]:
    return claims.kind, claims.device, dict(claims.measurements)
