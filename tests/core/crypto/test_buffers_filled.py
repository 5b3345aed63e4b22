# SPDX-License-Identifier: Apache-2.0
"""Bytes that are written once, into memory that they keep."""

import tracemalloc

import pytest

from strongroom.core.crypto.buffers import filled

MIB = 1 << 20


@pytest.mark.parametrize("length", [0, 1, 17, MIB])
def test_what_was_written_comes_out(length: int) -> None:
    def write(view: memoryview) -> None:
        assert view.nbytes == length
        assert bytes(view) == bytes(length)
        view[:] = b"\x05" * length

    assert filled(length, write) == b"\x05" * length


def test_what_was_left_out_is_zero() -> None:
    def write(view: memoryview) -> None:
        view[1] = 9

    assert filled(4, write) == b"\0\x09\0\0"


def test_there_is_no_second_copy() -> None:
    tracemalloc.start()
    try:
        made = filled(8 * MIB, lambda view: view[:1])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(made) == 8 * MIB
    assert most < 9 * MIB


def test_what_a_failed_write_left_does_not_come_out() -> None:
    def write(view: memoryview) -> None:
        view[0] = 1
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        filled(4, write)


def test_a_view_that_outlives_the_call_changes_nothing() -> None:
    kept: list[memoryview] = []
    made = filled(4, kept.append)
    with pytest.raises(ValueError, match="released"):
        kept[0][0] = 1
    assert made == bytes(4)
