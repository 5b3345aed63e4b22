# SPDX-License-Identifier: Apache-2.0
"""Evidence of real hardware: verify any kind, by the table (IF-3, RA-1 step g)."""

from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.hardware.registry import hardware_verifier


def verify_hardware(
    evidence: HardwareEvidence, trust: Trust, *, now: int
) -> HardwareClaims:
    """Return what the hardware says, known to be its own word.

    Not compared with what anyone expects: `appraise_hardware` does that.

    Args:
        evidence: as it was received.
        trust: roots, collateral and revocation lists of the caller's own configuration.
        now: Unix seconds.

    Raises:
        Malformed: bytes that are not evidence of this kind.
        Misconfigured: a kind that this version has no verifier for.
        Untrusted: something does not hold; the rule says what.
        Stale: a certificate or another endorsement is out of its time.
    """
    return hardware_verifier(evidence.kind)(evidence, trust, now)
