# SPDX-License-Identifier: Apache-2.0
"""CBOR of other people: every valid form is read, whatever else is refused."""

import cbor2
import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec import foreign_cbor
from strongroom.core.codec.foreign_cbor import Tag, decode
from strongroom.errors import Malformed

SCALARS = (
    st.integers(-(2**64), 2**64 - 1)
    | st.text(max_size=40)
    | st.binary(max_size=300)
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
)
KEYS = st.integers(-(2**63), 2**63) | st.text(max_size=10) | st.binary(max_size=10)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_an_encoder_writes_is_read(value: object) -> None:
    assert decode(cbor2.dumps(value)) == value


@given(VALUES, st.integers(1, 9))
def test_no_part_of_an_item_is_one(value: object, cut: int) -> None:
    data = cbor2.dumps(value)
    with pytest.raises(Malformed):
        decode(data[: max(0, len(data) - cut)])
    with pytest.raises(Malformed):
        decode(data + b"\0")


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_malformed(data: bytes, indefinite: bool) -> None:  # noqa: FBT001
    try:
        decode(data, indefinite=indefinite)
    except Malformed:
        return


def test_a_tag_is_kept_and_a_number_may_be_wider_than_it_needs() -> None:
    assert decode(b"\xd2\x81\x1b\0\0\0\0\0\0\0\x07") == Tag(18, [7])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("a201020103", "twice"),
        ("a2010218010003", "twice"),
        ("a1f401", "a key that is no"),
        ("a1f93c0001", "a key that is no"),
        ("a18001", "a key that is no"),
        ("1c", "a reserved length"),
        ("f8ff", "simple value"),
        ("ff", "simple value"),
        ("9f01ff", "without its length"),
        ("61ff", "UTF-8"),
        ("9b7fffffffffffffff", "cut short"),
        ("bb7fffffffffffffff", "cut short"),
        ("5b7fffffffffffffff00", "cut short"),
        ("81" * 20 + "00", "nested too deep"),
        ("d2" * 20 + "00", "nested too deep"),
    ],
)
def test_what_is_not_valid_is_malformed(data: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        decode(bytes.fromhex(data), "this")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("9f0102ff", [1, 2]),
        ("bf01020304ff", {1: 2, 3: 4}),
        ("5f41014202035801ffff", b"\x01\x02\x03\xff"),
        ("7f61616162ff", "ab"),
    ],
)
def test_items_that_end_with_a_break_are_read_where_allowed(
    data: str, value: object
) -> None:
    assert decode(bytes.fromhex(data), indefinite=True) == value
    with pytest.raises(Malformed):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    "data", ["bf0102", "bf01020103ff", "5f6161ff", "5f5f4101ffff", "1f", "9f" * 20]
)
def test_items_that_end_wrongly_are_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(data), indefinite=True)


def test_more_than_a_token_can_have_is_malformed() -> None:
    with pytest.raises(Malformed, match="more than"):
        decode(bytes(foreign_cbor.MAX_BYTES + 1))
