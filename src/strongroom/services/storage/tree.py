# SPDX-License-Identifier: Apache-2.0
"""The hash tree over blocks: a trie whose every node names its children.

A node is a bucket of entries, or a fork by one hexadecimal digit of the digest of the
block's id. A name is nonce and tag of an authenticated object, so whoever knows that
of the root knows all of it; a change rewrites the path to one bucket: O(log n).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec.record import Record
from strongroom.core.crypto import Suite
from strongroom.errors import Malformed

BUCKET = 16


@dataclass(frozen=True)
class Entry(Record):
    """One block: the object that holds it now, and how often it was written."""

    block: str
    name: str
    version: int


@dataclass(frozen=True)
class Node(Record):
    """A bucket (`entries`) or a fork (`children`: 16 names, "" for none)."""

    kind: Literal["bucket", "fork"]
    entries: tuple[Entry, ...]
    children: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.children) != (16 if self.kind == "fork" else 0):
            message = "a fork of the hash tree has sixteen children, a bucket none"
            raise Malformed(message)


Load = Callable[[str], Node]
Save = Callable[[Node], str]


class Tree:
    """Reads and changes the tree; nodes are loaded and saved by name.

    Args:
        row: the suite, whose digest spreads ids.
        load: returns the verified node of a name.
        save: keeps a node and returns its name.
    """

    def __init__(self, row: Suite, load: Load, save: Save) -> None:
        self._row, self._load, self._save = row, load, save

    def find(self, root: str, block: str) -> Entry | None:
        """Return the entry of a block under a root, or None."""
        digits, name = self._digits(block), root
        for digit in digits:
            if not name:
                return None
            node = self._load(name)
            if node.kind == "bucket":
                return next((e for e in node.entries if e.block == block), None)
            name = node.children[int(digit, 16)]
        return None

    def put(self, root: str, entry: Entry, old: list[str]) -> str:
        """Return the root with `entry` in it; names of replaced nodes go to `old`."""
        return self._put(root, entry, self._digits(entry.block), old)

    def entries(self, root: str) -> list[Entry]:
        """Return every entry under a root, in the order of ids."""
        found: list[Entry] = []
        names = [root] if root else []
        while names:
            node = self._load(names.pop())
            found += node.entries
            names += [name for name in node.children if name]
        return sorted(found, key=lambda entry: entry.block)

    def names(self, root: str) -> list[str]:
        """Return the names of every node under a root, and of every block."""
        found: list[str] = []
        names = [root] if root else []
        while names:
            found.append(names[-1])
            node = self._load(names.pop())
            found += [entry.name for entry in node.entries]
            names += [name for name in node.children if name]
        return found

    def _put(self, name: str, entry: Entry, digits: str, old: list[str]) -> str:
        if not name:
            return self._save(Node("bucket", (entry,), ()))
        node = self._load(name)
        old.append(name)
        if node.kind == "fork":
            return self._save(self._into(node, entry, digits, old))
        kept = [each for each in node.entries if each.block != entry.block]
        entries = tuple(sorted((*kept, entry), key=lambda each: each.block))
        if len(entries) <= BUCKET:
            return self._save(Node("bucket", entries, ()))
        fork = Node("fork", (), ("",) * 16)
        depth = len(self._digits(entry.block)) - len(digits)
        for each in entries:
            fork = self._into(fork, each, self._digits(each.block)[depth:], old)
        return self._save(fork)

    def _into(self, fork: Node, entry: Entry, digits: str, old: list[str]) -> Node:
        at, children = int(digits[0], 16), list(fork.children)
        children[at] = self._put(children[at], entry, digits[1:], old)
        return Node("fork", (), tuple(children))

    def _digits(self, block: str) -> str:
        return self._row.digest(block.encode()).hex()
