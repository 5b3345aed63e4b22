# SPDX-License-Identifier: Apache-2.0
"""The hash tree: a B+ tree from block ids to references, copied as it is changed.

A node is an object like a block, so its reference commits to it, and the root's to
everything below (R. Merkle, CRYPTO 1987; the tag stands for the digest, objects.py).
Nothing is ever changed in place: an update writes the nodes on its paths anew and says
which objects the older tree no longer shares, so a snapshot stays whole until these go.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TypeAlias

from strongroom.services.storage import refusals
from strongroom.services.storage.nodes import FANOUT, Child, Node, split
from strongroom.services.storage.objects import Box, Ref
from strongroom.services.storage.place import NODE

Changes: TypeAlias = Mapping[bytes, Ref | None]
"""What keys are to refer to; None takes a key away."""

_SMALL = FANOUT // 4
_CACHED_NODES = 4096


class Tree:
    """Reads and writes trees of one place; their roots are the caller's to keep."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._cache: OrderedDict[Ref, Node] = OrderedDict()

    def find(self, root: Ref | None, key: bytes) -> Ref | None:
        """Return what `key` refers to, in O(log n) nodes.

        Raises:
            Tampered, Stale: the store did not give what was written.
        """
        while root is not None:
            node = self._load(root)
            if node.level == 0:
                at = bisect_left(node.keys, key)
                found = at < len(node.keys) and node.keys[at] == key
                return _written(node.children[at]) if found else None
            at = bisect_right(node.keys, key) - 1
            root = self._below(node, at) if at >= 0 else None
        return None

    def items(
        self, root: Ref | None, start: bytes, stop: bytes
    ) -> Iterator[tuple[bytes, Ref]]:
        """Yield keys from `start` to before `stop` in order, with what they refer to.

        Raises:
            Tampered, Stale: the store did not give what was written.
        """
        if root is None:
            return
        node = self._load(root)
        first = max(bisect_right(node.keys, start) - 1, 0)
        for at in range(first, bisect_left(node.keys, stop)):
            if node.level:
                yield from self.items(self._below(node, at), start, stop)
            elif node.keys[at] >= start:
                yield node.keys[at], _written(node.children[at])

    def objects(self, root: Ref | None) -> Iterator[Ref]:
        """Yield every object of a tree, nodes and blocks."""
        if root is None:
            return
        yield root
        node = self._load(root)
        for at, child in enumerate(node.children):
            if node.level:
                yield from self.objects(self._below(node, at))
            else:
                yield _written(child)

    def update(
        self, root: Ref | None, changes: Changes, version: int
    ) -> tuple[Ref | None, list[Ref]]:
        """Write the tree with `changes` made.

        Args:
            root: the tree as it is; None is the empty one.
            changes: keys and what they refer to from now on.
            version: of the new nodes.

        Returns:
            The new root, and the objects that only the old tree needs.
        """
        if not changes:
            return root, []
        dead: list[Ref] = []
        top = Node(0, (), ()) if root is None else self._take(root, dead)
        pieces = self._update(top, sorted(changes.items()), dead)
        while len(pieces) > 1:
            level = pieces[0].level + 1
            pieces = split(level, [(piece.keys[0], piece) for piece in pieces])
        new: Child | None = pieces[0] if pieces else None
        while isinstance(new, Node) and new.level and len(new.children) == 1:
            new = new.children[0]
        return (None if new is None else self._write(new, version)), dead

    def _update(
        self, node: Node, changes: list[tuple[bytes, Ref | None]], dead: list[Ref]
    ) -> list[Node]:
        """Return the nodes, of the same level, that take the place of `node`."""
        if node.level == 0:
            return split(0, _merged(node, changes, dead))
        entries: list[tuple[bytes, Child]] = []
        cuts = [bisect_left(changes, key, key=_first) for key in node.keys[1:]]
        for at, (start, end) in enumerate(pairwise([0, *cuts, len(changes)])):
            if start == end:
                entries.append((node.keys[at], node.children[at]))
                continue
            below = self._take(self._below(node, at), dead)
            pieces = self._update(below, changes[start:end], dead)
            entries += [(piece.keys[0], piece) for piece in pieces]
        return split(node.level, self._join_small(entries, dead))

    def _join_small(
        self, entries: list[tuple[bytes, Child]], dead: list[Ref]
    ) -> list[tuple[bytes, Child]]:
        """Join a new node that has become small with a neighbour that has room."""
        joined: list[tuple[bytes, Child]] = []
        for key, child in entries:
            last = joined[-1][1] if joined else None
            if last is not None and (_is_small(child) or _is_small(last)):
                left, right = self._peek(last), self._peek(child)
                if len(left.keys) + len(right.keys) <= FANOUT:
                    dead += [each for each in (last, child) if isinstance(each, Ref)]
                    node = Node(
                        left.level,
                        left.keys + right.keys,
                        left.children + right.children,
                    )
                    joined[-1] = (joined[-1][0], node)
                    continue
            joined.append((key, child))
        return joined

    def _write(self, child: Child, version: int) -> Ref:
        """Write what is not written yet, children first."""
        if isinstance(child, Ref):
            return child
        refs = tuple(
            self._write(each, version) if child.level else each
            for each in child.children
        )
        node = Node(child.level, child.keys, refs)
        ref = self._box.put(NODE, b"", version, node.to_bytes())
        self._remember(ref, node)
        return ref

    def _take(self, ref: Ref, dead: list[Ref]) -> Node:
        node = self._load(ref)
        dead.append(ref)
        return node

    def _peek(self, child: Child) -> Node:
        return child if isinstance(child, Node) else self._load(child)

    def _below(self, node: Node, at: int) -> Ref:
        """Return a child of an inner node, once it is known to be what it should."""
        ref = _written(node.children[at])
        below = self._load(ref)
        if below.level != node.level - 1 or below.keys[0] != node.keys[at]:
            raise refusals.altered("a node of the tree")
        return ref

    def _load(self, ref: Ref) -> Node:
        node = self._cache.get(ref)
        if node is None:
            node = Node.parse(self._box.get(NODE, b"", ref))
            self._remember(ref, node)
        return node

    def _remember(self, ref: Ref, node: Node) -> None:
        self._cache[ref] = node
        if len(self._cache) > _CACHED_NODES:
            self._cache.popitem(last=False)


def _merged(
    leaf: Node, changes: list[tuple[bytes, Ref | None]], dead: list[Ref]
) -> list[tuple[bytes, Child]]:
    entries = dict(zip(leaf.keys, leaf.children, strict=True))
    for key, ref in changes:
        old = entries.pop(key, None)
        if old is not None:
            dead.append(_written(old))
        if ref is not None:
            entries[key] = ref
    return sorted(entries.items(), key=_first)


def _first(entry: tuple[bytes, object]) -> bytes:
    return entry[0]


def _is_small(child: Child) -> bool:
    return isinstance(child, Node) and len(child.keys) < _SMALL


def _written(child: Child) -> Ref:
    if isinstance(child, Node):
        raise refusals.altered("a node of the tree")
    return child
