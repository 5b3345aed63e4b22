# SPDX-License-Identifier: Apache-2.0
"""Calls between an app and the ordinary side as bytes: a map in, one value out."""

from collections.abc import Mapping
from typing import TypeVar

from strongroom.application.sdk.interface import CARRIED, CONVERSE
from strongroom.core.codec import cbor
from strongroom.core.rats import Call
from strongroom.errors import Malformed

T = TypeVar("T")


def encode_call(arguments: Mapping[str, object]) -> bytes:
    """Return the payload of a call."""
    return cbor.encode(dict(arguments))


def decode_call(payload: bytes, takes: Mapping[str, type]) -> dict[str, object]:
    """Return a call's arguments if they are exactly the declared ones.

    Raises:
        Malformed: names the argument that is missing, unknown or of another type.
    """
    arguments = cbor.decode(payload)
    if not isinstance(arguments, dict) or set(arguments) != set(takes):
        message = f"this call takes {', '.join(takes) or 'nothing'}, each named"
        raise Malformed(message)
    for name, kind in takes.items():
        if type(arguments[name]) is not kind:
            message = f"the argument {name} is not of type {kind.__name__}"
            raise Malformed(message)
    return arguments


def encode_answer(value: object) -> bytes:
    """Return the payload of an answer.

    Raises:
        Malformed: a value that no map of plain values can hold.
    """
    return cbor.encode({"value": value})


def decode_answer(payload: bytes) -> object:
    """Return the one value of an answer.

    Raises:
        Malformed: there is none.
    """
    answer = cbor.decode(payload)
    if not isinstance(answer, dict) or set(answer) != {"value"}:
        message = "the answer holds no value"
        raise Malformed(message)
    return answer["value"]


def decode_answer_as(payload: bytes, gives: type[T]) -> T:
    """Return the one value of an answer, which is of just that type.

    Raises:
        Malformed: there is none, or one of another type.
    """
    value = decode_answer(payload)
    if type(value) is gives:
        return value
    message = f"the answer is not of type {gives.__name__}"
    raise Malformed(message)


def inner_call(said: bytes) -> Call:
    """Return the call that came in a channel; a channel has no channel inside.

    Raises:
        Malformed: no method with its payload.
    """
    match cbor.decode(said):
        case [int() as method, bytes() as payload] if method not in {CONVERSE, CARRIED}:
            return Call(method, payload, ())
        case _:
            message = "a record holds a method and its payload"
            raise Malformed(message)
