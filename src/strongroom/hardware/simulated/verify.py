# SPDX-License-Identifier: Apache-2.0
"""Verify the simulated device's evidence: authenticity, never expectation."""

from strongroom.core.codec import cose, cwt
from strongroom.core.rats import PlatformClaims, PlatformFacts, Trust, Verified
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.eat import check_clock
from strongroom.core.rats.statement import require_replay
from strongroom.errors import Untrusted
from strongroom.hardware.simulated.abi import (
    TYPE,
    SimulatedEvidence,
    decode,
    subject,
)

_OWNER = "attestation"


def verify(evidence: bytes, trust: Trust, now: int) -> PlatformClaims:
    """Return what a simulated device says, known to be its own word.

    1. Parse the container, the envelope (RFC 9052) and the claims (RFC 9711).
    2. The chain leads to one of the roots and every certificate is valid at `now`.
    3. No key of the chain is revoked.
    4. The token is signed by the key that the chain certifies.
    5. The profile is this one: `typ`, suite, and the certificate is this device's.
    6. Every register is there, and its event log leads to its value.
    7. The kind is "simulated": only this profile says so, and it cannot say else.
    8. The token is not from the future.

    Not checked: nonce, age, debug state, firmware SVN, register values, locks; and
    whether a simulated device is wanted at all. That is appraisal.

    Args:
        evidence: what `SimulatedDevice.attest` returned.
        trust: trusted roots and revoked key ids.
        now: Unix seconds.

    Raises:
        Malformed: step 1.
        Untrusted: steps 2 to 6.
        Stale: a certificate out of its time, or step 8.
    """
    # 1
    parsed = SimulatedEvidence.from_bytes(evidence)
    envelope = cose.Sign1.parse(parsed.token)
    facts = decode(envelope.payload)
    # 2, 3
    leaf = _leaf(parsed.chain, trust, now)
    # 4, 5
    envelope.verify(leaf.public_key.verifying(), TYPE)
    _check_device(facts, leaf)
    # 6
    require_replay(facts)
    # 7: `decode` reads no other profile and gives no other kind
    # 8
    check_clock(facts.issued_at, now, _OWNER)
    return PlatformClaims.of(facts, vouch())


def _leaf(chain: tuple[bytes, ...], trust: Trust, now: int) -> cwt.Certificate:
    """Return the leaf of a chain that holds; verified once while it is valid."""

    def make() -> "Verified[cwt.Certificate]":
        path = cwt.verify_path(chain, trust.roots, now, trust.endorsements.revoked)
        return Verified(
            path[0],
            max(each.not_before for each in path),
            min(each.expires_at for each in path) - 1,
        )

    return trust.once(("simulated.chain", chain), now, make)


def _check_device(facts: PlatformFacts, leaf: cwt.Certificate) -> None:
    if leaf.public_key.suite != facts.suite_id:
        raise Untrusted.because(
            rule="platform.suite",
            owner=_OWNER,
            expected=f"a token of suite {leaf.public_key.suite}, as its certificate",
            got=facts.suite_id,
            remedy="Provision the device again in the suite of this deployment.",
        )
    if leaf.subject != subject(facts.device_id):
        raise Untrusted.because(
            rule="platform.device",
            owner=_OWNER,
            expected=leaf.subject,
            got=subject(facts.device_id),
            remedy="This is another device's certificate; get the evidence again.",
        )
