# SPDX-License-Identifier: Apache-2.0
"""Maps that are in order already are written as they stand: the bytes are the same."""

import cbor2
import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec import cbor
from strongroom.errors import Malformed

KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=40)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6)
    ),
    max_leaves=16,
)


def sorted_form(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


@given(value=VALUES)
def test_every_value_is_written_as_if_it_had_been_sorted(value: object) -> None:
    data = cbor.encode(value)
    assert data == sorted_form(value)
    in_order = cbor.decode(data)
    assert cbor.encode(in_order) == data


@given(value=st.dictionaries(KEYS, SCALARS, min_size=2, max_size=6))
def test_a_map_in_any_other_order_is_refused(value: dict[object, object]) -> None:
    as_it_stands = cbor2.dumps(value)
    for _ in range(2):  # the order of its keys is remembered the second time
        if as_it_stands == sorted_form(value):
            assert cbor.encode(cbor.decode(as_it_stands)) == as_it_stands
        else:
            with pytest.raises(Malformed, match="deterministic"):
                cbor.decode(as_it_stands)


def test_keys_stand_as_in_the_example_of_rfc_8949_section_4_2_3() -> None:
    value = dict.fromkeys(("aa", 100, "z", -1, 10))
    assert cbor.encode(value).hex() == "a5" + "".join(
        key + "f6" for key in ("0a", "20", "1864", "617a", "626161")
    )


def test_a_map_inside_is_in_order_too() -> None:
    odd = cbor2.dumps([{1: {"b": 0, "a": 0}}])
    assert odd != cbor.encode([{1: {"b": 0, "a": 0}}])
    with pytest.raises(Malformed, match="deterministic"):
        cbor.decode(odd)


def test_long_keys_are_not_remembered_but_sorted() -> None:
    value = {"b" * 5000: 1, "a" * 5000: 2}
    assert cbor.encode(value) == sorted_form(value)
    assert not any("b" * 5000 in keys for keys in cbor._orders)


def test_what_is_remembered_of_maps_has_an_end() -> None:
    for number in range(3000):
        cbor.encode({number: 0, number + 1: 0})
    assert len(cbor._orders) <= 1024
    assert cbor.encode({2: 0, 1: 0}) == bytes.fromhex("a201000200")


def test_a_whole_number_of_a_float_is_not_written_as_it_stands() -> None:
    assert cbor.encode([1.0, {1: 1.5}]) == bytes.fromhex("82f93c00a101f93e00")
    with pytest.raises(Malformed, match="deterministic"):
        cbor.decode(bytes.fromhex("fb3ff0000000000000"))


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65535, 65536])
def test_byte_strings_written_by_hand_are_those_of_the_encoder(size: int) -> None:
    one, other = bytes(size), b"x"
    assert cbor.octets(one, other) == cbor.encode(one) + cbor.encode(other)
