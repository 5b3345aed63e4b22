# SPDX-License-Identifier: Apache-2.0
"""Every record that is read anywhere, and an example of each.

A record's type hints are its schema, so examples are made from them: the smallest
map that its parser looks into. What records make of it beyond that (`__post_init__`)
is what fuzzing is for.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import import_module
from inspect import isabstract
from pkgutil import walk_packages
from types import UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

import strongroom
from strongroom.core.codec import cbor
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.crypto import suite

_CHOICE_BYTES = 2
_PLAIN: dict[object, object] = {
    str: "a",
    bytes: bytes(32),
    int: 1,
    float: 1.0,
    bool: False,
    object: None,
}


def read_record(data: bytes) -> Record:
    """Read a record of the class that the first bytes choose."""
    number = int.from_bytes(data[:_CHOICE_BYTES], "big") % len(RECORDS)
    return RECORDS[number].from_bytes(data[_CHOICE_BYTES:])


def examples() -> Iterator[bytes]:
    """Yield an input of `read_record` for each class."""
    for number, each in enumerate(RECORDS):
        yield number.to_bytes(_CHOICE_BYTES, "big") + cbor.encode(example(each))


def example(cls: type[Record]) -> dict[str, object]:
    """Return a map with a value of the right type for each field of a record."""
    if cls is PublicKey:
        row = suite("intl")
        raw = row.signing_key(bytes(row.sign_seed_bytes)).public.raw
        return {"suite": row.id, "use": "sign", "raw": raw}
    hints = get_type_hints(cls)
    value = {each.name: _value(hints[each.name]) for each in fields(cls)}
    return {"type": cls.TYPE, **value} if cls.TYPE else value


def _value(hint: object) -> object:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, Record):
        return example(hint)
    origin = get_origin(hint)
    return _GENERIC[origin](get_args(hint)) if origin in _GENERIC else None


_GENERIC: dict[object, Callable[[tuple[object, ...]], object]] = {
    Literal: lambda args: args[0],
    tuple: lambda args: [_value(each) for each in args if each is not ...],
    dict: lambda args: {"a": _value(args[1])},
    UnionType: lambda args: _value(args[0]),
    Union: lambda args: _value(args[0]),
}


def _all() -> tuple[type[Record], ...]:
    for module in walk_packages(strongroom.__path__, "strongroom."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    found, new = set[type[Record]](), {Record}
    while new:
        new = {each for above in new for each in above.__subclasses__()} - found
        found |= new
    found = {each for each in found if not isabstract(each)}
    return tuple(sorted(found, key=lambda each: (each.__module__, each.__name__)))


RECORDS = _all()
"""Whatever the package defines, so that none can be forgotten."""
