# SPDX-License-Identifier: Apache-2.0
"""CBOR of other people's formats (RFC 8949): valid, but not one encoding per value.

Tokens of real hardware choose their own order of keys and widths of integers, so
`cbor.decode` refuses them. What stays refused: duplicate keys, bytes left over,
nesting without end, and values that no token has. Nothing here writes.
"""

import struct
from typing import Final, NamedTuple, NoReturn, TypeAlias, cast

from strongroom.errors import Malformed

Value: TypeAlias = (
    "int | float | str | bytes | bool | Tag | list[Value] | dict[Key, Value] | None"
)
Key: TypeAlias = int | str | bytes

MAX_BYTES: Final = 1 << 20
_MAX_DEPTH: Final = 16
_BYTES, _TEXT, _ARRAY, _MAP = range(2, 6)
_FIRST_NEGATIVE, _FIRST_BYTES, _FIRST_TEXT = 0x20, 0x40, 0x60
_FIRST_ARRAY, _FIRST_SIMPLE = 0x80, 0xE0
_KEYS = (int, str, bytes)
_ONE_BYTE, _EIGHT_BYTES, _INDEFINITE = 24, 27, 31
_BREAK = 0xFF
_SIMPLE: Final[dict[int, Value]] = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}


class Tag(NamedTuple):
    """A tagged value."""

    number: int
    value: Value


def decode(data: bytes, what: str = "CBOR", *, indefinite: bool = False) -> Value:
    """Return the one value that `data` encodes, to its last byte.

    Args:
        data: up to `MAX_BYTES`.
        what: names the format in errors.
        indefinite: whether items may end with a break instead of having a length.

    Raises:
        Malformed: it is not valid CBOR, has bytes left over, the same key twice in a
            map, keys that are no integer, text or bytes, or is nested too deep.
    """
    if len(data) > MAX_BYTES:
        message = f"{what}: more than {MAX_BYTES} bytes"
        raise Malformed(message)
    reader = _Reader(data, indefinite)
    try:
        value = reader.item(_MAX_DEPTH)
    except (IndexError, struct.error):
        reader.wrong = "cut short"
        value = None
    except (ValueError, TypeError):
        reader.wrong = reader.wrong or "text that is not UTF-8"
        value = None
    if not reader.wrong and reader.position != len(data):
        reader.wrong = f"{len(data) - reader.position} bytes too many"
    if reader.wrong:
        message = f"{what}: {reader.wrong}"
        raise Malformed(message)
    return value


class _Reader:
    """Reads one value; `wrong` says why a ValueError was raised, if it knows.

    A token is a hundred items of a microsecond each: `item` does the most frequent
    things itself.
    """

    __slots__ = ("_data", "_indefinite", "position", "wrong")

    def __init__(self, data: bytes, indefinite: bool) -> None:  # noqa: FBT001 - private
        self._data, self._indefinite = data, indefinite
        self.position, self.wrong = 0, ""

    def item(self, depth: int) -> Value:
        data, at = self._data, self.position
        initial = data[at]
        info = initial & 31
        if info < _ONE_BYTE and initial < _FIRST_SIMPLE:
            number, at = info, at + 1
        elif info == _ONE_BYTE and initial < _FIRST_SIMPLE:
            number, at = data[at + 1], at + 2
        else:
            self.position = at + 1
            if initial >= _FIRST_SIMPLE:
                return self._simple(info)
            if info == _INDEFINITE:
                return self._open_ended(initial >> 5, depth)
            number, at = self._number(info), self.position
        self.position = at
        if initial < _FIRST_BYTES:
            return number if initial < _FIRST_NEGATIVE else -1 - number
        if initial >= _FIRST_ARRAY:
            return _MAJORS[initial >> 5](self, number, depth)
        end = self.position = at + number
        if end > len(data):
            raise IndexError
        return data[at:end] if initial < _FIRST_TEXT else data[at:end].decode()

    def array(self, number: int, depth: int) -> Value:
        self._descend(number, depth)
        return [self.item(depth - 1) for _ in range(number)]

    def map(self, number: int, depth: int) -> Value:
        self._descend(number, depth)
        found: dict[Key, Value] = {}
        inside, item = depth - 1, self.item
        for _ in range(number):
            key = item(inside)
            if type(key) not in _KEYS or key in found:
                self._refuse_key(key)
            found[cast("Key", key)] = item(inside)
        return found

    def tag(self, number: int, depth: int) -> Value:
        self._descend(0, depth)
        return Tag(number, self.item(depth - 1))

    def _descend(self, number: int, depth: int) -> None:
        if not depth:
            self._refuse("nested too deep")
        if number > len(self._data):
            raise IndexError

    def _number(self, info: int) -> int:
        if info > _EIGHT_BYTES:
            self._refuse("a reserved length")
        return int.from_bytes(self._take(1 << (info - _ONE_BYTE)), "big")

    def _take(self, n: int) -> bytes:
        at = self.position
        end = self.position = at + n
        if end > len(self._data):
            raise IndexError
        return self._data[at:end]

    def _refuse_key(self, key: Value) -> NoReturn:
        # Exact: a bool is an int for isinstance().
        if type(key) in _KEYS:
            self._refuse(f"the key {key!r} twice")
        self._refuse("a key that is no integer, text or bytes")

    def _open_ended(self, major: int, depth: int) -> Value:
        if not self._indefinite or major not in (_BYTES, _TEXT, _ARRAY, _MAP):
            self._refuse("an item without its length")
        if not depth:
            self._refuse("nested too deep")
        if major == _MAP:
            found: dict[Key, Value] = {}
            while not self._ended():
                key = self.item(depth - 1)
                if type(key) not in _KEYS or key in found:
                    self._refuse_key(key)
                found[cast("Key", key)] = self.item(depth - 1)
            return found
        if major == _ARRAY:
            items: list[Value] = []
            while not self._ended():
                items.append(self.item(depth - 1))
            return items
        return self._chunks(major)

    def _chunks(self, major: int) -> Value:
        parts: list[bytes] = []
        while not self._ended():
            initial = self._data[self.position]
            self.position += 1
            info = initial & 31
            if initial >> 5 != major or info == _INDEFINITE:
                self._refuse("a chunk of another type")
            parts.append(self._take(info if info < _ONE_BYTE else self._number(info)))
        if major == _BYTES:
            return b"".join(parts)
        return "".join([part.decode("utf-8") for part in parts])

    def _ended(self) -> bool:
        if self._data[self.position] != _BREAK:
            return False
        self.position += 1
        return True

    def _simple(self, info: int) -> Value:
        if info in _FLOATS:
            form, n = _FLOATS[info]
            number: float = struct.unpack(form, self._take(n))[0]
            return number
        if info not in _SIMPLE:
            self._refuse("a simple value that no token has")
        return _SIMPLE[info]

    def _refuse(self, wrong: str) -> NoReturn:
        self.wrong = wrong
        raise ValueError(wrong)


_MAJORS = {4: _Reader.array, 5: _Reader.map, 6: _Reader.tag}
"""What reads an item of each major type (RFC 8949 section 3.1) that holds others."""
