# SPDX-License-Identifier: Apache-2.0
"""What differs between two pieces of evidence, or between two policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.rats import HardwareClaims, HardwareEvidence
from strongroom.core.rats.hardware import Field, LoggedEvent
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.services.attestation.claim_paths import flat, tree

_RULES = "rules"
_NOTHING: tuple[Field, ...] = (None, {}, [])
"""What a side has that says nothing; the same as if it were not there."""


@dataclass(frozen=True)
class Difference:
    """One path whose values differ; None where a side has no such path."""

    path: str
    left: Field
    right: Field

    @property
    def change(self) -> str:
        """Whether it was added, removed or changed, from left to right."""
        if self.left is None:
            return "added"
        return "removed" if self.right is None else "changed"


def diff_claims(left: HardwareClaims, right: HardwareClaims) -> tuple[Difference, ...]:
    """Return what differs between verified claims, inner evidence too.

    Of each register of the event logs the first event that differs is named: those
    after it follow from it, or would have to be compared one by one.
    """
    found = [
        *diff_trees(_tree(left), _tree(right)),
        *_events(left.events, right.events),
    ]
    for index in range(max(len(left.inner), len(right.inner))):
        sides = [each.inner[index : index + 1] for each in (left, right)]
        path = f"inner.{index}"
        if all(sides):
            inner = diff_claims(sides[0][0], sides[1][0])
            found += [
                Difference(f"{path}.{each.path}", each.left, each.right)
                for each in inner
            ]
        else:
            kinds = [side[0].kind if side else None for side in sides]
            found.append(Difference(path, kinds[0], kinds[1]))
    return tuple(found)


def diff_unverified(
    left: HardwareEvidence, right: HardwareEvidence
) -> tuple[Difference, ...]:
    """Return which parts of two unverified pieces of evidence differ, and where."""
    found = list(diff_trees({"kind": left.kind}, {"kind": right.kind}))
    for role in dict.fromkeys([*left.parts, *right.parts]):
        sides = [each.parts.get(role) for each in (left, right)]
        if sides[0] == sides[1]:
            continue
        shown = [_part(side, sides) for side in sides]
        found.append(Difference(f"parts.{role}", shown[0], shown[1]))
    return tuple(found)


def diff_policies(
    left: HardwarePolicy, right: HardwarePolicy
) -> tuple[Difference, ...]:
    """Return what differs between two policies; rules are told apart by their ids."""
    return diff_trees(_policy(left), _policy(right))


def diff_trees(
    left: Mapping[str, Field], right: Mapping[str, Field]
) -> tuple[Difference, ...]:
    """Return the paths whose values differ, in the order in which they stand."""
    one, other = (
        {path: each for path, each in flat(dict(side)).items() if each not in _NOTHING}
        for side in (left, right)
    )
    return tuple(
        Difference(path, one.get(path), other.get(path))
        for path in dict.fromkeys([*one, *other])
        if (path in one) != (path in other)
        or type(one[path]) is not type(other[path])
        or one[path] != other[path]
    )


def _tree(claims: HardwareClaims) -> dict[str, Field]:
    """Return claims by path; advisories by name, since their order says nothing."""
    found = tree(claims)
    if claims.tcb is not None:
        named: dict[str, Field] = dict.fromkeys(claims.tcb.advisories, True)
        found["tcb"] = {
            "status": claims.tcb.status,
            "advisories": named,
            "date": claims.tcb.date,
        }
    return found


def _events(
    left: Sequence[LoggedEvent], right: Sequence[LoggedEvent]
) -> list[Difference]:
    found = []
    for register in dict.fromkeys(event.register for event in (*left, *right)):
        one, other = (
            [event for event in events if event.register == register]
            for events in (left, right)
        )
        index = next(
            (
                number
                for number, (a, b) in enumerate(zip(one, other, strict=False))
                if a.digest != b.digest
            ),
            min(len(one), len(other)),
        )
        if index < max(len(one), len(other)):
            path = f"events.{register}.{index}"
            found.append(Difference(path, _event(one, index), _event(other, index)))
    return found


def _event(events: Sequence[LoggedEvent], index: int) -> Field:
    if index >= len(events):
        return None
    event = events[index]
    return f"{event.kind} {event.digest.hex()} {event.text}".strip()


def _part(part: bytes | None, sides: Sequence[bytes | None]) -> Field:
    if part is None:
        return None
    one, other = (side or b"" for side in sides)
    at = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    return f"{len(part)} bytes, different from byte {at} on"


def _policy(policy: HardwarePolicy) -> dict[str, Field]:
    value = {name: _field(each) for name, each in policy.to_value().items()}
    value[_RULES] = {rule.id: _field(rule.to_value()) for rule in policy.rules}
    value["not_checked"] = {
        f"{each.claim} of {', '.join(each.kinds) or 'every kind'}": each.reason
        for each in policy.not_checked
    }
    for name in ("kinds", "inner_kinds", "tcb_statuses", "reference_signers"):
        listed = value[name]
        if isinstance(listed, list):
            value[name] = {str(each): True for each in listed}
    return value


def _field(value: object) -> Field:
    """Return a value of a record as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Record):
        return _field(value.to_value())
    if isinstance(value, dict):
        return {str(name): _field(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_field(each) for each in value]
    return value if isinstance(value, str | int | bool | None) else str(value)
