# SPDX-License-Identifier: Apache-2.0
"""Hardware policies as people write them: TOML (docs/reference/policy.md).

An unknown key, a check too many and a date without a zone are refused, since a typing
error must not open a policy.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from typing import get_args

from strongroom.core.rats.hardware_policy import (
    ACCEPTED_TCB,
    Check,
    ClaimRule,
    HardwarePolicy,
    NotChecked,
    Scalar,
    TcbException,
)
from strongroom.errors import Malformed

_CHECKS: tuple[Check, ...] = get_args(Check)
_MANY = ("one_of", "none_of")
_MAX_BYTES, _MAX_INT = 1 << 20, 1 << 64

Table = Mapping[str, object]


def read_policy(data: bytes) -> HardwarePolicy:
    """Return the policy in a file: TOML, or the record that a policy is.

    Raises:
        Malformed: says where it is wrong.
    """
    if len(data) > _MAX_BYTES:
        message = f"a policy file has at most {_MAX_BYTES} bytes"
        raise Malformed(message)
    try:
        return _policy(tomllib.loads(data.decode()))
    except (ValueError, RecursionError) as error:
        if HardwarePolicy.TYPE.encode() in data:
            return HardwarePolicy.from_bytes(data)
        message = f"not a policy in TOML: {error}"
        raise Malformed(message) from error


def _policy(table: Table) -> HardwarePolicy:
    known = {
        "owner",
        "kinds",
        "inner_kinds",
        "tcb_statuses",
        "tcb_exception",
        "rule",
        "not_checked",
        "reference_signers",
        "min_reference_version",
    }
    _only(table, known, "policy")
    return HardwarePolicy(
        owner=_text(table, "owner", "policy"),
        kinds=_texts(table, "kinds", "policy"),
        inner_kinds=_texts(table, "inner_kinds", "policy"),
        tcb_statuses=_texts(table, "tcb_statuses", "policy")
        if "tcb_statuses" in table
        else ACCEPTED_TCB,
        tcb_exceptions=tuple(
            _exception(each) for each in _tables(table, "tcb_exception")
        ),
        rules=tuple(_rule(each) for each in _tables(table, "rule")),
        not_checked=tuple(_open(each) for each in _tables(table, "not_checked")),
        reference_signers=tuple(
            _key_id(each) for each in _texts(table, "reference_signers", "policy")
        ),
        min_reference_version=_number(table, "min_reference_version", "policy"),
    )


def _rule(table: Table) -> ClaimRule:
    where = f"rule {table.get('id', '?')}"
    _only(table, {"id", "kinds", "claim", "remedy", *_CHECKS}, where)
    checks = [name for name in _CHECKS if name in table]
    if len(checks) != 1:
        message = f"{where}: one check of {', '.join(_CHECKS)}, not {len(checks)}"
        raise Malformed(message)
    check = checks[0]
    given = table[check]
    if isinstance(given, list) != (check in _MANY):
        message = f"{where}: {check} has {'a list' if check in _MANY else 'one value'}"
        raise Malformed(message)
    items = given if isinstance(given, list) else [given]
    return ClaimRule(
        id=_text(table, "id", where),
        kinds=_texts(table, "kinds", where),
        claim=_text(table, "claim", where),
        check=check,
        values=tuple(_scalar(each, where) for each in items),
        remedy=_text(table, "remedy", where, optional=True),
    )


def _open(table: Table) -> NotChecked:
    where = "not_checked"
    _only(table, {"kinds", "claim", "reason"}, where)
    return NotChecked(
        kinds=_texts(table, "kinds", where),
        claim=_text(table, "claim", where),
        reason=_text(table, "reason", where),
    )


def _exception(table: Table) -> TcbException:
    where = "tcb_exception"
    _only(table, {"kinds", "statuses", "advisories", "until", "reason"}, where)
    until = _scalar(table.get("until"), f"{where}.until")
    if not isinstance(until, int) or isinstance(until, bool):
        message = f"{where}: until is a moment, such as 2027-01-31T00:00:00Z"
        raise Malformed(message)
    return TcbException(
        kinds=_texts(table, "kinds", where),
        statuses=_texts(table, "statuses", where),
        advisories=_texts(table, "advisories", where),
        until=until,
        reason=_text(table, "reason", where),
    )


def _only(table: Table, known: set[str], where: str) -> None:
    odd = sorted(set(table) - known)
    if odd:
        message = f"{where}: unknown keys: {', '.join(odd)}"
        raise Malformed(message)


def _text(table: Table, name: str, where: str, *, optional: bool = False) -> str:
    value = table.get(name, "" if optional else None)
    if not isinstance(value, str):
        message = f"{where}: {name} is a text"
        raise Malformed(message)
    return value


def _texts(table: Table, name: str, where: str) -> tuple[str, ...]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        message = f"{where}: {name} is a list of texts"
        raise Malformed(message)
    return tuple(value)


def _number(table: Table, name: str, where: str) -> int:
    value = table.get(name, 0)
    if type(value) is not int or value < 0:
        message = f"{where}: {name} is a number"
        raise Malformed(message)
    return value


def _tables(table: Table, name: str) -> list[Table]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        message = f"policy: {name} is written [[{name}]]"
        raise Malformed(message)
    return list(value)


def _scalar(value: object, where: str) -> Scalar:
    """Return a value; of a date with time and zone its Unix seconds."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return int(value.timestamp())
    if isinstance(value, str) or (isinstance(value, int) and abs(value) < _MAX_INT):
        return value
    message = f"{where}: a text, a number, true or false, or a date with its zone"
    raise Malformed(message)


def _key_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        message = "policy: reference_signers are key ids in hex"
        raise Malformed(message) from error
