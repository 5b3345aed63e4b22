# SPDX-License-Identifier: Apache-2.0
"""Deterministic CBOR (RFC 8949 section 4.2.3), strict in both directions.

That is section 4.2.1 but for the keys of maps: shorter encodings come first.

`cbor2` alone accepts duplicate keys, non-minimal integers and trailing bytes, so
`decode` accepts only what `encode` would have written: the value is encoded again
and must give the same bytes. One value has one encoding, so a digest names a value.
"""

from collections.abc import Iterable, Sized

import cbor2

from strongroom.errors import Malformed

MAX_BYTES = 64 * 1024 * 1024
_MAX_DEPTH = 32
_SIZE = 1 << 64
"""One more than an integer of CBOR holds; longer ones (bignums) have no use here."""

_OCTETS, _ONE_BYTE = 0x40, 24
"""Major type 2, and the first length that does not stand beside it (section 3)."""
_SCALARS = (int, str, bytes, bool, float, type(None))
PLAIN = frozenset((str, bytes, bool, float, type(None)))
"""Types whose every value has a form here."""
_WHOLE = PLAIN - {float}
"""Those of them that have one form only; a float may have a shorter one."""
_KEYS = frozenset((str, int))
_orders: dict[tuple[object, ...], bool] = {}
"""Whether the keys of maps that came before are in order; formats have few of them."""
_MAX_ORDERS, _MAX_ORDER = 1024, 1024
"""How many are remembered, and how many characters and numbers one may have."""


def encode(value: object) -> bytes:
    """Return the one deterministic encoding of `value`.

    Args:
        value: int, float, str, bytes, bool, None, and lists and maps of them.

    Raises:
        Malformed: a type that these formats do not use.
    """
    plain = _check(value, 0)
    try:
        return cbor2.dumps(value, canonical=not plain)
    except (cbor2.CBOREncodeError, OverflowError, ValueError) as error:
        message = f"this value has no CBOR form: {error}"
        raise Malformed(message) from error


def octets(*values: bytes) -> bytes:
    """Return the encodings of byte strings one after another, as parts of a list."""
    parts: list[bytes] = []
    for value in values:
        size = len(value)
        if size < _ONE_BYTE:
            parts.append(bytes((_OCTETS | size,)))
        elif size < 1 << 8:
            parts.append(bytes((_OCTETS | _ONE_BYTE, size)))
        else:
            width = next(i for i in (1, 2, 3) if size < 1 << (8 << i))
            head = bytes((_OCTETS | _ONE_BYTE | width,))
            parts.append(head + size.to_bytes(1 << width, "big"))
        parts.append(value)
    return b"".join(parts)


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
        message = "these bytes are not deterministic CBOR (RFC 8949 section 4.2.3)"
        raise Malformed(message)
    return value


def _check(value: object, depth: int) -> bool:
    """Refuse what has no form here; on the way of every message, so types come first.

    Returns:
        Whether `value` is written as it stands: its maps are in order already and it
        has no float to shorten, so that sorting would give the same bytes.
    """
    if isinstance(value, dict):
        _check_depth(value, depth)
        for key in value:
            if type(key) not in _KEYS and not _is_key(key):
                message = "a map key is neither text nor an integer"
                raise Malformed(message)
        return _check_items(value.values(), depth) and _in_order(value)
    if isinstance(value, (list, tuple)):
        _check_depth(value, depth)
        return _check_items(value, depth)
    _check_scalar(value)
    return type(value) is int or type(value) in _WHOLE


def _check_items(items: Iterable[object], depth: int) -> bool:
    plain = True
    for item in items:
        kind = type(item)
        if kind in _WHOLE or (kind is int and -_SIZE <= item < _SIZE):  # type: ignore[operator]
            continue
        plain = _check(item, depth + 1) and plain
    return plain


def _in_order(value: dict[object, object]) -> bool:
    """Whether the keys stand as `cbor2` sorts them; False where that is not known."""
    keys = tuple(value)
    known = _orders.get(keys)
    if known is None:
        size = sum(len(key) if isinstance(key, str) else 1 for key in keys)
        if size > _MAX_ORDER:
            return False
        canonical = cbor2.dumps(dict.fromkeys(keys), canonical=True)
        known = cbor2.dumps(dict.fromkeys(keys)) == canonical
        if len(_orders) >= _MAX_ORDERS:
            _orders.clear()
        _orders[keys] = known
    return known


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
