# SPDX-License-Identifier: Apache-2.0
"""The initiator of remote attestation: RA-1 with the app's help, RA-2 without.

    nonce --> OCA --> evidence      a to f, RA-2 a to d: whoever carries it is untrusted
    platform layer --> service      g, h, RA-2 e, f: a pinned key judges the environment
    app layer                       i, RA-2 g: judged here

The checks come in the order nonce, certificates and signatures, measurement, and each
has its own error. Nothing is accepted where the service does not answer.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import httpx

from strongroom.core.codec import cbor
from strongroom.core.crypto import VerifyingKey, constant_time_equal
from strongroom.core.rats import AppClaims, Evidence, not_checked_bytes
from strongroom.core.rats.ear import VerifiedEar, evidence_digest, verify_ear
from strongroom.errors import (
    Malformed,
    StrongroomError,
    Unavailable,
    Untrusted,
    error_from_value,
)
from strongroom.services.attestation.answers import check_answer
from strongroom.services.attestation.application import (
    ApplicationPolicy,
    VouchedPlatform,
    check_challenge,
    judge_application,
)
from strongroom.services.attestation.request import VerificationRequest
from strongroom.services.isolation import Isolation

NONCE_BYTES = 32
PLATFORM = "platform"
"""The submodule of two-layer evidence."""
_TIMEOUT_S = 30.0
_MAX_TOKEN_BYTES = 8 << 20

Oca = Callable[[bytes], Evidence]
"""(nonce) -> evidence of platform and app, from an untrusted carrier (a to f)."""


@dataclass(frozen=True)
class Attested:
    """An environment and an app that were both found good; made by this module only."""

    app: AppClaims
    environment: VerifiedEar
    evidence: Evidence
    token: bytes


class AttestationService:
    """A line to one attestation service, whose key was pinned beforehand."""

    def __init__(
        self, url: str, key: VerifyingKey, policy: str, timeout_s: float = _TIMEOUT_S
    ) -> None:
        """Say where it is, who it is, and by which of its policies it shall go."""
        self.key, self.policy = key, policy
        self._http = httpx.Client(base_url=url, timeout=timeout_s)

    def verify(
        self, request: VerificationRequest, now: int
    ) -> tuple[VerifiedEar, bytes]:
        """Return what the service signed about this request, and the token itself.

        The verdict may be a bad one: `VerifiedEar.require_good`.

        Raises:
            Unavailable: no answer; nothing is known, so nothing is accepted.
            Untrusted: another key's result, or that of another request.
            Stale: out of its time.
            StrongroomError: what the service answered instead.
        """
        token = self._post("/v1/verify", request.to_bytes())
        verified = verify_ear(
            token,
            self.key,
            nonce=request.nonce,
            evidence_digest=evidence_digest(self.key.suite_id, request.evidence),
            now=now,
        )
        check_answer(verified, request)
        return verified, token

    def ask(
        self,
        evidence: Mapping[str, bytes],
        nonce: bytes,
        now: int,
        bound: Mapping[str, bytes] | None = None,
    ) -> VerifiedEar:
        """Return a good verdict on evidence of any kind, or raise (background check).

        Args:
            evidence: bytes by submodule, as in `VerificationRequest`.
            nonce: the challenge that it answers.
            now: Unix seconds.
            bound: as in `VerificationRequest`.

        Raises:
            Refused: with the service's findings; otherwise as `verify`.
        """
        request = VerificationRequest(
            self.policy, nonce, dict(evidence), dict(bound or {})
        )
        return self.verify(request, now)[0].require_good()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, path: str, body: bytes) -> bytes:
        try:
            reply = self._http.post(path, content=body)
        except httpx.HTTPError as error:
            message = (
                f"the attestation service at {self._http.base_url} does not answer"
            )
            raise Unavailable(message) from error
        if len(reply.content) > _MAX_TOKEN_BYTES:
            message = "the attestation service's answer is too long"
            raise Malformed(message)
        if not reply.is_success:
            raise _refusal(reply)
        return reply.content


def attest_with_app(
    oca: Oca,
    service: AttestationService,
    policy: ApplicationPolicy,
    now: int,
    *,
    user_data: bytes | None = None,
    platform_is_fresh: bool = True,
) -> Attested:
    """Attest an app with its help (RA-1).

    1. a to f: a fresh nonce goes to the OCA, evidence comes back.
    2. The app's evidence says that it answers this nonce.
    3. g, h: the service judges the platform layer; its result is signed, and bound to
       the nonce and to these very bytes.
    4. i: the app's evidence is signed by the monitor that the result names, and the
       app is one of the policy's, in the state that the policy wants.

    Args:
        oca: carries challenge and evidence.
        service: judges the environment.
        policy: what the app must be.
        now: Unix seconds.
        user_data: what the app must have bound (7.5: a channel's key); None: nothing.
        platform_is_fresh: whether the platform too answers this nonce; otherwise its
            age must suit the service's policy.

    Raises:
        Stale: step 2, or a result or report that is out of its time.
        Unavailable: no answer of OCA or service.
        Untrusted: step 3 or 4, a signature or binding.
        Refused: step 3, the service's findings; step 4, the policy's.
    """
    nonce = os.urandom(NONCE_BYTES)
    return attest_evidence(
        oca(nonce),
        nonce,
        service,
        policy,
        now,
        user_data=user_data,
        platform_is_fresh=platform_is_fresh,
    )


def attest_evidence(  # noqa: PLR0913 - as `attest_with_app`
    evidence: Evidence,
    nonce: bytes,
    service: AttestationService,
    policy: ApplicationPolicy,
    now: int,
    *,
    user_data: bytes | None,
    platform_is_fresh: bool,
) -> Attested:
    """Attest an app by evidence that somebody brought: steps 2 to 4 of RA-1.

    Args and errors as `attest_with_app`; `nonce` is what the app's evidence answers.
    """
    # 2
    check_challenge(evidence.app, nonce, policy.owner)
    # 3
    verified, token = _judge_platform(
        evidence, nonce, service, now, fresh=platform_is_fresh
    )
    platform = VouchedPlatform.of(verified, PLATFORM)
    # 4
    app = judge_application(
        evidence.app, platform, policy, nonce=nonce, now=now, user_data=user_data
    )
    return Attested(app, verified, evidence, token)


def attest_without_app(
    oca: Oca,
    service: AttestationService,
    policy: ApplicationPolicy,
    now: int,
    enclave_id: bytes | None = None,
) -> Attested:
    """Attest an app that is not asked itself (RA-2): the module's report about it.

    Steps as in `attest_with_app`. The report has no user data, so it binds no key;
    it names its enclave, which must be the one that was asked for.

    Args:
        oca: carries challenge and report.
        service: judges the environment.
        policy: what the app must be.
        now: Unix seconds.
        enclave_id: which enclave the report must be about; None where the carrier
            chose it by another name, and the policy alone decides.

    Raises:
        Untrusted: `app.enclave`, a report about another enclave; else as
            `attest_with_app`.
    """
    attested = attest_with_app(oca, service, policy, now)
    got = attested.app.enclave_id
    if enclave_id is not None and not constant_time_equal(got, enclave_id):
        refusal = Untrusted.because(
            "app.enclave",
            policy.owner,
            expected=f"a report about enclave {enclave_id.hex()[:16]}",
            got=f"one about {got.hex()[:16]}",
            remedy="The carrier gave another app's report; ask the machine itself.",
        )
        raise Untrusted(refusal.message, refusal.findings)
    return attested


def fetch_passport(
    evidence: Evidence, nonce: bytes, service: AttestationService, now: int
) -> bytes:
    """Return the service's signed result about one's own platform (passport model).

    To be run by the attester's side, which shows the token to relying parties
    together with fresh evidence of the app.

    Raises:
        Refused: the service refuses the environment; otherwise as `verify`.
    """
    _, token = _judge_platform(evidence, nonce, service, now, fresh=True)
    return token


def open_passport(token: bytes, key: VerifyingKey, now: int) -> VouchedPlatform:
    """Return the platform that a passport vouches for, offline, within its window.

    Next comes `judge_application` with app evidence for the relying party's own
    nonce: it rules out that somebody shows a passport who does not hold the monitor's
    key.

    Args:
        token: from `fetch_passport`, as it was shown.
        key: of the service, pinned beforehand.
        now: Unix seconds.

    Raises:
        Stale: the passport has expired.
        Untrusted: it is another service's.
        Refused: it is about an environment that was refused.
    """
    reason = "passport: the attester asked with a challenge of its own"
    verified = verify_ear(
        token,
        key,
        nonce=not_checked_bytes(reason),
        evidence_digest=not_checked_bytes(reason),
        now=now,
    )
    return VouchedPlatform.of(verified, PLATFORM)


def monitor_oca(isolation: Isolation, kind: str, enclave_id: bytes) -> Oca:
    """Return the OCA of a monitor on this machine, which is asked itself (RA-2)."""

    def oca(nonce: bytes) -> Evidence:
        report = isolation.report(enclave_id, nonce)
        return Evidence(kind, isolation.evidence(nonce), report)

    return oca


def _refusal(reply: httpx.Response) -> StrongroomError:
    """Return what a service answered instead; whoever else answered is no service."""
    try:
        return error_from_value(cbor.decode(reply.content))
    except Malformed:
        message = f"no attestation service answers, but status {reply.status_code}"
        return Unavailable(message)


def _judge_platform(
    evidence: Evidence,
    nonce: bytes,
    service: AttestationService,
    now: int,
    *,
    fresh: bool,
) -> tuple[VerifiedEar, bytes]:
    alone = replace(evidence, app=b"").to_bytes()
    request = VerificationRequest(
        service.policy,
        nonce,
        {PLATFORM: alone},
        freshness="nonce" if fresh else "age",
    )
    verified, token = service.verify(request, now)
    return verified.require_good(), token
