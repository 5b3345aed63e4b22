# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of transparency logs (RFC 6962 section 2.1, RFC 9162 section 2.1).

    leaf = H(0x00 || entry)        node = H(0x01 || left || right)

H is SHA-256 in suite `intl`, as c2sp.org/tlog-tiles fixes it, and SM3 in suite `sm`,
which is a format of our own (docs/specs/audit-log.md). Both have 32 bytes.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.core.crypto import SUITES
from strongroom.errors import Malformed, NotFound, Tampered

HASH_BYTES = 32
INCLUSION_RULE = "tlog.inclusion"
CONSISTENCY_RULE = "tlog.consistency"
_OWNER = "RFC 9162"
_REMEDY = "Ask the log for a fresh checkpoint and proof; keep these as evidence."


@dataclass(frozen=True, slots=True)
class TreeHash:
    """The hash of a log's tree, with the domain separation of RFC 6962."""

    name: str
    digest: Callable[[bytes], bytes]

    def empty(self) -> bytes:
        """Return the root of the tree without leaves."""
        return self.digest(b"")

    def leaf(self, entry: bytes) -> bytes:
        """Return the hash of an entry."""
        return self.digest(b"\x00" + entry)

    def node(self, left: bytes, right: bytes) -> bytes:
        """Return the hash of two subtrees."""
        return self.digest(b"\x01" + left + right)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def tree_hash(suite_id: str) -> TreeHash:
    """Return the tree hash of a suite.

    Raises:
        Malformed: there is no such suite.
    """
    if suite_id == "intl":
        return TreeHash("sha256", _sha256)
    if suite_id == "sm":
        return TreeHash("sm3", SUITES["sm"].digest)
    message = f"{suite_id!r} is not a suite"
    raise Malformed(message)


class Tree:
    """An append-only tree that keeps the hash of every complete subtree.

    Level k holds the hashes of the subtrees of 2**k leaves, so it is also the
    source of tiles; the memory is 64 bytes a leaf. Appending takes two hashes on
    average, roots and proofs O(log n).
    """

    def __init__(self, hashing: TreeHash) -> None:
        self.hashing = hashing
        self._levels: list[bytearray] = [bytearray()]

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf_hash: bytes) -> int:
        """Add a leaf and return its index."""
        index = position = self.size
        current, level = leaf_hash, 0
        self._levels[0] += current
        while position & 1:
            row = self._levels[level]
            current = self.hashing.node(bytes(row[-64:-32]), current)
            position >>= 1
            level += 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += current
        return index

    def hashes(self, level: int, start: int, count: int) -> bytes:
        """Return `count` hashes of complete subtrees of 2**level leaves, joined.

        Raises:
            NotFound: the tree has not grown that far.
        """
        row = self._levels[level] if level < len(self._levels) else bytearray()
        if not 0 <= start <= start + count <= len(row) // HASH_BYTES:
            message = f"the tree of {self.size} leaves has no such hashes"
            raise NotFound(message)
        return bytes(row[start * HASH_BYTES : (start + count) * HASH_BYTES])

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` leaves; of all when not given."""
        size = self._within(self.size if size is None else size)
        return self._subtree(0, size) if size else self.hashing.empty()

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return PATH(index, D[size]) of RFC 6962 section 2.1.1.

        Raises:
            NotFound: no such leaf in a tree of that size.
        """
        end = self._within(self.size if size is None else size)
        if not 0 <= index < end:
            message = f"a tree of {end} leaves has no leaf {index}"
            raise NotFound(message)
        start, path = 0, []
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        return path[::-1]

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return PROOF(old, D[new]) of RFC 6962 section 2.1.2; empty for old = 0.

        Raises:
            NotFound: the sizes are not ones that the tree has had, in that order.
        """
        end = self._within(self.size if new is None else new)
        if not 0 <= old <= end:
            message = f"a tree of {end} leaves never grew from {old}"
            raise NotFound(message)
        if old in (0, end):
            return []
        start, path, whole = 0, [], True
        while end != old:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self._subtree(start, end))
        return path[::-1]

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            message = f"the tree has {self.size} leaves, not {size}"
            raise NotFound(message)
        return size

    def _subtree(self, start: int, end: int) -> bytes:
        """Return MTH(D[start:end]); `start` is a multiple of the split of its size."""
        count = end - start
        level = count.bit_length() - 1
        if count == 1 << level:
            return self.hashes(level, start >> level, 1)
        middle = start + _split(count)
        return self.hashing.node(
            self._subtree(start, middle), self._subtree(middle, end)
        )


def _split(count: int) -> int:
    """Return the largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def verify_inclusion(
    hashing: TreeHash,
    *,
    index: int,
    size: int,
    leaf_hash: bytes,
    proof: Sequence[bytes],
    root: bytes,
) -> None:
    """Check that a leaf is in a tree (RFC 9162 section 2.1.3.2).

    Raises:
        Tampered: it is not, or the proof does not show it (tlog.inclusion).
    """
    node, last, current = index, size - 1, leaf_hash
    fits = 0 <= index < size and all(len(part) == HASH_BYTES for part in proof)
    for part in proof if fits else ():
        if last == 0:
            fits = False
            break
        if node & 1 or node == last:
            current = hashing.node(part, current)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            current = hashing.node(current, part)
        node, last = node >> 1, last >> 1
    if not fits or last or current != root:
        raise _refused(INCLUSION_RULE, f"entry {index} in the tree of {size}")


def verify_consistency(
    hashing: TreeHash,
    *,
    old_size: int,
    old_root: bytes,
    new_size: int,
    new_root: bytes,
    proof: Sequence[bytes],
) -> None:
    """Check that one tree is the start of another (RFC 9162 section 2.1.4.2).

    Raises:
        Tampered: it is not, or the proof does not show it (tlog.consistency).
    """
    what = f"the tree of {old_size} as the start of the tree of {new_size}"
    refusal = _refused(CONSISTENCY_RULE, what)
    if not 0 <= old_size <= new_size or any(len(p) != HASH_BYTES for p in proof):
        raise refusal
    if old_size in (0, new_size):
        known = hashing.empty() if old_size == 0 else new_root
        if proof or old_root != known:
            raise refusal
        return
    if _consistent_roots(hashing, old_size, new_size, old_root, proof) != (
        old_root,
        new_root,
    ):
        raise refusal


def _consistent_roots(
    hashing: TreeHash,
    old_size: int,
    new_size: int,
    old_root: bytes,
    proof: Sequence[bytes],
) -> tuple[bytes, bytes] | None:
    """Return the roots that a proof leads to (steps 1-6), or None if it cannot."""
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if not path:
        return None
    old = new = path[0]
    for part in path[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            old, new = hashing.node(part, old), hashing.node(part, new)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new = hashing.node(new, part)
        node, last = node >> 1, last >> 1
    return (old, new) if last == 0 else None


def _refused(rule: str, expected: str) -> Tampered:
    got = "a proof that does not show it"
    refusal = Tampered.because(rule, _OWNER, expected=expected, got=got, remedy=_REMEDY)
    return Tampered(refusal.message, refusal.findings)
