# SPDX-License-Identifier: Apache-2.0
"""Deterministic CBOR (RFC 8949 section 4.2.1), strict in both directions.

`cbor2` alone accepts duplicate keys, non-minimal integers and trailing bytes, so
`decode` accepts only what `encode` would have written: the value is encoded again
and must give the same bytes. One value has one encoding, so a digest names a value.
"""

from collections.abc import Sized

import cbor2

from strongroom.errors import Malformed

MAX_BYTES = 64 * 1024 * 1024
_MAX_DEPTH = 32
_SIZE = 1 << 64
"""One more than an integer of CBOR holds; longer ones (bignums) have no use here."""

_SCALARS = (int, str, bytes, bool, float, type(None))
PLAIN = frozenset((str, bytes, bool, float, type(None)))
"""Types whose every value has a form here."""


def encode(value: object) -> bytes:
    """Return the one deterministic encoding of `value`.

    Args:
        value: int, float, str, bytes, bool, None, and lists and maps of them.

    Raises:
        Malformed: a type that these formats do not use.
    """
    _check(value, 0)
    try:
        return cbor2.dumps(value, canonical=True)
    except (cbor2.CBOREncodeError, OverflowError, ValueError) as error:
        message = f"this value has no CBOR form: {error}"
        raise Malformed(message) from error


def decode(data: bytes) -> object:
    """Return the value that `data` is the deterministic encoding of.

    Raises:
        Malformed: any other bytes: truncated, trailing, non-minimal, duplicate
            keys, unknown tags, nested too deep, or longer than `MAX_BYTES`.
    """
    if len(data) > MAX_BYTES:
        message = f"{len(data)} bytes of CBOR are over the limit of {MAX_BYTES}"
        raise Malformed(message)
    try:
        value: object = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, OverflowError, RecursionError) as error:
        message = "these bytes are not CBOR"
        raise Malformed(message) from error
    except (TypeError, ArithmeticError, MemoryError, LookupError) as error:
        message = "these bytes hold a CBOR value that no map or list can take"
        raise Malformed(message) from error
    if encode(value) != data:
        message = "these bytes are not deterministic CBOR (RFC 8949 section 4.2.1)"
        raise Malformed(message)
    return value


def _check(value: object, depth: int) -> None:
    """Refuse what has no form here; on the way of every message, so types come first.

    A scalar that is not in `PLAIN` is a whole number or of a subclass.
    """
    if isinstance(value, dict):
        _check_depth(value, depth)
        for key, item in value.items():
            if type(key) is not str and not _is_key(key):
                message = "a map key is neither text nor an integer"
                raise Malformed(message)
            if type(item) not in PLAIN:
                _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        _check_depth(value, depth)
        for item in value:
            if type(item) not in PLAIN:
                _check(item, depth + 1)
    else:
        _check_scalar(value)


def _check_depth(value: Sized, depth: int) -> None:
    if depth > _MAX_DEPTH or (depth == _MAX_DEPTH and value):
        message = f"the value is nested deeper than {_MAX_DEPTH}"
        raise Malformed(message)


def _is_key(key: object) -> bool:
    return isinstance(key, str | int) and not isinstance(key, bool)


def _check_scalar(value: object) -> None:
    if not isinstance(value, _SCALARS):
        message = f"a {type(value).__name__} has no place in these formats"
        raise Malformed(message)
    if isinstance(value, int) and not -_SIZE <= value < _SIZE:
        message = "an integer has more than 64 bits"
        raise Malformed(message)
