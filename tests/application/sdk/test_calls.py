# SPDX-License-Identifier: Apache-2.0
"""Calls as they travel: what is one, and what has no place inside a channel."""

import pytest
from hypothesis import given, strategies as st

from strongroom.application.sdk.calls import (
    decode_answer,
    decode_call,
    encode_answer,
    encode_call,
    inner_call,
)
from strongroom.application.sdk.interface import CARRIED, CONVERSE, INTERFACES
from strongroom.core.codec import cbor
from strongroom.errors import Malformed, StrongroomError


@pytest.mark.parametrize("method", [CONVERSE, CARRIED])
def test_a_channel_has_no_channel_inside(method: int) -> None:
    with pytest.raises(Malformed):
        inner_call(cbor.encode([method, b""]))
    call = inner_call(cbor.encode([8, b"payload"]))
    assert (call.method, call.payload, call.fds) == (8, b"payload", ())


@given(st.binary(max_size=60))
def test_any_bytes_are_a_call_or_malformed(data: bytes) -> None:
    for row in INTERFACES.values():
        with pytest.raises(StrongroomError):
            decode_call(data + b"\xff", row.takes)
    with pytest.raises(StrongroomError):
        inner_call(data + b"\xff")
    with pytest.raises(StrongroomError):
        decode_answer(data + b"\xff")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"n": 1, "more": 2},
        {"m": 1},
        {"n": "1"},
        {"n": True},
        {"n": b"1"},
        {"n": None},
    ],
)
def test_arguments_are_those_of_the_table_by_name_and_type(
    values: dict[str, object],
) -> None:
    takes = INTERFACES[8].takes
    assert decode_call(encode_call({"n": 1}), takes) == {"n": 1}
    with pytest.raises(Malformed):
        decode_call(encode_call(values), takes)


def test_an_answer_has_one_value() -> None:
    assert decode_answer(encode_answer(b"x")) == b"x"
    for bad in ({}, {"value": 1, "more": 2}, [1]):
        with pytest.raises(Malformed):
            decode_answer(cbor.encode(bad))
