# SPDX-License-Identifier: Apache-2.0
"""Rules about the environment: kind, age, debug state, firmware, registers, locks."""

from strongroom.core.rats import (
    LOCKS,
    REGISTERS,
    AppraisalPolicy,
    PlatformClaims,
)
from strongroom.core.rats.eat import CLOCK_SKEW_S
from strongroom.core.rats.policy import why_not_checked
from strongroom.errors import Finding

_SHOWN, _MAX_SHOWN = 16, 8
_BY_NAME = {
    "simulated": (
        "A simulated platform proves nothing about hardware. For tests and "
        "demonstrations"
    ),
    "tpm2": (
        "A TPM proves which software was started, but the operator of the machine can "
        "read its memory. Where that operator is trusted not to,"
    ),
}
"""Why a kind is accepted by name only, as the beginning of the remedy's sentence."""


def shown(value: bytes) -> str:
    """Return the beginning of a digest in hex, enough to tell two apart."""
    return value.hex()[:_SHOWN]


def platform_findings(
    platform: PlatformClaims, policy: AppraisalPolicy, now: int
) -> list[Finding]:
    """Return what about the platform is not as `policy` wants it."""
    findings = [
        *_kind(platform, policy),
        *age_findings(platform, policy, now),
        *_debug(platform, policy),
        *_firmware(platform, policy),
    ]
    for name in REGISTERS:
        findings += _register(name, platform, policy)
    return findings


def age_findings(
    platform: PlatformClaims, policy: AppraisalPolicy, now: int
) -> list[Finding]:
    """Return what is wrong with the platform's age, all that a day can change of it."""
    age_s = now - platform.issued_at
    if -CLOCK_SKEW_S <= age_s <= policy.max_platform_age_s:
        return []
    return [
        Finding(
            rule="platform.age",
            owner=policy.owner,
            expected=f"platform evidence of at most {policy.max_platform_age_s} s",
            got=f"{age_s} s",
            remedy="Have the monitor attest its platform again.",
        )
    ]


def lock_findings(locks: tuple[str, ...], policy: AppraisalPolicy) -> list[Finding]:
    """Return one finding for each lock that `policy` wants and `locks` lacks."""
    wanted = [name for name in LOCKS if name in policy.locks]
    return [
        Finding(
            rule=f"locks.{name}",
            owner=policy.owner,
            expected=f"an enclave with the lock {name}",
            got=f"one with {len(locks)} locks, without it",
            remedy="Run it on a machine whose kernel offers this lock (see probe).",
        )
        for name in wanted
        if name not in locks
    ]


def _kind(platform: PlatformClaims, policy: AppraisalPolicy) -> list[Finding]:
    if platform.kind in policy.kinds:
        return []
    remedy = f"Run it on one of these, or add {platform.kind!r} to the policy's kinds."
    warning = _BY_NAME.get(platform.kind)
    if warning is not None:
        remedy = (
            f"{warning} {policy.owner} may accept it by name: "
            f"`strongroom room join ROOM --allow {platform.kind}`."
        )
    return [
        Finding(
            rule="platform.kind",
            owner=policy.owner,
            expected=f"one of {', '.join(policy.kinds)}",
            got=platform.kind + (f" ({platform.model})" if platform.model else ""),
            remedy=remedy,
        )
    ]


def _debug(platform: PlatformClaims, policy: AppraisalPolicy) -> list[Finding]:
    if not platform.debug:
        return []
    return [
        Finding(
            rule="platform.debug",
            owner=policy.owner,
            expected="a platform with debugging off",
            got="debugging on",
            remedy="Use a production platform; no policy accepts a debug one.",
        )
    ]


def _firmware(platform: PlatformClaims, policy: AppraisalPolicy) -> list[Finding]:
    if platform.firmware_svn >= policy.min_firmware_svn:
        return []
    return [
        Finding(
            rule="platform.firmware",
            owner=policy.owner,
            expected=f"firmware SVN {policy.min_firmware_svn} or higher",
            got=str(platform.firmware_svn),
            remedy="Update the platform's firmware.",
        )
    ]


def _register(
    name: str, platform: PlatformClaims, policy: AppraisalPolicy
) -> list[Finding]:
    accepted = policy.registers[name]
    if any(why_not_checked(value) is not None for value in accepted):
        return []
    register = platform.register(name)
    if register is not None and register.value in accepted:
        return []
    events = ", ".join(
        f"{event.name} {shown(event.digest)}"
        for event in (register.events[:_MAX_SHOWN] if register else ())
    )
    return [
        Finding(
            rule=f"register.{name}",
            owner=policy.owner,
            expected=f"one of {', '.join(map(shown, accepted))}",
            got=f"{shown(register.value)} from {events or 'no events'}"
            if register
            else "no such register",
            remedy="Other software was started than the policy names: find out "
            "which, then start the right one or renew the reference values.",
        )
    ]
