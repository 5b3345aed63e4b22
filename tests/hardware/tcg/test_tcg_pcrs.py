# SPDX-License-Identifier: Apache-2.0
"""Values of registers in the forms that software writes them."""

from struct import pack

import pytest

from strongroom.errors import Malformed
from strongroom.hardware.tcg.pcrs import read_json, read_serialized
from tests.hardware.tcg.forge import digest_list, selection_list


def value(index: int) -> bytes:
    return bytes([index]) * 32


def test_registers_are_read_by_bank_and_index() -> None:
    data = b'{"sha256": {"0": "00ff", "23": ""}, "sm3_256": {"1": "aa"}, "sha1": {}}'

    assert read_json(data, "pcrs") == {
        "sha256": {0: b"\x00\xff", 23: b""},
        "sm3": {1: b"\xaa"},
        "sha1": {},
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 50_000,
        b" " * 70_000,
        b'{"md5": {}}',
        b'{"sha256": []}',
        b'{"sha256": {"0": 0}}',
        b'{"sha256": {"00": ""}}',
        b'{"sha256": {"-1": ""}}',
        b'{"sha256": {"32": ""}}',
        b'{"sha256": {"0": "0"}}',
        b'{"sha256": {"0": "", "0": ""}}',
        b'{"sha256": {}, "sha256": {}}',
    ],
    ids=lambda data: str(data[:24]),
)
def test_other_json_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_json(data, "pcrs")


def test_what_tpm2_tools_write_is_read() -> None:
    ten = tuple(range(10))
    banks = selection_list((0x0B, 3, ten), (0x0C, 3, (4,)))
    head, tail = [value(n) for n in range(8)], [value(8), value(9), b"\4" * 48]
    blob = banks + pack("<I", 2) + digest_list(*head) + digest_list(*tail)

    assert read_serialized(blob, "blob") == {
        "sha256": {n: value(n) for n in ten},
        "sha384": {4: b"\4" * 48},
    }


ONE = selection_list((0x0B, 3, (0,)))


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        ONE,
        ONE + pack("<I", 1),
        ONE + pack("<I", 1) + digest_list(value(0)) + b"\0",
        ONE + pack("<I", 2) + digest_list(value(0)),
        ONE + pack("<I", 1) + digest_list(value(0), value(1)),
        ONE + pack("<I", 1) + digest_list(),
        ONE + pack("<I", 1) + digest_list(value(0), count=9),
        ONE + pack("<I", 1) + digest_list(bytes(65))[: 4 + 8 * 66],
        selection_list(count=17) + pack("<I", 1) + digest_list(value(0)),
        selection_list((0x27, 3, (0,))) + pack("<I", 1) + digest_list(value(0)),
        selection_list((0x0B, 5, (0,))) + pack("<I", 1) + digest_list(value(0)),
        selection_list((0x0B, 3, (0,)), (0x0B, 3, (0,)))
        + pack("<I", 1)
        + digest_list(value(0), value(0)),
        selection_list() + pack("<I", 70) + digest_list() * 70,
    ],
)
def test_structures_that_do_not_fit_are_refused(blob: bytes) -> None:
    with pytest.raises(Malformed):
        read_serialized(blob, "blob")
