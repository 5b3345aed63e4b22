# SPDX-License-Identifier: Apache-2.0
"""The initiator's part of remote attestation: judge the application (RA-1 i, RA-2 g).

The environment was judged by a service that the initiator has pinned; its signed
result says which monitor speaks for the apps there.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.crypto import VerifyingKey, constant_time_equal, suite
from strongroom.core.rats import (
    REGISTERS,
    AppClaims,
    AppraisalPolicy,
    AppRule,
    not_checked_bytes,
)
from strongroom.core.rats.ear import VerifiedEar
from strongroom.errors import Malformed, Refused, Stale, Untrusted
from strongroom.services.attestation.app_rules import application_findings
from strongroom.services.attestation.platform_rules import lock_findings
from strongroom.system.monitor.report import peek_nonce, verify_app_evidence

_SERVICE = "the attestation service judges the environment"


@dataclass(frozen=True, kw_only=True)
class ApplicationPolicy(Record):
    """What `owner` expects of an app: one of `apps`, under these locks.

    `locks` are names of `core.rats.LOCKS`, or `not_checked(reason)`.
    """

    TYPE = "strongroom/application-policy/v1"

    owner: str
    apps: tuple[AppRule, ...]
    locks: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.apps:
            message = "a policy about apps names one or more"
            raise Malformed(message)
        self.whole()

    def whole(self) -> AppraisalPolicy:
        """Return it as a policy that leaves the environment to the service."""
        return AppraisalPolicy(
            owner=self.owner,
            registers={name: (not_checked_bytes(_SERVICE),) for name in REGISTERS},
            locks=self.locks,
            max_platform_age_s=1,
            min_firmware_svn=0,
            apps=self.apps,
        )


@dataclass(frozen=True)
class VouchedPlatform:
    """The platform that a service's result is about: whose word counts there."""

    suite_id: str
    monitor_key: VerifyingKey

    @classmethod
    def of(cls, verified: VerifiedEar, name: str) -> "VouchedPlatform":
        """Return the platform in the submodule `name` of a result that is good.

        Raises:
            Refused: the service refuses the environment.
            Untrusted: `environment.monitor`, the result names no monitor.
        """
        verified.require_good()
        submodule = verified.ear.submodules.get(name)
        attester = submodule.attester if submodule else None
        if attester is None or not attester.monitor_key:
            raise Untrusted.because(
                "environment.monitor",
                "initiator",
                expected=f"a result that names the monitor of {name}",
                got="one without",
                remedy="Have evidence of a platform with a monitor verified.",
            )
        try:
            raw = bytes.fromhex(attester.monitor_key)
        except ValueError as error:
            message = "the monitor's key is not hex"
            raise Malformed(message) from error
        return cls(attester.suite, suite(attester.suite).verifying_key(raw))


def check_challenge(app: bytes, nonce: bytes, owner: str) -> None:
    """Refuse app evidence that does not even say that it answers `nonce`.

    The first of the three checks, before a service is asked; what is signed is
    compared again by `judge_application`.

    Raises:
        Malformed: no app evidence.
        Stale: `app.nonce`.
    """
    got = peek_nonce(app)
    if not constant_time_equal(got, nonce):
        raise Stale.because(
            "app.nonce",
            owner,
            expected=f"an answer to the challenge {nonce.hex()[:16]}",
            got=f"an answer to {got.hex()[:16]}",
            remedy="The evidence is old or another's; ask for it with a fresh nonce.",
        )


def judge_application(
    app: bytes,
    platform: VouchedPlatform,
    policy: ApplicationPolicy,
    *,
    nonce: bytes,
    now: int,
    user_data: bytes | None = None,
) -> AppClaims:
    """Return what the app is, if it is one that `policy` accepts.

    1. It answers the challenge.
    2. It is signed by the monitor that the service vouches for, in its suite.
    3. It is as the policy has it: measurement, signer, SVN, configuration, debug
       state, locks, and the user data it had to bind (None: it must have bound none).

    Raises:
        Stale: step 1, or evidence from the future.
        Malformed: no app evidence.
        Untrusted: step 2.
        Refused: step 3, with every finding.
    """
    # 1
    check_challenge(app, nonce, policy.owner)
    # 2
    claims = verify_app_evidence(app, platform, now)
    # 3
    whole = policy.whole()
    findings = [
        *application_findings(claims, whole, nonce, user_data),
        *lock_findings(claims.locks, whole),
    ]
    if findings:
        raise Refused("; ".join(map(str, findings)), findings)
    return claims
