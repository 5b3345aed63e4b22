# SPDX-License-Identifier: Apache-2.0
"""Which reference values count for a policy, and what is said where none matches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from strongroom.core.rats.hardware import Field
from strongroom.core.rats.hardware_policy import ClaimRule, HardwarePolicy
from strongroom.core.rats.reference_values import ReferenceValue, SignedReferences

_SHOWN_ID, _MAX_SHOWN = 16, 4


@dataclass(frozen=True)
class Match:
    """What reference values say of one claim; `value` is set where one accepts it."""

    value: ReferenceValue | None
    expected: str
    got: str
    remedy: str = ""


@dataclass(frozen=True)
class References:
    """Reference values at one moment.

    Args:
        sets: whose signatures hold; which of them count is for each policy to say.
        now: Unix seconds; None: nobody said, so that no value is known to be valid.
    """

    sets: Sequence[SignedReferences] = field(default=())
    now: int | None = None

    def match(
        self, rule: ClaimRule, policy: HardwarePolicy, kind: str, got: Field
    ) -> Match:
        """Return whether a value that `rule` names accepts `got`.

        A value that one set withdrew is not accepted because of another.
        """
        name = str(rule.values[0])
        wanted = f"a value of {name} that is valid"
        counted = [each for each in self.sets if _counts(each, policy)]
        if not counted or self.now is None:
            return Match(None, wanted, self._none(policy), _BRING)
        values = [
            each
            for signed in counted
            for each in signed.values.values
            if (each.name, each.claim) == (name, rule.claim) and each.concerns(kind)
        ]
        valid = [each for each in values if each.state(self.now) == "valid"]
        expected = f"{wanted}: {_several(valid)}"
        equal = [each for each in values if same(got, each.value)]
        for each in equal:
            if each.withdrawn is not None:
                return Match(None, expected, _why(each, self.now, counted), _RESTART)
        for each in equal:
            if each in valid:
                return Match(each, expected, _short(each))
        if equal:
            return Match(None, expected, _why(equal[0], self.now, counted), _RESTART)
        return Match(None, expected, shown(got))

    def _none(self, policy: HardwarePolicy) -> str:
        if self.now is None or not self.sets:
            return "no reference values"
        given = ", ".join(
            f"version {each.values.version} of {each.values.owner} "
            f"(key {each.signer.hex()[:_SHOWN_ID]})"
            for each in self.sets
        )
        keys = ", ".join(each.hex()[:_SHOWN_ID] for each in policy.reference_signers)
        least = policy.min_reference_version
        return f"{given}; the policy counts version {least} and later of key {keys}"


_BRING = "Give the reference values that the policy's owner names, in their last form."
_RESTART = "Start what a current value is of, then attest again."


def same(got: Field, wanted: str | int) -> bool:
    """Return whether a claim is a value: of one type; hex in either case."""
    if type(got) is not type(wanted):
        return False
    if isinstance(got, str) and isinstance(wanted, str):
        return got == wanted or (_is_hex(got) and got.lower() == wanted.lower())
    return got == wanted


def when(seconds: int) -> str:
    """Return a time in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def shown(value: Field) -> str:
    """Return a claim as findings write it."""
    if value is None:
        return "no such claim"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 128


def _is_hex(text: str) -> bool:
    return bool(text) and not set(text) - set("0123456789abcdefABCDEF")


def _counts(signed: SignedReferences, policy: HardwarePolicy) -> bool:
    return (
        signed.signer in policy.reference_signers
        and signed.values.version >= policy.min_reference_version
    )


def _short(value: ReferenceValue) -> str:
    return f"{shown(value.value)} ({value.artefact})"


def _several(values: list[ReferenceValue]) -> str:
    if not values:
        return "there is none at this time"
    rest = len(values) - _MAX_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(_short(each) for each in values[:_MAX_SHOWN]) + more


def _why(value: ReferenceValue, now: int, sets: list[SignedReferences]) -> str:
    owners = {each.signer: each.values.owner for each in sets}
    gone = value.withdrawn
    if gone is not None:
        key = gone.by.hex()[:_SHOWN_ID]
        by = f"{owners.get(gone.by, '')} (key {key})"
        why = f"withdrawn at {when(gone.at)} by {by}: {gone.reason}"
    elif value.state(now) == "expired":
        by = owners.get(value.approved_by, "")
        why = f"expired at {when(value.valid_until or 0)}, as {by} laid down"
    else:
        why = f"not valid before {when(value.valid_from)}"
    return f"{_short(value)}, {why}"
