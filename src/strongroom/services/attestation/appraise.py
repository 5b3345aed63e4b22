# SPDX-License-Identifier: Apache-2.0
"""Appraise verified claims under a policy: the one place where they are compared.

Every rule is compared, whatever the others said, so that one look shows all there is
to mend. Each finding names its rule, the policy's owner, expected, got and a remedy.
"""

from strongroom.core.crypto import suite
from strongroom.core.rats import (
    AppClaims,
    AppraisalPolicy,
    AttestationResult,
    PlatformClaims,
    TrustVector,
)
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Finding, Refused, Stale
from strongroom.services.attestation.app_rules import app_findings
from strongroom.services.attestation.hardware_rules import hardware_findings
from strongroom.services.attestation.platform_rules import (
    lock_findings,
    platform_findings,
)
from strongroom.services.attestation.reference_rules import References

_FRESHNESS = {"app.nonce", "platform.nonce", "platform.age"}
_CONFIGURATION = ("platform.debug", "app.debug", "app.config", "locks.")
_EXECUTABLES = (
    "register.",
    "platform.firmware",
    "app.measurement",
    "app.signer",
    "app.product",
    "app.svn",
    "app.evidence",
)
_HARDWARE = (".tcb_revoked", ".tcb_out_of_date", "platform.kind")
_BY_KIND = {"simulated": (32, 32, 32), "tpm2": (32, 32, 32)}
"""hardware, runtime-opaque and storage-opaque (AR4SI section 2.3.4) by kind: a
simulated platform isolates but neither encrypts memory nor keeps keys in hardware. A
TPM does not encrypt memory either; and as its key is pinned and no maker's certificate
asked for, it may be a program, whose keys are in no hardware.
A kind comes in here together with its verifier."""
_UNKNOWN = (97, 0, 0)


def appraise(
    platform: PlatformClaims,
    app: AppClaims | None,
    policy: AppraisalPolicy,
    *,
    nonce: bytes,
    now: int,
    user_data: bytes | None = None,
) -> AttestationResult:
    """Return the result if everything is as `policy` wants it, or raise.

    1. Platform: kind, age, debug state, firmware SVN, each register; of the hardware
       that it stands on debug state and TCB status.
    2. Locks of the app, or of the monitor where there is no app.
    3. App: nonce, debug state, one of the policy's app rules, user data; without
       an app the nonce is the platform's.

    Args:
        platform: from `verify_evidence`.
        app: from `verify_evidence`; None for an environment alone (RA-2).
        policy: what its owner expects.
        nonce: the challenge that this evidence answers.
        now: Unix seconds.
        user_data: what the app must have bound; None: it must have bound nothing;
            `not_checked_bytes(reason)`: anything.

    Raises:
        Refused: with every finding.
        Stale: where freshness is all that is wrong.
    """
    result = appraise_dry(
        platform, app, policy, nonce=nonce, now=now, user_data=user_data
    )
    findings = result.findings
    if not findings:
        return result
    message = "; ".join(map(str, findings))
    if {finding.rule for finding in findings} <= _FRESHNESS:
        raise Stale(message, findings)
    raise Refused(message, findings)


def appraise_dry(
    platform: PlatformClaims,
    app: AppClaims | None,
    policy: AppraisalPolicy,
    *,
    nonce: bytes,
    now: int,
    user_data: bytes | None = None,
) -> AttestationResult:
    """Return the result of `appraise`, findings and all, and never raise for them."""
    # 1
    findings = platform_findings(platform, policy, now)
    findings += _hardware(platform, policy, now)
    # 2
    locks = platform.locks if app is None else app.locks
    findings += lock_findings(locks, policy)
    # 3
    findings += app_findings(platform, app, policy, nonce, user_data)
    row = suite(platform.suite_id)
    return AttestationResult(
        kind=platform.kind,
        owner=policy.owner,
        policy_id=f"{row.id}:{row.digest(policy.encoded).hex()}",
        nonce=nonce,
        issued_at=now,
        vector=_vector(platform, policy, findings),
        findings=tuple(findings),
        unchecked=policy.unchecked,
        proof=vouch(),
    )


def _hardware(
    platform: PlatformClaims, policy: AppraisalPolicy, now: int
) -> tuple[Finding, ...]:
    if platform.hardware is None:
        return ()
    state = HardwarePolicy.default(policy.owner, (platform.kind,))
    return hardware_findings(platform.hardware, state, None, References(now=now))


def _vector(
    platform: PlatformClaims, policy: AppraisalPolicy, findings: list[Finding]
) -> TrustVector:
    rules = [finding.rule for finding in findings]
    hardware, runtime, storage = _BY_KIND.get(platform.kind, _UNKNOWN)
    open_registers = any(text.startswith("register.") for text in policy.unchecked)
    executables = 3 if open_registers else 2
    return TrustVector(
        instance_identity=2,
        configuration=96 if _any(rules, _CONFIGURATION) else 2,
        executables=33 if _any(rules, _EXECUTABLES) else executables,
        file_system=0,
        hardware=96 if any(rule.endswith(_HARDWARE) for rule in rules) else hardware,
        runtime_opaque=runtime,
        storage_opaque=storage,
        sourced_data=0,
    )


def _any(rules: list[str], prefixes: tuple[str, ...]) -> bool:
    return any(rule.startswith(prefixes) for rule in rules)
