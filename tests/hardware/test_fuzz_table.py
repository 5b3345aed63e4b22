# SPDX-License-Identifier: Apache-2.0
"""The fuzzing table: complete, and each of its parsers really takes any bytes.

A short run of a million executions is `python -m fuzz.run`; here each parser gets its
own inputs, whole and cut, so that a parser that has moved is noticed at once.
"""

import ast
import io
import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from fuzz.formats import ROLES
from fuzz.table import TARGETS
from fuzz.targets import look
from strongroom.errors import StrongroomError

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = ("hardware", "core/codec", "core/crypto", "core/rats", "services")
"""Whatever reads evidence, endorsements, results and policies."""

READS = ("parse", "read", "decode")
THROUGH_OTHERS = {
    "strongroom.core.codec.foreign_cose:point_key": "foreign-key",
    "strongroom.core.rats.statement:Profile.decode": "platform-statement",
    "strongroom.hardware.dcap.documents:read_signed": "tcb-info",
    "strongroom.hardware.tcg.measured_boot:read_event_log": "event-log",
    "strongroom.hardware.tpm2.collateral:read_certified": "x509-certificate",
}
"""Parsers that another target calls with the bytes as they are."""

_SNAPSHOT = "strongroom.services.storage.views:Snapshot"
NO_PARSERS = {f"{_SNAPSHOT}.{name}" for name in ("read", "read_start", "read_into")}
"""Their bytes are the key of a block, not a block."""


def nested(name: str) -> bytes:
    """Return JSON that is nested deeper than Python reads."""
    return b'{"%s": %s}' % (name.encode(), b"[" * 100_000 + b"]" * 100_000)


def table(*columns: tuple[str, list[object]]) -> bytes:
    """Return an app's result, in Arrow's format."""
    names, values = zip(*columns, strict=True)
    found = pa.table([pa.array(each) for each in values], names=list(names))
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, found.schema) as writer:
        writer.write_table(found)
    return b"\1" + stream.getvalue()


def random_answers(size: int) -> bytes:
    """Return a TPM's answers to a command for 32 random bytes, `size` bytes each."""
    answer = struct.pack(">HIIH", 0x8001, 12 + size, 0, size) + bytes(size)
    return b"\x0a" + (len(answer).to_bytes(2, "big") + answer) * 8


BIGNUM = b"\xc2\x59\x08\x00" + b"\xff" * 2048
DIGITS = b"9" * 5000
ABROAD = json.dumps(
    {
        "case": "a",
        "tee": "tdx",
        "evidence": {},
        "endorsements": {"trust_anchor": "/dev/zero"},
        "verification_time": "2025-01-01",
    }
).encode()
FOUND = [
    ("app-output", b'\0[{"a": "\\ud800", "n": 3}]'),
    ("app-output", table(("a", [["nested"]]), ("n", [3]))),
    ("app-output", table(("n", [3]), ("n", [3]))),
    ("case-file", nested("case")),
    ("case-file", ABROAD),
    ("cbor", BIGNUM),
    ("endorsement", bytes([ROLES.index("tcb_info")]) + nested("tcbInfo")),
    ("endorsement", bytes([ROLES.index("qe_identity")]) + nested("enclaveIdentity")),
    ("error-report", b"\xa1\x65error" + BIGNUM),
    ("policy-file", b"min_reference_version = " + DIGITS),
    ("policy-file", b"min_reference_version = 0x" + DIGITS),
    ("sources-file", b"enabled = " + b"[" * 10_000 + b"]" * 10_000),
    ("sources-file", b"enabled = " + DIGITS),
    ("tile-path", b"tile/0/" + b"x001/" * 2000 + b"001"),
    ("tpm-answers", random_answers(0)),
    ("tpm-answers", random_answers(33)),
    ("tsm-report", b"\0\0".join((DIGITS, b"report", b"", b"sev_guest", b"2"))),
]
"""Target and input; each was an error of Python's, or no end, when it was found."""


def parsers(body: list[ast.stmt], above: str) -> Iterator[str]:
    """Yield the public functions that read a parameter of type bytes."""
    for each in body:
        if isinstance(each, ast.ClassDef):
            yield from parsers(each.body, f"{above}{each.name}.")
        if isinstance(each, ast.FunctionDef) and each.name.startswith(READS):
            hints = [ast.unparse(a.annotation) for a in each.args.args if a.annotation]
            if "bytes" in hints:
                yield f"{above}{each.name}"


def test_every_parser_of_bytes_is_fuzzed() -> None:
    found = {
        f"{'.'.join(file.relative_to(SOURCE).with_suffix('').parts)}:{name}"
        for package in PACKAGES
        for file in (SOURCE / "strongroom" / package).rglob("*.py")
        for name in parsers(ast.parse(file.read_text("utf-8")).body, "")
    }
    fuzzed = {each.parser for each in TARGETS.values()}
    assert len(found) >= 40
    assert found >= NO_PARSERS
    assert found - fuzzed - THROUGH_OTHERS.keys() - NO_PARSERS == set()
    assert set(THROUGH_OTHERS.values()) <= TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_in_the_table_takes_any_bytes(name: str) -> None:
    parse = TARGETS[name].load()
    for data in [b"", bytes(64), *TARGETS[name].seeds()][:20]:
        for part in (data, data[: len(data) // 2], data + b"\0", data[::-1]):
            with suppress(StrongroomError):
                look(parse(part))


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_once_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(StrongroomError):
        TARGETS[name].load()(data)
