# SPDX-License-Identifier: Apache-2.0
"""What a case folder expects beside its verdict."""

import json
from pathlib import Path

_ALSO: dict[str, set[str]] = {
    "chain": {"root", "signature"},
    "root": {"chain", "signature"},
    "signature": {"chain", "binding"},
    "tcb_revoked": {"revoked"},
}
"""Reasons that are as true: a chain that ends nowhere has no trusted root either."""

_PROSE = "binding"
"""A sentence about the evidence, not a field of it."""


def expected_reason(folder: Path) -> set[str]:
    """Return the reasons that fit the case; {""} for a valid one."""
    expected = _expected(folder)
    reason = str(expected.get("reason", ""))
    return {reason} | _ALSO.get(reason, set())


def expected_fields(folder: Path) -> dict[str, object]:
    """Return the fields of the evidence; none where the case alters the evidence."""
    case = json.loads((folder / "case.json").read_bytes())
    if case.get("derived_from"):
        return {}
    fields = _expected(folder).get("fields", {})
    assert isinstance(fields, dict)
    return {name: value for name, value in fields.items() if name != _PROSE}


def _expected(folder: Path) -> dict[str, object]:
    expected = json.loads((folder / "case.json").read_bytes())["expected"]
    assert isinstance(expected, dict)
    return expected
