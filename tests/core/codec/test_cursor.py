# SPDX-License-Identifier: Apache-2.0
"""The cursor: what it takes is what is there, and nothing is left unlooked at."""

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec.cursor import Cursor
from strongroom.errors import Malformed


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_parts_are_taken_in_order(parts: list[bytes]) -> None:
    cursor = Cursor(b"".join(parts), "test")
    assert [cursor.take(len(part)) for part in parts] == parts
    assert (cursor.left, cursor.position) == (0, sum(map(len, parts)))
    cursor.end()


def test_numbers_of_both_orders_and_the_rest() -> None:
    cursor = Cursor(b"\x01\x02\x01\x02rest", "test")
    assert (cursor.little(2), cursor.big(2)) == (0x0201, 0x0102)
    assert cursor.rest() == b"rest"
    assert cursor.rest() == b""


@given(st.binary(max_size=20), st.integers(-5, 40))
def test_more_than_there_is_is_malformed(data: bytes, n: int) -> None:
    cursor = Cursor(data, "a test")
    if 0 <= n <= len(data):
        assert cursor.take(n) == data[:n]
        return
    with pytest.raises(Malformed, match="a test"):
        cursor.take(n)
    assert cursor.position == 0


def test_bytes_that_nobody_took_are_malformed() -> None:
    cursor = Cursor(b"12", "test")
    cursor.take(1)
    with pytest.raises(Malformed, match="1 bytes too many"):
        cursor.end()
