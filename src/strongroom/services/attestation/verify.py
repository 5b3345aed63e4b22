# SPDX-License-Identifier: Apache-2.0
"""Verify evidence of both layers: the platform by its kind, the app by the monitor."""

from strongroom.core.rats import AppClaims, Evidence, PlatformClaims, Trust
from strongroom.errors import Untrusted
from strongroom.hardware.registry import verifier
from strongroom.system.monitor.report import verify_app_evidence


def verify_evidence(
    evidence: Evidence, trust: Trust, *, now: int
) -> tuple[PlatformClaims, AppClaims | None]:
    """Return what platform and app say, known to be their own word.

    1. The verifier of the kind that the evidence names verifies the platform.
    2. The platform's own statement is of that kind.
    3. App evidence, if there is any, is signed by the monitor of that platform.

    Nothing is compared with what anyone expects; `appraise` does that.

    Args:
        evidence: as it was received.
        trust: roots and revocations, from the caller's own configuration.
        now: Unix seconds.

    Returns:
        The platform's claims, and the app's or None if the evidence has no app.

    Raises:
        Malformed: bytes that are not evidence.
        Misconfigured: a kind that this version has no verifier for.
        Untrusted: a chain, signature or event log does not hold.
        Stale: a certificate out of its time, or evidence from the future.
    """
    # 1
    platform = verifier(evidence.kind)(evidence.platform, trust, now)
    # 2
    if platform.kind != evidence.kind:
        raise Untrusted.because(
            rule="evidence.kind",
            owner="attestation",
            expected=f"a platform of kind {evidence.kind}",
            got=platform.kind,
            remedy="Name the kind of platform that the evidence comes from.",
        )
    # 3
    if not evidence.app:
        return platform, None
    return platform, verify_app_evidence(evidence.app, platform, now)
