# SPDX-License-Identifier: Apache-2.0
"""Rules about the app: nonce, which app it is, debug state, and what it has bound."""

from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats import AppClaims, AppraisalPolicy, AppRule, PlatformClaims
from strongroom.core.rats.policy import why_not_checked
from strongroom.errors import Finding
from strongroom.services.attestation.platform_rules import shown


def app_findings(
    platform: PlatformClaims,
    app: AppClaims | None,
    policy: AppraisalPolicy,
    nonce: bytes,
    user_data: bytes | None,
) -> list[Finding]:
    """Return what about the app, or about there being none, is not as wanted."""
    if app is None:
        return [
            *_nonce("platform.nonce", platform.nonce, nonce, policy),
            *_absent(policy, user_data),
        ]
    return application_findings(app, policy, nonce, user_data)


def application_findings(
    app: AppClaims, policy: AppraisalPolicy, nonce: bytes, user_data: bytes | None
) -> list[Finding]:
    """Return what about the app is not as wanted, whatever it runs on."""
    return [
        *_nonce("app.nonce", app.nonce, nonce, policy),
        *_identity(app, policy),
        *_debug(app, policy),
        *_user_data(app, policy, user_data),
    ]


def _nonce(
    rule: str, got: bytes, expected: bytes, policy: AppraisalPolicy
) -> list[Finding]:
    if constant_time_equal(got, expected):
        return []
    return [
        Finding(
            rule=rule,
            owner=policy.owner,
            expected=f"an answer to the challenge {shown(expected)}",
            got=f"an answer to {shown(got)}",
            remedy="The evidence is old or another's; ask for it with a fresh nonce.",
        )
    ]


def _absent(policy: AppraisalPolicy, user_data: bytes | None) -> list[Finding]:
    if not policy.apps and user_data is None:
        return []
    return [
        Finding(
            rule="app.evidence",
            owner=policy.owner,
            expected="evidence of an app",
            got="evidence of the platform alone",
            remedy="Ask the monitor for a report of the app (RA-1).",
        )
    ]


def _identity(app: AppClaims, policy: AppraisalPolicy) -> list[Finding]:
    """Compare with every app rule; where none fits, tell of the closest."""
    closest: list[Finding] | None = None
    for rule in policy.apps:
        findings = _against(rule, app, policy.owner)
        if not findings:
            return []
        if closest is None or len(findings) < len(closest):
            closest = findings
    if closest is not None:
        return closest
    return [
        Finding(
            rule="app.measurement",
            owner=policy.owner,
            expected="a platform without an app: the policy accepts none",
            got=f"{app.product} {shown(app.measurement)}",
            remedy="Add an app rule to the policy if this app is wanted.",
        )
    ]


def _against(rule: AppRule, app: AppClaims, owner: str) -> list[Finding]:
    remedy = "This is another app or version; start the one that was agreed on."
    values = [
        ("app.measurement", rule.measurement, app.measurement),
        ("app.signer", rule.signer, app.signer),
        ("app.config", rule.config, app.config),
    ]
    findings = [
        Finding(name, owner, shown(expected), shown(got), remedy)
        for name, expected, got in values
        if why_not_checked(expected) is None and expected != got
    ]
    if why_not_checked(rule.product) is None and rule.product != app.product:
        findings.append(
            Finding("app.product", owner, rule.product, app.product, remedy)
        )
    if app.svn < rule.min_svn:
        findings.append(
            Finding(
                rule="app.svn",
                owner=owner,
                expected=f"SVN {rule.min_svn} or higher",
                got=str(app.svn),
                remedy="Get the app's current bundle from its provider.",
            )
        )
    return findings


def _debug(app: AppClaims, policy: AppraisalPolicy) -> list[Finding]:
    if not app.debug:
        return []
    return [
        Finding(
            rule="app.debug",
            owner=policy.owner,
            expected="an enclave with debugging off",
            got="debugging on",
            remedy="Start the enclave without debugging; no policy accepts it.",
        )
    ]


def _user_data(
    app: AppClaims, policy: AppraisalPolicy, user_data: bytes | None
) -> list[Finding]:
    expected = user_data or b""
    if why_not_checked(expected) is not None:
        return []
    if constant_time_equal(app.user_data, expected):
        return []
    return [
        Finding(
            rule="app.user_data",
            owner=policy.owner,
            expected=f"user data {shown(expected) or 'of no length'}",
            got=shown(app.user_data) or "none",
            remedy="The app did not bind this key: someone stands in between, or the "
            "evidence belongs to another session.",
        )
    ]
