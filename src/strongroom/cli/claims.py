# SPDX-License-Identifier: Apache-2.0
"""Unverified evidence as names and values: EAT labels by name, CBOR opened up."""

from collections.abc import Mapping

from strongroom.cli.views import iso
from strongroom.core.codec import cbor, cose
from strongroom.core.rats import Evidence
from strongroom.core.rats.eat import DEBUG_ENABLED, Label
from strongroom.errors import Malformed

Claims = dict[str, object]
_LABELS = {label.value: label.name.lower().replace("_", "-") for label in Label}


def explained(evidence: Evidence) -> dict[str, object]:
    """Return what platform and app evidence say; both are UNVERIFIED."""
    app = _statement(evidence.app) if evidence.app else {}
    return {"platform": _platform(evidence.platform), "app": app}


def _platform(data: bytes) -> Claims:
    """Open a statement, or a record that carries one with its chain."""
    try:
        value = cbor.decode(data)
    except Malformed:
        return _statement(data)
    match value:
        case {
            "type": str() as kind,
            "token": bytes() as token,
            "chain": list() as chain,
        }:
            return {"format": kind, "certificates": len(chain), **_statement(token)}
        case _:
            return {"bytes": len(data)}


def _statement(data: bytes) -> Claims:
    try:
        statement = cose.Sign1.parse(data)
        claims = cbor.decode(statement.payload)
    except Malformed:
        return {"bytes": len(data)}
    if not isinstance(claims, Mapping):
        return {"bytes": len(data)}
    return {
        "signed as": statement.typ,
        "signed by key": statement.key_id.hex(),
        "suite": statement.suite_id,
        **{_name(label): _claim(label, value) for label, value in claims.items()},
    }


def _name(label: object) -> str:
    return _LABELS.get(label, str(label)) if isinstance(label, int) else str(label)


def _claim(label: object, value: object) -> object:
    if label == Label.IAT and isinstance(value, int):
        return iso(value)
    if label == Label.DBGSTAT:
        return "on" if value == DEBUG_ENABLED else "off"
    if label == Label.MEASUREMENTS and isinstance(value, list):
        return _registers(value)
    return value.hex() if isinstance(value, bytes) else value


def _registers(measurements: list[object]) -> object:
    """Return registers by name, each with its value and the events that led to it."""
    match measurements:
        case [[int(), bytes() as content]]:
            rows = cbor.decode(content)
        case _:
            return str(measurements)
    found: Claims = {}
    for row in rows if isinstance(rows, list) else []:
        match row:
            case [int(), str() as name, bytes() as value, list() as events]:
                found[name] = {"value": value.hex(), "events": _events(events)}
            case _:
                found[str(len(found))] = str(row)
    return found


def _events(events: list[object]) -> Claims:
    found: Claims = {}
    for event in events:
        match event:
            case [str() as name, bytes() as digest]:
                found[name] = digest.hex()
            case _:
                found[str(len(found))] = str(event)
    return found
