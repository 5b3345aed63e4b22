# SPDX-License-Identifier: Apache-2.0
"""Rules about hardware, the same for every kind: debug, TCB status, what is bound."""

from collections.abc import Iterator

from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats import HardwareClaims
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Finding
from strongroom.services.attestation.platform_rules import shown


def hardware_findings(
    claims: HardwareClaims, policy: HardwarePolicy, bound: bytes | None
) -> tuple[Finding, ...]:
    """Return what about the hardware is not as `policy` wants it.

    Args:
        claims: from `verify_hardware`.
        policy: what its owner expects; evidence inside evidence is held to it too.
        bound: what the evidence must have bound (nonce, report data); None where
            the caller compares it by other means.
    """
    findings = [
        finding
        for each in _all(claims)
        for finding in (*_debug(each, policy), *_tcb(each, policy))
    ]
    if bound is not None:
        findings += _bound(claims, policy, bound)
    return tuple(findings)


def _all(claims: HardwareClaims) -> Iterator[HardwareClaims]:
    yield claims
    for inner in claims.inner:
        yield from _all(inner)


def _debug(claims: HardwareClaims, policy: HardwarePolicy) -> list[Finding]:
    if not claims.debug:
        return []
    return [
        Finding(
            rule=f"{claims.kind}.debug",
            owner=policy.owner,
            expected="a platform with debugging off",
            got="debugging on",
            remedy="Start it without debugging; no policy accepts a debug one.",
        )
    ]


def _tcb(claims: HardwareClaims, policy: HardwarePolicy) -> list[Finding]:
    tcb = claims.tcb
    if tcb is None or tcb.status in policy.tcb_statuses:
        return []
    reason = "tcb_revoked" if tcb.status == "Revoked" else "tcb_out_of_date"
    advisories = f" ({', '.join(tcb.advisories)})" if tcb.advisories else ""
    return [
        Finding(
            rule=f"{claims.kind}.{reason}",
            owner=policy.owner,
            expected=f"a TCB status of {', '.join(policy.tcb_statuses)}",
            got=f"{tcb.status}{advisories}",
            remedy="Update the platform's firmware and microcode, then attest again.",
        )
    ]


def _bound(
    claims: HardwareClaims, policy: HardwarePolicy, bound: bytes
) -> list[Finding]:
    if claims.bound_as and constant_time_equal(claims.bound, bound):
        return []
    reason = "report_data" if claims.bound_as == "report_data" else "nonce"
    return [
        Finding(
            rule=f"{claims.kind}.{reason}",
            owner=policy.owner,
            expected=f"{claims.bound_as or 'a nonce'} {shown(bound)}",
            got=shown(claims.bound) or "none",
            remedy="The evidence is old or another's; ask for it with a fresh nonce.",
        )
    ]
