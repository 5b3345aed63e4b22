# SPDX-License-Identifier: Apache-2.0
"""Claims by path: `measurements.mr_td`, `fields.pcrs.4`, `tcb.status`, `key`.

The same paths in policies, in reference values and in comparisons. Bytes are hex.
Names may have dots themselves ("pcr.4"): the longest name that exists counts.
"""

from collections.abc import Mapping

from strongroom.core.rats import HardwareClaims, Tcb
from strongroom.core.rats.hardware import Field

_SINGLE = ("format", "device", "bound", "bound_as", "debug", "issued_at", "key")


def tree(claims: HardwareClaims) -> dict[str, Field]:
    """Return the claims as a map of maps, without events and inner evidence."""
    found: dict[str, Field] = {"kind": claims.kind}
    found |= {name: _plain(getattr(claims, name)) for name in _SINGLE}
    found["tcb"] = _tcb(claims.tcb)
    found["measurements"] = {
        name: value.hex() for name, value in claims.measurements.items()
    }
    found["svns"] = dict(claims.svns)
    found["fields"] = dict(claims.fields)
    return found


def find(claims: HardwareClaims, path: str) -> Field:
    """Return the claim at `path`; None where there is none, or it says nothing."""
    found = _descend(tree(claims), path.split("."))
    return None if found == "" else found


def flat(value: Field, path: str = "") -> dict[str, Field]:
    """Return every single value in `value` by its path, in order."""
    if isinstance(value, Mapping) and value:
        items = list(value.items())
    elif isinstance(value, list) and value:
        items = [(str(index), each) for index, each in enumerate(value)]
    else:
        return {path: value}
    found: dict[str, Field] = {}
    for name, each in items:
        found |= flat(each, f"{path}.{name}" if path else name)
    return found


def _descend(value: Field, parts: list[str]) -> Field:
    if not parts:
        return value
    if isinstance(value, list):
        index = int(parts[0]) if parts[0].isdecimal() else len(value)
        return _descend(value[index], parts[1:]) if index < len(value) else None
    if not isinstance(value, dict):
        return None
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        if name in value:
            return _descend(value[name], parts[count:])
    return None


def _tcb(tcb: Tcb | None) -> Field:
    if tcb is None:
        return None
    advisories: list[Field] = [*tcb.advisories]
    return {"status": tcb.status, "advisories": advisories, "date": tcb.date}


def _plain(value: bytes | str | int | None) -> Field:
    return value.hex() if isinstance(value, bytes) else value
