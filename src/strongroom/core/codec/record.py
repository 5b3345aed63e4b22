# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses as CBOR maps with text keys: one parser for every record.

A record's type hints are its schema: str, bytes, int, float, bool, None unions,
tuples, `Literal`s, maps with text keys, and other records. Every field must be
present, no other key may be, and `__post_init__` holds the record's own rules by
raising `Malformed`. So a value of a record type has always been checked.
"""

import dataclasses
import types
from functools import cache
from typing import ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from strongroom.core.codec import cbor
from strongroom.errors import Malformed


@dataclasses.dataclass(frozen=True)
class Record:
    """Base of every record; subclass with `@dataclass(frozen=True)`."""

    TYPE: ClassVar[str] = ""
    """Names the format inside the bytes; empty for a record inside another."""

    def to_value(self) -> dict[str, object]:
        """Return the map that stands for this record."""
        value: dict[str, object] = {"type": self.TYPE} if self.TYPE else {}
        for name in _schema(type(self)):  # type: ignore[arg-type]  # as below
            value[name] = _to_value(getattr(self, name))
        return value

    def to_bytes(self) -> bytes:
        """Return the one encoding of this record."""
        return cbor.encode(self.to_value())

    @classmethod
    def from_value(cls, value: object, where: str = "") -> Self:
        """Parse a map.

        Raises:
            Malformed: names the field, what it should be and what it is.
        """
        where = where or cls.__name__
        if not isinstance(value, dict):
            raise _wrong(where, "a map", value)
        hints = _schema(cls)  # type: ignore[arg-type]  # a class is hashable
        expected = set(hints) | ({"type"} if cls.TYPE else set())
        if set(value) != expected:
            odd = ", ".join(sorted(map(str, set(value) ^ expected)))
            message = f"{where}: missing or unknown fields: {odd}"
            raise Malformed(message)
        if cls.TYPE and value["type"] != cls.TYPE:
            where = f"{where}.type"
            raise _wrong(where, cls.TYPE, value["type"])
        return cls(
            **{
                name: _parse(hint, value[name], f"{where}.{name}")
                for name, hint in hints.items()
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse the encoding of a record.

        Raises:
            Malformed: any bytes that `to_bytes` did not write.
        """
        return cls.from_value(cbor.decode(data))


@cache
def _schema(cls: type[Record]) -> dict[str, object]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _to_value(item: object) -> object:
    if type(item) in cbor.PLAIN:
        return item
    if isinstance(item, Record):
        return item.to_value()
    if isinstance(item, tuple | list):
        return [_to_value(part) for part in item]
    if isinstance(item, dict):
        return {key: _to_value(part) for key, part in item.items()}
    return item


def _wrong(where: str, expected: str, got: object) -> Malformed:
    shown = repr(got)[:40] if isinstance(got, int | bool | None) else type(got).__name__
    return Malformed(f"{where}: expected {expected}, got {shown}")


def _parse(hint: object, value: object, where: str) -> object:
    if hint is object:
        return value
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_value(value, where)
    if hint in (str, bytes, int, float, bool, types.NoneType):
        if type(value) is not hint:
            raise _wrong(where, getattr(hint, "__name__", str(hint)), value)
        return value
    return _parse_generic(hint, value, where)


def _parse_generic(hint: object, value: object, where: str) -> object:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        if not any(type(value) is type(arg) and value == arg for arg in args):
            raise _wrong(where, f"one of {', '.join(map(repr, args))}", value)
        return value
    if origin is tuple:
        return _parse_tuple(args, value, where)
    if origin is dict:
        return _parse_map(args[1], value, where)
    if origin in (types.UnionType, Union):
        return _parse_union(args, value, where)
    message = f"{where}: a record field may not be {hint}"
    raise TypeError(message)


def _parse_tuple(args: tuple[object, ...], value: object, where: str) -> object:
    if not isinstance(value, list):
        raise _wrong(where, "a list", value)
    if len(args) == 2 and args[1] is ...:  # noqa: PLR2004 - tuple[T, ...]
        args = (args[0],) * len(value)
    if len(args) != len(value):
        raise _wrong(where, f"a list of {len(args)}", len(value))
    return tuple(
        _parse(arg, part, f"{where}[{index}]")
        for index, (arg, part) in enumerate(zip(args, value, strict=True))
    )


def _parse_map(item: object, value: object, where: str) -> object:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(where, "a map with text keys", value)
    return {key: _parse(item, part, f"{where}.{key}") for key, part in value.items()}


def _parse_union(args: tuple[object, ...], value: object, where: str) -> object:
    if value is None and types.NoneType in args:
        return None
    rest = [arg for arg in args if arg is not types.NoneType]
    for arg in rest[:-1]:
        try:
            return _parse(arg, value, where)
        except Malformed:
            continue
    return _parse(rest[-1], value, where)
