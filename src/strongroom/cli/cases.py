# SPDX-License-Identifier: Apache-2.0
"""Folders of attestation cases: evidence, endorsements, and what is expected of them.

The layout is in docs/reference/cases.md: a folder with `case.json` beside the files
that it names. case_results.py says what verification makes of them.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from strongroom.core.codec.layout import NOT_LAID_OUT
from strongroom.core.rats import Endorsements, HardwareEvidence
from strongroom.core.rats.hardware import Reason
from strongroom.errors import Malformed
from strongroom.hardware.refusal import refuse

FILE = "case.json"
_ANCHOR = "trust_anchor"
_BOUND = ("report_data", "nonce", "realm_challenge")
_FILE_NAME = re.compile(r"[\w.-]+\.[A-Za-z]\w{1,7}", re.ASCII)
"""What is the name of a file and no plain value, whether there is one or not."""


@dataclass(frozen=True)
class Case:
    """One case as its folder has it; `bound` and `expected` are None if not given."""

    name: str
    tee: str
    evidence: HardwareEvidence
    endorsements: Endorsements
    time: int
    bound: bytes | None
    expected: str | None


def find_cases(folder: Path) -> Iterator[Path]:
    """Yield the case folders in `folder`, itself included, by name, each once.

    Links to folders are followed.

    Raises:
        OSError: a folder cannot be listed.
    """
    if folder.is_file():
        if folder.name == FILE:
            yield folder.parent
        return
    seen: set[str] = set()
    for here, below, files in os.walk(folder, onerror=_raise, followlinks=True):
        below.sort()
        if (real := os.path.realpath(here)) in seen:
            below.clear()
            continue
        seen.add(real)
        if FILE in files:
            yield Path(here)


def read_case(folder: Path) -> Case:
    """Read the case in `folder`.

    Raises:
        Malformed: it is not laid out as a case, or lacks a file of its evidence.
        Untrusted: an endorsement that it names is not there.
        OSError: a file cannot be read.
    """
    try:
        case: dict[str, dict[str, object]] = json.loads((folder / FILE).read_bytes())
        return _case(folder, case)
    except NOT_LAID_OUT as error:
        message = f"{folder}: not a case: {error!r}"
        raise Malformed(message) from error


def _raise(error: OSError) -> NoReturn:
    raise error


def expected_verdict(case: Mapping[str, object]) -> str | None:
    """Return the verdict that `case` expects, or None if it does not say."""
    expected = case.get("expected")
    found = expected.get("verdict") if isinstance(expected, dict) else None
    return None if found is None else str(found)


def _case(folder: Path, case: dict[str, dict[str, object]]) -> Case:
    tee = str(case["tee"])
    documents = {
        role: tuple(
            _file(folder, str(name), tee, "missing_endorsement", role)
            for name in (value if isinstance(value, list) else [value])
        )
        for role, value in case["endorsements"].items()
    }
    parts = {
        role: _part(folder, tee, role, str(name))
        for role, name in case["evidence"].items()
    }
    return Case(
        name=str(case["case"]),
        tee=tee,
        evidence=HardwareEvidence(tee, parts),
        endorsements=Endorsements(documents.pop(_ANCHOR, ()), (), documents),
        time=_moment(str(case["verification_time"])),
        bound=_bound(case.get("inputs", {})),
        expected=expected_verdict(case),
    )


def _bound(inputs: Mapping[str, object]) -> bytes | None:
    """Return what the evidence must have bound, or None if nothing is asked for."""
    if not inputs:
        return None
    (name, value), *more = inputs.items()
    if more or name not in _BOUND or not isinstance(value, str):
        message = f"inputs is one of {', '.join(_BOUND)}, in hex, not {inputs}"
        raise ValueError(message)
    return bytes.fromhex(value)


def _moment(text: str) -> int:
    found = datetime.fromisoformat(text)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def _part(folder: Path, tee: str, role: str, name: str) -> bytes:
    """Return the file of that name, or the value itself where it is no file's."""
    if _FILE_NAME.fullmatch(name) is None and not _is_file(folder / name):
        return name.encode()
    return _file(folder, name, tee, "format", role)


def _file(folder: Path, name: str, tee: str, reason: Reason, role: str) -> bytes:
    """Return a file that a case names; without it, `reason` and `role` are wrong."""
    try:
        return _beside(folder, name).read_bytes()
    except FileNotFoundError as error:
        raise refuse(
            tee,
            reason,
            role,
            expected=f"the file {name} that case.json names",
            got="no such file",
        ) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a text too long to be a name


def _beside(folder: Path, name: str) -> Path:
    """Return the file of that name; a case has no say about files elsewhere."""
    file = folder / name
    if file.resolve().parent != folder.resolve():
        message = f"a case names files of its own folder, not {name}"
        raise ValueError(message)
    return file
