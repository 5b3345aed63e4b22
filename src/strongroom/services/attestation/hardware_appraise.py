# SPDX-License-Identifier: Apache-2.0
"""Appraise claims of any hardware: the verdict with every decision behind it."""

import hashlib
from dataclasses import dataclass

from strongroom.core.rats import HardwareClaims
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Finding, Refused, Stale
from strongroom.hardware.refusal import reason_of
from strongroom.services.attestation.claim_rules import Decision, decide
from strongroom.services.attestation.hardware_rules import everything, hardware_findings
from strongroom.services.attestation.reference_rules import References

_FRESHNESS = {"nonce", "report_data"}


@dataclass(frozen=True)
class HardwareAppraisal:
    """What a policy says of hardware; accepted where there are no findings.

    Attributes:
        kind: of the evidence.
        owner: whose policy.
        policy_digest: SHA-256 of the policy, hex.
        findings: everything that does not hold.
        decisions: every rule about claims, those that hold too.
        unchecked: what was left open, with the reasons.
        not_proven: what the evidence leaves open, whatever the policy.
    """

    kind: str
    owner: str
    policy_digest: str
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    unchecked: tuple[str, ...]
    not_proven: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether the policy accepts the hardware."""
        return not self.findings

    def require(self) -> None:
        """Refuse what the policy does not accept.

        Raises:
            Refused: with every finding.
            Stale: where the nonce is all that is wrong.
        """
        if self.accepted:
            return
        message = "; ".join(map(str, self.findings))
        stale = {reason_of(each) for each in self.findings} <= _FRESHNESS
        bound = all(len(each.rule.split(".")) == _FIXED for each in self.findings)
        raise (Stale if stale and bound else Refused)(message, self.findings)


_FIXED = 2
"""Parts of a rule id that is the same for every policy: kind and reason."""
_NO_NONCE = "the nonce: none was given to compare, so the evidence may be an old one"


def appraise_hardware(
    claims: HardwareClaims,
    policy: HardwarePolicy,
    bound: bytes | None,
    references: References,
) -> HardwareAppraisal:
    """Return what `policy` says of `claims`; it never raises for what it finds.

    1. Kind: wanted by name; that of evidence inside too.
    2. Debug off, everywhere.
    3. TCB status, where the kind has one: accepted, or by an exception for now.
    4. Every rule of the policy about the kind.
    5. What the evidence has bound.

    Args:
        claims: from `verify_hardware`.
        policy: what its owner expects.
        bound: nonce or report data; None leaves it open, which the result says.
        references: reference values, and the time of the appraisal.
    """
    all_claims = tuple(everything(claims))
    unchecked = left_open(claims, policy, references.now)
    if bound is None:
        unchecked = (*unchecked, _NO_NONCE)
    return HardwareAppraisal(
        kind=claims.kind,
        owner=policy.owner,
        policy_digest=hashlib.sha256(policy.to_bytes()).hexdigest(),
        findings=hardware_findings(claims, policy, bound, references),
        decisions=tuple(
            decision
            for each in all_claims
            for decision in decide(each, policy, references)
        ),
        unchecked=unchecked,
        not_proven=tuple(
            dict.fromkeys(text for each in all_claims for text in each.not_proven)
        ),
    )


def left_open(
    claims: HardwareClaims, policy: HardwarePolicy, now: int | None
) -> tuple[str, ...]:
    """Return what a policy leaves open and what exceptions it rests on, with reasons.

    Args:
        claims: with those of evidence inside.
        policy: what its owner expects.
        now: Unix seconds; without it no exception counts.
    """
    all_claims = tuple(everything(claims))
    kinds = dict.fromkeys(each.kind for each in all_claims)
    unchecked = [text for kind in kinds for text in policy.unchecked_for(kind)]
    return (*unchecked, *_exceptions(all_claims, policy, now))


def _exceptions(
    all_claims: tuple[HardwareClaims, ...], policy: HardwarePolicy, now: int | None
) -> list[str]:
    """Return the TCB exceptions that the verdict rests on, each with its reason."""
    if now is None:
        return []
    return [
        f"{claims.kind}.tcb.status {claims.tcb.status}: {each.reason}"
        for claims in all_claims
        if claims.tcb and claims.tcb.status not in policy.tcb_statuses
        for each in policy.tcb_exceptions
        if each.covers(claims.kind, claims.tcb.status, claims.tcb.advisories, now)
    ]
