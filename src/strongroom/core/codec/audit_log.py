# SPDX-License-Identifier: Apache-2.0
"""The log's state: entries, their Merkle tree, checkpoints and proofs (LOG-2, LOG-3).

Pure and in memory. Whoever owns it stores what `new_tiles` names before a
checkpoint of that size leaves the room, and after a restart makes the state again
from the stored bundles, then compares its root with the last checkpoint.
"""

from collections.abc import Iterable, Iterator

from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.merkle import Tree, TreeHash, tree_hash
from strongroom.core.codec.tlog import (
    MAX_ENTRY_BYTES,
    TILE_WIDTH,
    Checkpoint,
    TilePath,
    encode_bundle,
    tile_bytes,
    tile_paths,
)
from strongroom.core.crypto import SigningKey
from strongroom.errors import Malformed, NotFound


class AuditLog:
    """An append-only log of one origin in one suite."""

    def __init__(
        self, origin: str, suite_id: str, entries: Iterable[bytes] = ()
    ) -> None:
        """Start a log, or restore one from its stored entries in order.

        Raises:
            Malformed: an unknown suite, or an entry that is no `LogEntry`.
        """
        self.origin = origin
        self.suite_id = suite_id
        self._entries: list[bytes] = []
        self._tree = Tree(tree_hash(suite_id))
        for data in entries:
            LogEntry.from_bytes(data)
            self._append(data)

    @property
    def hashing(self) -> TreeHash:
        """The hash of the tree, for whoever checks the proofs."""
        return self._tree.hashing

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._tree.size

    def append(self, entry: LogEntry) -> int:
        """Add a record and return its index."""
        return self._append(entry.to_bytes())

    def _append(self, data: bytes) -> int:
        if len(data) > MAX_ENTRY_BYTES:
            message = f"a log entry is over the limit of {MAX_ENTRY_BYTES} bytes"
            raise Malformed(message)
        index = self._tree.append(self._tree.hashing.leaf(data))
        self._entries.append(data)
        return index

    def entry(self, index: int) -> bytes:
        """Return the bytes of an entry.

        Raises:
            NotFound: there is no such entry.
        """
        if not 0 <= index < len(self._entries):
            message = f"the log has no entry {index}"
            raise NotFound(message)
        return self._entries[index]

    def head(self) -> Checkpoint:
        """Return the tree head of now, unsigned."""
        return Checkpoint(self.origin, self.size, self._tree.root())

    def checkpoint(self, key: SigningKey) -> bytes:
        """Return the signed tree head of now (c2sp.org/tlog-checkpoint).

        Raises:
            Malformed: the key is of another suite than the tree.
        """
        if key.public.suite_id != self.suite_id:
            message = f"a log in suite {self.suite_id} takes a key of that suite"
            raise Malformed(message)
        return self.head().sign(key)

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the proof that an entry is in the tree of `size` (now: None)."""
        return self._tree.inclusion_proof(index, size)

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the tree of `new` (now: None) began as `old`."""
        return self._tree.consistency_proof(old, new)

    def tile(self, path: str) -> bytes:
        """Return a tile or an entry bundle by its path (c2sp.org/tlog-tiles).

        Raises:
            Malformed: not a tile path.
            NotFound: the log has not grown that far.
        """
        tile = TilePath.parse(path)
        if tile.level is not None:
            return tile_bytes(self._tree, tile)
        start = tile.index * TILE_WIDTH
        if start + tile.width > self.size:
            message = f"the log of {self.size} entries has no {path}"
            raise NotFound(message)
        return encode_bundle(self._entries[start : start + tile.width])

    def new_tiles(self, since: int = 0) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of all that a store at size `since` lacks."""
        for tile in tile_paths(self.size, since):
            yield tile.path, self.tile(tile.path)
