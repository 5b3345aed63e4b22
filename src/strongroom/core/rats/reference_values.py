# SPDX-License-Identifier: Apache-2.0
"""Reference values with provenance and a life cycle: added, superseded, withdrawn.

A set is one signed file of one approver. Every change makes the next version, which
names the digest of the one before. Nothing is ever deleted: a value that ended or was
withdrawn stays, so that a refusal can say who ended it, when and why.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record, peek_record, sign_record
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats.hardware_policy import MAX_TIME, Scalar
from strongroom.errors import Conflict, Malformed, NotFound

MAX_VALUES = 4096
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEY_ID_BYTES = 32

State = Literal["valid", "not yet valid", "expired", "withdrawn"]


@dataclass(frozen=True, kw_only=True)
class Withdrawal(Record):
    """That a value counts no more: from at once, whatever time an appraisal is for."""

    by: bytes
    at: int
    reason: str

    def __post_init__(self) -> None:
        timed = 0 <= self.at <= MAX_TIME
        if len(self.by) != _KEY_ID_BYTES or not timed or not self.reason.strip():
            message = "a withdrawal says by whom, when and why"
            raise Malformed(message)


@dataclass(frozen=True, kw_only=True)
class ReferenceValue(Record):
    """One value that a claim may have.

    Args:
        name: what policies call it: "payroll-vm"; several values may have one name.
        claim: path of the claim that it is a value of.
        value: bytes are lower-case hex.
        kinds: kinds of hardware that it is for; none: every kind.
        provider: who made the thing that is measured, in words.
        artefact: what the value was computed from, or how it was learnt.
        approved_by: id of the key of who approved it.
        approved_at: Unix seconds.
        valid_from: Unix seconds, inclusive.
        valid_until: Unix seconds, exclusive; None where no end is known.
        withdrawn: by whom, when and why, where it is.
    """

    name: str
    claim: str
    value: Scalar
    kinds: tuple[str, ...] = ()
    provider: str
    artefact: str
    approved_by: bytes
    approved_at: int
    valid_from: int
    valid_until: int | None = None
    withdrawn: Withdrawal | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not self.claim:
            message = "a reference value has a lower-case name and a claim"
            raise Malformed(message)
        if isinstance(self.value, str) and self.value != self.value.lower():
            message = f"reference value {self.name}: hex is written in lower case"
            raise Malformed(message)
        if not self.provider or len(self.approved_by) != _KEY_ID_BYTES:
            message = f"reference value {self.name}: say who provides and approves it"
            raise Malformed(message)
        end = MAX_TIME if self.valid_until is None else self.valid_until
        if not 0 <= self.valid_from < end <= MAX_TIME:
            message = f"reference value {self.name}: it ends before it begins"
            raise Malformed(message)

    def state(self, now: int) -> State:
        """Return what the value counts for at `now`, Unix seconds."""
        if self.withdrawn is not None:
            return "withdrawn"
        if now < self.valid_from:
            return "not yet valid"
        if self.valid_until is not None and now >= self.valid_until:
            return "expired"
        return "valid"

    def concerns(self, kind: str) -> bool:
        """Whether it is for hardware of this kind."""
        return not self.kinds or kind in self.kinds

    @property
    def key(self) -> tuple[str, str, Scalar, tuple[str, ...]]:
        """What tells two values apart; true and 1 are not the same."""
        value = f"bool {self.value}" if isinstance(self.value, bool) else self.value
        return (self.name, self.claim, value, self.kinds)


@dataclass(frozen=True, kw_only=True)
class ReferenceValueSet(Record):
    """All values of one approver; `owner` are the approver's words for themselves.

    `previous` is the digest of the version before, b"" in version 1.
    """

    TYPE = "strongroom/reference-value-set/v1"

    owner: str
    signer: PublicKey
    version: int
    previous: bytes
    issued_at: int
    values: tuple[ReferenceValue, ...]

    def __post_init__(self) -> None:
        first = self.version == 1
        if not self.owner or self.version < 1 or first == bool(self.previous):
            message = "a set has an owner, and each version names the one before"
            raise Malformed(message)
        if len(self.values) > MAX_VALUES:
            message = f"a set has at most {MAX_VALUES} values"
            raise Malformed(message)
        if len({each.key for each in self.values}) != len(self.values):
            message = "a set has each value once"
            raise Malformed(message)
        signer = self.signer.key_id
        named = {each.approved_by for each in self.values}
        named |= {each.withdrawn.by for each in self.values if each.withdrawn}
        if named - {signer}:
            message = "whoever approves or withdraws a value signs the set"
            raise Malformed(message)


@dataclass(frozen=True)
class SignedReferences:
    """A set whose signature holds; made by `open_references` only.

    Whether its signer is one to trust is for a policy to say.
    """

    values: ReferenceValueSet
    signer: bytes


def first_version(
    owner: str, signer: PublicKey, values: Iterable[ReferenceValue], now: int
) -> ReferenceValueSet:
    """Return version 1 of a set."""
    return ReferenceValueSet(
        owner=owner,
        signer=signer,
        version=1,
        previous=b"",
        issued_at=now,
        values=tuple(values),
    )


def add(old: ReferenceValueSet, value: ReferenceValue, now: int) -> ReferenceValueSet:
    """Return the next version, with one more value.

    Raises:
        Conflict: the set has it, perhaps withdrawn: a withdrawn value stays so.
    """
    found = next((each for each in old.values if each.key == value.key), None)
    if found is not None:
        message = f"{value.name} has this value already; it is {found.state(now)}"
        raise Conflict(message)
    return _next(old, (*old.values, value), now)


def supersede(
    old: ReferenceValueSet, new: ReferenceValue, until: int, now: int
) -> ReferenceValueSet:
    """Return the next version: `new` is accepted, what it replaces until `until`.

    Every value of the same name, claim and kinds ends then; one that ends sooner or was
    withdrawn stays as it is.

    Raises:
        NotFound: there is nothing of this name and claim to replace.
        Conflict: the set has `new` already, or an old value would end before it began.
    """
    replaced = [each for each in old.values if _same_subject(each, new)]
    if not replaced:
        message = f"no value {new.name} of {new.claim} to supersede"
        raise NotFound(message)
    if any(each.valid_from >= until for each in replaced if not each.withdrawn):
        message = f"a value of {new.name} begins after the old ones are to end"
        raise Conflict(message)
    added = add(old, new, now)
    ended = (_ended(each, until) if each in replaced else each for each in old.values)
    return replace(added, values=(*ended, new))


def withdraw(
    old: ReferenceValueSet, name: str, value: Scalar | None, reason: str, now: int
) -> ReferenceValueSet:
    """Return the next version, in which a value counts no more.

    Args:
        old: the version before.
        name: of the values.
        value: which one; None: all of that name.
        reason: for whoever is refused because of it.
        now: Unix seconds.

    Raises:
        NotFound: no such value that is not withdrawn already.
    """
    done = Withdrawal(by=old.signer.key_id, at=now, reason=reason)
    wanted = [
        each
        for each in old.values
        if each.name == name and each.withdrawn is None and value in (None, each.value)
    ]
    if not wanted:
        message = f"no value of {name} to withdraw"
        raise NotFound(message)
    values = (
        replace(each, withdrawn=done) if each in wanted else each for each in old.values
    )
    return _next(old, tuple(values), now)


def sign_references(key: SigningKey, values: ReferenceValueSet) -> bytes:
    """Return the file of a set; `open_references` is the inverse.

    Raises:
        Malformed: `key` is not the one that the set names.
    """
    if key.public.key_id != values.signer.key_id:
        message = "a set of reference values is signed by the signer it names"
        raise Malformed(message)
    return sign_record(key, values)


def open_references(data: bytes) -> SignedReferences:
    """Return the set in a file, known to be signed by the key that it names.

    Raises:
        Malformed: not a signed set.
        Untrusted: not signed by that key.
    """
    claimed, _ = peek_record(ReferenceValueSet, data)
    values = open_record(ReferenceValueSet, data, claimed.signer.verifying())
    return SignedReferences(values, values.signer.key_id)


def _next(
    old: ReferenceValueSet, values: tuple[ReferenceValue, ...], now: int
) -> ReferenceValueSet:
    return replace(
        old,
        version=old.version + 1,
        previous=suite(old.signer.suite).digest(old.to_bytes()),
        issued_at=max(now, old.issued_at),
        values=values,
    )


def _same_subject(one: ReferenceValue, other: ReferenceValue) -> bool:
    return (one.name, one.claim, one.kinds) == (other.name, other.claim, other.kinds)


def _ended(value: ReferenceValue, until: int) -> ReferenceValue:
    ends_sooner = value.valid_until is not None and value.valid_until <= until
    if value.withdrawn or ends_sooner:
        return value
    return replace(value, valid_until=until)
