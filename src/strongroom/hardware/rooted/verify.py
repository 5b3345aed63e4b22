# SPDX-License-Identifier: Apache-2.0
"""Verify a platform whose statement hardware binds: authenticity, never expectation.

RootedEvidence = statement (PlatformFacts as an EAT claims set) + HardwareEvidence
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats import (
    HardwareClaims,
    HardwareEvidence,
    PlatformClaims,
    PlatformFacts,
    Trust,
)
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.eat import check_clock
from strongroom.core.rats.statement import (
    Profile,
    RootedEvidence,
    binding,
    require_replay,
)
from strongroom.errors import Misconfigured
from strongroom.hardware.refusal import OWNER, refuse
from strongroom.hardware.rooted import tpm
from strongroom.hardware.tpm2 import statement as tpm2

VerifyHardware = Callable[[HardwareEvidence, Trust, int], HardwareClaims]


@dataclass(frozen=True)
class Rooting:
    """How one kind of hardware roots a platform.

    Attributes:
        profile: of its statements.
        trust: (facts, trust) -> whom of these to trust for this device.
        require_backed: holds the statement's registers to what the hardware signed.
    """

    profile: Profile
    trust: Callable[[PlatformFacts, Trust], Trust]
    require_backed: Callable[[PlatformFacts, HardwareClaims], None]


ROOTINGS: MappingProxyType[str, Rooting] = MappingProxyType(
    {
        "tpm2": Rooting(tpm2.PROFILE, tpm.trust_of, tpm.require_backed),
    }
)


def verify(
    kind: str,
    verify_hardware: VerifyHardware,
    evidence: bytes,
    trust: Trust,
    now: int,
) -> PlatformClaims:
    """Return what a platform on hardware says, known to be its own word.

    1. Parse the container and the statement under the profile of `kind`.
    2. The hardware's evidence is of that kind, and its verifier takes it.
    3. It binds the digest of exactly this statement.
    4. Every register of the statement is there, and its events lead to its value.
    5. What the hardware signed backs the registers and the monitor's key.
    6. The hardware says that debugging is off, or so does the statement not.
    7. The statement is not from the future.

    Not checked: nonce, age, debug state, TCB, SVN, register values, locks; the model
    that the platform names; and whether such hardware is wanted at all. That is
    appraisal.

    Args:
        kind: of the platform and its hardware.
        verify_hardware: the verifier of that kind.
        evidence: `RootedEvidence` bytes.
        trust: in endorsements as the kind has them.
        now: Unix seconds.

    Raises:
        Malformed: step 1.
        Misconfigured: such hardware roots no platform in this version.
        Untrusted, Stale: the others.
    """
    # 1
    rooting = _rooting(kind)
    parsed = RootedEvidence.from_bytes(evidence)
    facts = rooting.profile.decode(parsed.statement)
    # 2
    if parsed.hardware.kind != kind:
        raise refuse(
            kind,
            "binding",
            "kind",
            expected=f"hardware evidence of kind {kind}",
            got=parsed.hardware.kind[:32],
        )
    claims = verify_hardware(parsed.hardware, rooting.trust(facts, trust), now)
    # 3
    _require_bound(kind, claims, parsed.statement)
    # 4
    require_replay(facts)
    # 5
    rooting.require_backed(facts, claims)
    # 6
    if claims.debug and not facts.debug:
        raise refuse(
            kind,
            "binding",
            "debug",
            expected="a statement that debugging is on, as the hardware says",
            got="one that it is off",
        )
    # 7
    check_clock(facts.issued_at, now, OWNER)
    return PlatformClaims.of(facts, vouch(), claims)


def _rooting(kind: str) -> Rooting:
    found = ROOTINGS.get(kind)
    if found is None:
        message = f"hardware of kind {kind!r} roots no platform in this version"
        raise Misconfigured(message)
    return found


def _require_bound(kind: str, claims: HardwareClaims, statement: bytes) -> None:
    expected = binding(statement).ljust(len(claims.bound), b"\0")
    if claims.bound_as and constant_time_equal(claims.bound, expected):
        return
    raise refuse(
        kind,
        "binding",
        "statement",
        expected=f"hardware evidence that binds {expected.hex()[:16]}",
        got=claims.bound.hex()[:16] or "nothing",
    )
