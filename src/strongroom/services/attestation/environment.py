# SPDX-License-Identifier: Apache-2.0
"""The verifier's part of remote attestation: judge the environment (RA-1 g, h).

Pure: evidence, policy, trust and time in, an `Ear` out. Whoever calls it signs that
and writes it down. What does not hold becomes a finding of its submodule, so that
the refusal too is signed, bound to the evidence, and says what to do.
"""

from collections.abc import Callable, Sequence

from strongroom.core.codec import cbor
from strongroom.core.crypto import suite
from strongroom.core.rats import Evidence, HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.ear import Ear, EarSubmodule, evidence_digest
from strongroom.core.rats.hardware_policy import LAUNCH, HardwarePolicy
from strongroom.core.rats.reference_values import SignedReferences
from strongroom.errors import Finding, Malformed, StrongroomError
from strongroom.services.attestation.appraise import appraise_dry
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.hardware_appraise import left_open
from strongroom.services.attestation.hardware_rules import everything, hardware_findings
from strongroom.services.attestation.reference_rules import References
from strongroom.services.attestation.request import (
    EnvironmentPolicy,
    VerificationRequest,
)
from strongroom.services.attestation.subjects import evidence_subject
from strongroom.services.attestation.submodules import (
    Basis,
    absent,
    expected_bound,
    of_hardware,
    of_platform,
    unverified,
)
from strongroom.services.attestation.verify import verify_evidence

TrustOf = Callable[[str, str], Trust]
"""(kind, subject) -> the endorsements for it; see `evidence_subject`."""

_NONCES = ("nonce", "report_data")


def appraise_environment(
    request: VerificationRequest,
    policy: EnvironmentPolicy,
    trust_of: TrustOf,
    *,
    suite_id: str,
    now: int,
    references: Sequence[SignedReferences] = (),
) -> Ear:
    """Return the verdict on every submodule of a request.

    1. The digest over all of the evidence, which the result carries.
    2. Of each submodule: authentic (`verify_evidence`, `verify_hardware`), then as the
       policy wants it: its kind, the challenge, debug state, versions, registers.
    3. A submodule that the policy requires and that is not there is a finding.

    Not judged: the app (the initiator does), and whether submodules sit in one and
    the same machine: they answer one challenge, and each result says so.

    Args:
        request: as it was received.
        policy: the one that the request names.
        trust_of: the service's own endorsements.
        suite_id: of the key that will sign.
        now: Unix seconds.
        references: reference values; which of them count is for the policy to say.

    Raises:
        Malformed: a part that is no evidence at all, or has an app layer.
    """
    # 1
    digest = evidence_digest(suite_id, request.evidence)
    row = suite(suite_id)
    policy_id = f"{row.id}:{row.digest(policy.to_bytes()).hex()}"
    basis = Basis(request.policy, policy_id, policy.owner)
    judge = _Judge(request, policy, trust_of, basis, now, references)
    # 2
    submodules = {name: judge.submodule(name) for name in request.evidence}
    # 3
    for name in policy.required:
        if name not in submodules:
            submodules[name] = absent(name, basis)
    return Ear(
        nonce=request.nonce,
        evidence_digest=digest,
        issued_at=now,
        expires_at=now + policy.validity_s,
        submodules=submodules,
    )


class _Judge:
    """One request at work."""

    def __init__(
        self,
        request: VerificationRequest,
        policy: EnvironmentPolicy,
        trust_of: TrustOf,
        basis: Basis,
        now: int,
        references: Sequence[SignedReferences],
    ) -> None:
        self._request, self._policy, self._trust_of = request, policy, trust_of
        self._basis, self._now = basis, now
        self._references = References(references, now)

    def submodule(self, name: str) -> EarSubmodule:
        evidence = _parse(name, self._request.evidence[name])
        try:
            if isinstance(evidence, HardwareEvidence):
                return self._hardware(name, evidence)
            return self._platform(evidence)
        except StrongroomError as error:
            return unverified(evidence.kind, error, self._basis)

    def _platform(self, evidence: Evidence) -> EarSubmodule:
        policy = self._policy.platform
        if policy is None:
            return self._unwanted(evidence.kind)
        trust = self._trust_of(evidence.kind, "")
        claims, _ = verify_evidence(evidence, trust, now=self._now)
        result = appraise_dry(
            claims, None, policy, nonce=self._request.nonce, now=self._now
        )
        aged = self._request.freshness == "age"
        return of_platform(claims, result, self._basis, aged=aged)

    def _hardware(self, name: str, evidence: HardwareEvidence) -> EarSubmodule:
        policy = self._policy.for_hardware(evidence.kind)
        if policy is None:
            return self._unwanted(evidence.kind)
        trust = self._trust_of(evidence.kind, evidence_subject(evidence))
        claims = verify_hardware(evidence, trust, now=self._now)
        given = self._request.bound.get(name)
        bound = expected_bound(claims, self._request.nonce) if given is None else given
        findings = hardware_findings(claims, policy, bound, self._references)
        ordered = sorted(findings, key=lambda each: not _about_challenge(each))
        return of_hardware(
            claims,
            ordered,
            self._basis,
            unchecked=left_open(claims, policy, self._now),
            recognised=_recognised(claims, policy),
            derived=given is not None,
        )

    def _unwanted(self, kind: str) -> EarSubmodule:
        finding = Finding(
            rule="environment.kind",
            owner=self._policy.owner,
            expected="a kind of environment that the policy names",
            got=kind,
            remedy="Ask for a policy of the service that accepts this kind.",
        )
        error = StrongroomError(str(finding), [finding])
        return unverified(kind, error, self._basis)


def _recognised(claims: HardwareClaims, policy: HardwarePolicy) -> bool:
    """Whether the policy says what may be started, that of evidence inside too."""
    kinds = {each.kind for each in everything(claims) if each.kind in LAUNCH}
    return bool(kinds) and all(map(policy.names_launch, kinds))


def _about_challenge(finding: Finding) -> bool:
    return finding.rule.split(".")[-1] in _NONCES


def _parse(name: str, data: bytes) -> Evidence | HardwareEvidence:
    """Read evidence of either kind; the record's type tells which."""
    value = cbor.decode(data)
    if isinstance(value, dict) and value.get("type") == HardwareEvidence.TYPE:
        return HardwareEvidence.from_value(value)
    evidence = Evidence.from_value(value)
    if evidence.app:
        message = (
            f"{name}: send the platform layer alone; the app is the initiator's to "
            "judge"
        )
        raise Malformed(message)
    return evidence
