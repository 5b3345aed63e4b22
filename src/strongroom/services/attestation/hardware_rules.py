# SPDX-License-Identifier: Apache-2.0
"""Rules about hardware, the same for every kind: kind, debug, TCB, claims, binding."""

from collections.abc import Iterator

from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats import HardwareClaims
from strongroom.core.rats.hardware_policy import NEVER_ACCEPTED, HardwarePolicy
from strongroom.errors import Finding
from strongroom.services.attestation.claim_rules import decide
from strongroom.services.attestation.platform_rules import shown
from strongroom.services.attestation.reference_rules import References

_NO_REFERENCES = References()


def hardware_findings(
    claims: HardwareClaims,
    policy: HardwarePolicy,
    bound: bytes | None,
    references: References = _NO_REFERENCES,
) -> tuple[Finding, ...]:
    """Return what about the hardware is not as `policy` wants it.

    Args:
        claims: from `verify_hardware`.
        policy: what its owner expects; evidence inside evidence is held to it too.
        bound: what the evidence must have bound (nonce, report data); None where
            the caller compares it by other means. Report data may be shorter than
            the field that zeros fill up.
        references: reference values, and the time that they and exceptions are for;
            without them rules that need them do not hold.
    """
    findings = [
        finding
        for each in everything(claims)
        for finding in (
            *_kind(each, policy, inside=each is not claims),
            *_debug(each, policy),
            *_tcb(each, policy, references.now),
            *_rules(each, policy, references),
        )
    ]
    if bound is not None:
        findings += _bound(claims, policy, bound)
    return tuple(findings)


def everything(claims: HardwareClaims) -> Iterator[HardwareClaims]:
    """Yield claims, then those of all evidence inside."""
    yield claims
    for inner in claims.inner:
        yield from everything(inner)


def _kind(
    claims: HardwareClaims, policy: HardwarePolicy, *, inside: bool
) -> list[Finding]:
    if policy.accepts(claims.kind, inside=inside):
        return []
    accepted = (*policy.kinds, *policy.inner_kinds) if inside else policy.kinds
    field = "inner_kinds" if inside else "kinds"
    return [
        Finding(
            rule=f"{claims.kind}.kind",
            owner=policy.owner,
            expected=f"hardware of kind {' or '.join(accepted)}",
            got=f"{claims.kind}{' inside other evidence' if inside else ''}",
            remedy=f"Use hardware that {policy.owner} accepts, or have {claims.kind} "
            f"added to the policy's {field}.",
        )
    ]


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


def _tcb(
    claims: HardwareClaims, policy: HardwarePolicy, now: int | None
) -> list[Finding]:
    tcb = claims.tcb
    if tcb is None or tcb.status in policy.tcb_statuses:
        return []
    if now is not None and any(
        each.covers(claims.kind, tcb.status, tcb.advisories, now)
        for each in policy.tcb_exceptions
    ):
        return []
    reason = "tcb_revoked" if tcb.status == NEVER_ACCEPTED else "tcb_out_of_date"
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


def _rules(
    claims: HardwareClaims, policy: HardwarePolicy, references: References
) -> list[Finding]:
    decisions = decide(claims, policy, references)
    return [each.finding for each in decisions if each.finding is not None]


def _bound(
    claims: HardwareClaims, policy: HardwarePolicy, bound: bytes
) -> list[Finding]:
    # Zeros fill up report data, a field of fixed size; a nonce is what it is.
    filled = bound and claims.bound_as == "report_data"
    wanted = bound.ljust(len(claims.bound), b"\0") if filled else bound
    if claims.bound_as and constant_time_equal(claims.bound, wanted):
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
