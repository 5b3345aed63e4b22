# SPDX-License-Identifier: Apache-2.0
"""The rules of a policy over claims: each compared, each with what it found.

Closed: what is absent, of another type or of another length does not pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.core.rats import HardwareClaims
from strongroom.core.rats.hardware import Field, Reason
from strongroom.core.rats.hardware_policy import ClaimRule, HardwarePolicy, Scalar
from strongroom.core.rats.reference_values import ReferenceValue
from strongroom.errors import Finding
from strongroom.services.attestation.claim_paths import find
from strongroom.services.attestation.reference_rules import References, same, shown

_REASONS: dict[str, Reason] = {
    "svns": "tcb_out_of_date",
    "tcb": "tcb_out_of_date",
    "key": "binding",
    "bound": "report_data",
    "bound_as": "report_data",
    "format": "format",
}
"""The reason in a rule id by the first part of the claim's path; else measurement."""

_REMEDIES: dict[Reason, str] = {
    "measurement": "Other software was started than the policy names: find out which, "
    "then start the right one or renew the policy.",
    "tcb_out_of_date": "Update the platform's firmware and microcode, then attest "
    "again.",
    "format": "Have the platform attest in a form that the policy names.",
    "binding": "Ask the right attester: this evidence binds another key.",
    "report_data": "Ask for evidence again, with the value that the policy names.",
}
_ABSENT = (
    "Correct the path in the policy (`attest explain` shows the claims), or attest in "
    "a form that has it."
)
_WORDS = {
    "is": "",
    "one_of": "one of ",
    "none_of": "none of ",
    "at_least": "at least ",
    "at_most": "at most ",
    "bits_set": "all bits set of ",
    "bits_clear": "no bit set of ",
}


@dataclass(frozen=True)
class Decision:
    """What one rule said of one piece of evidence.

    `finding` is None where it holds; `reference` is the value that accepted the claim.
    """

    rule: str
    claim: str
    expected: str
    got: str
    finding: Finding | None
    reference: ReferenceValue | None = None

    @property
    def holds(self) -> bool:
        """Whether the rule holds."""
        return self.finding is None


def decide(
    claims: HardwareClaims, policy: HardwarePolicy, references: References
) -> tuple[Decision, ...]:
    """Return what every rule about this kind says of `claims`, in the policy's order.

    Args:
        claims: of one piece of evidence; what is inside it is decided by itself.
        policy: whose rules.
        references: for rules that name reference values.
    """
    return tuple(
        _decide(rule, claims, policy, references)
        for rule in policy.rules_for(claims.kind)
    )


def _decide(
    rule: ClaimRule,
    claims: HardwareClaims,
    policy: HardwarePolicy,
    references: References,
) -> Decision:
    got = find(claims, rule.claim)
    reason = _REASONS.get(rule.claim.split(".")[0], "measurement")
    name = f"{claims.kind}.{reason}.{rule.id}"
    remedy, reference = rule.remedy or _REMEDIES[reason], None
    if got is None:
        expected, text, holds = _expected(rule), shown(got), False
        remedy = rule.remedy or _ABSENT
    elif rule.check == "reference":
        match = references.match(rule, policy, claims.kind, got)
        expected, text, reference = match.expected, match.got, match.value
        holds = reference is not None
        remedy = rule.remedy or match.remedy or remedy
    else:
        expected, text = _expected(rule), shown(got)
        holds = _CHECKS[rule.check](got, rule.values)
    wanted = f"{rule.claim}: {expected}"
    finding = None if holds else Finding(name, policy.owner, wanted, text, remedy)
    return Decision(name, rule.claim, expected, text, finding, reference)


def _expected(rule: ClaimRule) -> str:
    if rule.check == "reference":
        return f"a value of {rule.values[0]} that is valid"
    return _WORDS[rule.check] + ", ".join(map(shown, rule.values))


def _is(got: Field, values: Sequence[Scalar]) -> bool:
    return same(got, values[0])


def _one_of(got: Field, values: Sequence[Scalar]) -> bool:
    if isinstance(got, list):
        return all(_one_of(each, values) for each in got)
    return any(same(got, value) for value in values)


def _none_of(got: Field, values: Sequence[Scalar]) -> bool:
    if isinstance(got, list):
        return all(_none_of(each, values) for each in got)
    if not any(type(got) is type(value) for value in values):
        return False
    return not any(same(got, value) for value in values)


def _at_least(got: Field, values: Sequence[Scalar]) -> bool:
    return type(got) is int and got >= int(values[0])


def _at_most(got: Field, values: Sequence[Scalar]) -> bool:
    return type(got) is int and got <= int(values[0])


def _bits_set(got: Field, values: Sequence[Scalar]) -> bool:
    bits = _bits(got, values[0])
    return bits is not None and bits[0] & bits[1] == bits[1]


def _bits_clear(got: Field, values: Sequence[Scalar]) -> bool:
    bits = _bits(got, values[0])
    return bits is not None and bits[0] & bits[1] == 0


def _bits(got: Field, mask: Scalar) -> tuple[int, int] | None:
    """Return claim and mask as numbers; None where they are not of one form."""
    if type(got) is int and type(mask) is int and got >= 0:
        return got, mask
    if not isinstance(got, str) or not isinstance(mask, str) or len(got) != len(mask):
        return None
    try:
        return int.from_bytes(bytes.fromhex(got)), int.from_bytes(bytes.fromhex(mask))
    except ValueError:
        return None


_CHECKS: dict[str, Callable[[Field, Sequence[Scalar]], bool]] = {
    "is": _is,
    "one_of": _one_of,
    "none_of": _none_of,
    "at_least": _at_least,
    "at_most": _at_most,
    "bits_set": _bits_set,
    "bits_clear": _bits_clear,
}
