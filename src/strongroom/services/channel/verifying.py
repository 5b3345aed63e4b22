# SPDX-License-Identifier: Apache-2.0
"""How a party verifies the enclave at the other end: ready-made `Verify`.

    evidence of both layers --Appraiser.accept--> AcceptedEnclave, a Verify for more
    a service's signed result ------------------> VouchedEnclave, a Verify
    app evidence, with a carrier for the platform's: EndorsedEnclave, a Verify

The application is judged here in all of them; the platform by the party's own
endorsements (`EndorsedEvidence`) or by an attestation service (7.3 g, h).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats import (
    AppClaims,
    AppraisalPolicy,
    Evidence,
    PlatformClaims,
    Trust,
)
from strongroom.errors import Finding, Malformed, Refused, Stale, Untrusted
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.services.attestation.app_rules import application_findings
from strongroom.services.attestation.application import (
    ApplicationPolicy,
    VouchedPlatform,
    judge_application,
)
from strongroom.services.attestation.platform_rules import (
    age_findings,
    lock_findings,
    platform_findings,
)
from strongroom.system.monitor.known_report import KnownReport
from strongroom.system.monitor.report import verify_app_evidence

Clock = Callable[[], int]
"""() -> Unix seconds."""
_FRESHNESS = {"app.nonce", "platform.age"}


class Verify(Protocol):
    """Decides whether evidence is of an enclave that the party accepts."""

    def __call__(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        """Return if `evidence` holds, is wanted, answers `nonce`, binds `user_data`.

        Raises:
            StrongroomError: what does not hold.
        """


@dataclass(frozen=True)
class Anybody:
    """Serve whoever comes, for the reason given, instead of authenticating parties."""

    reason: str

    def __post_init__(self) -> None:
        if not self.reason:
            message = "say why anybody may open a channel"
            raise Malformed(message)


@dataclass(frozen=True)
class VouchedEnclave:
    """An app of `policy` on a platform that a pinned service has found good.

    `expires_at` is when the service's result does, Unix seconds. `enclave_id` names
    the one enclave that may speak; None: any that `policy` accepts there.
    """

    platform: VouchedPlatform
    policy: ApplicationPolicy
    clock: Clock
    expires_at: int
    enclave_id: bytes | None

    def __call__(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        """Judge app evidence; raises as `judge_application`."""
        now, owner = self.clock(), self.policy.owner
        if now > self.expires_at:
            raise Stale.because(
                "environment.expired",
                owner,
                expected=f"a service's result that is good at {now}",
                got=f"one that expired at {self.expires_at}",
                remedy="Have the environment verified again.",
            )
        app = judge_application(
            evidence,
            self.platform,
            self.policy,
            nonce=nonce,
            now=now,
            user_data=user_data,
        )
        if self.enclave_id is not None:
            _require_enclave(self.enclave_id, app.enclave_id, owner)


class Appraiser(Protocol):
    """Decides about evidence of both layers once; says what judges what follows."""

    def accept(self, evidence: bytes, nonce: bytes, user_data: bytes) -> Verify:
        """Return a `Verify` for later app evidence of the enclave in `evidence`.

        Args:
            evidence: an `Evidence` record with both layers.
            nonce: what its app evidence answers.
            user_data: what its app evidence binds.

        Raises:
            StrongroomError: what does not hold.
        """


@dataclass(frozen=True)
class AcceptedEnclave:
    """The enclave that was accepted, and no other, on a platform that was.

    Its word is app evidence again. Where that differs from `app` in nonce, user data
    and time alone, and nothing but the platform's age could be wrong, it is compared
    byte by byte; any other word is judged in full. The platform's signatures and chain
    are not looked at again.
    """

    platform: PlatformClaims
    app: AppClaims
    policy: AppraisalPolicy
    clock: Clock

    def __call__(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        """Judge app evidence; raises as `verify_app_evidence` and `appraise`."""
        now, platform, policy = self.clock(), self.platform, self.policy
        known = self._known
        if known and known.verify(evidence, platform, now, nonce, user_data):
            _require_none(age_findings(platform, policy, now))
            return
        app = verify_app_evidence(evidence, platform, now)
        _require_none(self._findings(app, now, nonce, user_data))
        _require_enclave(self.app.enclave_id, app.enclave_id, policy.owner)

    @cached_property
    def _known(self) -> KnownReport | None:
        """What the next word has to be, if a policy without an age accepts it."""
        app, then = self.app, self.platform.issued_at
        accepted = not self._findings(app, then, app.nonce, app.user_data)
        return KnownReport(app) if accepted else None

    def _findings(
        self, app: AppClaims, now: int, nonce: bytes, user_data: bytes
    ) -> list[Finding]:
        return [
            *platform_findings(self.platform, self.policy, now),
            *lock_findings(app.locks, self.policy),
            *application_findings(app, self.policy, nonce, user_data),
        ]


@dataclass(frozen=True)
class EndorsedEvidence:
    """An `Appraiser`: an app of `policy` on a platform that `trust` holds for."""

    trust: Trust
    policy: AppraisalPolicy
    clock: Clock

    def accept(self, evidence: bytes, nonce: bytes, user_data: bytes) -> Verify:
        """Verify and appraise both layers; raises as those do."""
        return self.judge(Evidence.from_bytes(evidence), nonce, user_data)

    def judge(
        self, evidence: Evidence, nonce: bytes, user_data: bytes
    ) -> AcceptedEnclave:
        """Verify and appraise both layers; raises as those do."""
        now = self.clock()
        platform, app = verify_evidence(evidence, self.trust, now=now)
        if app is None:
            message = "a channel is bound by the evidence of an app; there is none"
            raise Malformed(message)
        appraise(platform, app, self.policy, nonce=nonce, now=now, user_data=user_data)
        return AcceptedEnclave(platform, app, self.policy, self.clock)


@dataclass(frozen=True)
class EndorsedEnclave:
    """As `EndorsedEvidence`, where the app's evidence comes alone.

    `carrier` is asked with the nonce for evidence of the platform; what it says of an
    app there does not count.
    """

    verify: EndorsedEvidence
    carrier: Callable[[bytes], Evidence]

    def __call__(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        """Judge app evidence; raises as `EndorsedEvidence`."""
        whole = replace(self.carrier(nonce), app=evidence)
        self.verify.judge(whole, nonce, user_data)


def _require_none(findings: list[Finding]) -> None:
    if findings:
        stale = {each.rule for each in findings} <= _FRESHNESS
        kind = Stale if stale else Refused
        raise kind("; ".join(map(str, findings)), findings)


def _require_enclave(expected: bytes, got: bytes, owner: str) -> None:
    if not constant_time_equal(got, expected):
        raise Untrusted.because(
            "channel.enclave",
            owner,
            expected=f"the enclave {expected.hex()[:16]}",
            got=got.hex()[:16],
            remedy="Another enclave answers for the one that was accepted.",
        )
