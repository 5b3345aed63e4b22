# SPDX-License-Identifier: Apache-2.0
"""A node of the tree, in memory and as bytes.

    node    level u8 | count u16 | count x (key length u16 | key | ref)
    ref     version u64 | nonce (12) | tag (16) | length u64

Level 0 refers to blocks by their ids; a node above refers to nodes by their first keys.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Self, TypeAlias

from strongroom.core.codec.cursor import Cursor
from strongroom.errors import Malformed
from strongroom.services.storage.objects import Ref

FANOUT = 64
MAX_LEVEL = 16
MAX_KEY_BYTES = 1 << 11
_REF = struct.Struct(">Q12s16sQ")
_HEAD = struct.Struct(">BH")

Child: TypeAlias = "Ref | Node"
"""What a node refers to; a `Node` is one that is not written yet."""


@dataclass(frozen=True, slots=True)
class Node:
    """Keys in ascending order, and what each refers to."""

    level: int
    keys: tuple[bytes, ...]
    children: tuple[Child, ...]

    def to_bytes(self) -> bytes:
        """Return the encoding; every child has been written."""
        parts = [_HEAD.pack(self.level, len(self.keys))]
        for key, child in zip(self.keys, self.children, strict=True):
            if isinstance(child, Node):
                message = "a node of the tree is written after its children"
                raise Malformed(message)
            parts += (len(key).to_bytes(2, "big"), key, _REF.pack(*child))
        return b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse the encoding of a node.

        Raises:
            Malformed: any bytes that `to_bytes` did not write.
        """
        cursor = Cursor(data, "node of the storage tree")
        level, count = _HEAD.unpack(cursor.take(_HEAD.size))
        if level > MAX_LEVEL or not 0 < count <= FANOUT:
            message = f"a node of level {level} with {count} children is none"
            raise Malformed(message)
        keys: list[bytes] = []
        children: list[Child] = []
        for _ in range(count):
            keys.append(cursor.take(cursor.big(2)))
            children.append(unpack_ref(cursor))
        cursor.end()
        if any(a >= b for a, b in pairwise(keys)):
            message = "the keys of a node are not in ascending order"
            raise Malformed(message)
        return cls(level, tuple(keys), tuple(children))


def pack_ref(ref: Ref) -> bytes:
    """Return the 44 bytes of a reference."""
    return _REF.pack(*ref)


def unpack_ref(cursor: Cursor) -> Ref:
    """Take a reference.

    Raises:
        Malformed: fewer than 44 bytes are left.
    """
    return Ref(*_REF.unpack(cursor.take(_REF.size)))


def split(level: int, entries: list[tuple[bytes, Child]]) -> list[Node]:
    """Return as few nodes as hold all entries, of about the same size."""
    pieces = -(-len(entries) // FANOUT)
    bounds = [len(entries) * i // pieces for i in range(pieces + 1)] if pieces else [0]
    return [
        Node(level, *_columns(entries[start:end])) for start, end in pairwise(bounds)
    ]


def _columns(
    entries: list[tuple[bytes, Child]],
) -> tuple[tuple[bytes, ...], tuple[Child, ...]]:
    return tuple(key for key, _ in entries), tuple(child for _, child in entries)
