# SPDX-License-Identifier: Apache-2.0
"""Offline check of a stored log against its signed checkpoint (LOG-3).

It trusts one key and nothing else: it reads entries and tiles from a folder, makes
the tree again, and says which entry or tile differs. It does not check that what
the records say is true, nor that the folder holds the newest checkpoint: for that
compare with a checkpoint that somebody else kept (`older`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.merkle import HASH_BYTES, Tree, TreeHash, tree_hash
from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.tlog import (
    TILE_WIDTH,
    Checkpoint,
    TilePath,
    tile_bytes,
    tile_paths,
)
from strongroom.errors import Finding, Malformed, Tampered
from strongroom.management.audit.folder import LogFolder
from strongroom.management.audit.report import AuditReport

MAX_FINDINGS = 100
_REMEDY = "Keep this copy as evidence and get the log again from a witness."


def verify_folder(
    folder: Path, key: NoteKey, *, older: bytes | None = None
) -> AuditReport:
    """Check a log that is stored as c2sp.org/tlog-tiles lays it out.

    1. `checkpoint` is signed by `key` for the log that the key is named after.
    2. Every entry bundle is stored, and the entries give the signed root.
    3. Where they do not, the tiles tell which entries were edited, deleted,
       inserted or moved, as far as the tiles themselves give the signed root.
    4. Every tile is stored and holds the hashes of the tree.
    5. Every entry is a record of LOG-1.
    6. The tree began as `older`, an earlier signed checkpoint, if one is given.

    Raises:
        NotFound: there is no checkpoint.
        Malformed: the checkpoint, or `older`, is no checkpoint.
        Untrusted: the checkpoint, or `older`, is not signed by `key`.
        Tampered: 2-6 do not hold; a finding for each entry, tile or checkpoint.
    """
    stored = LogFolder(folder)
    checkpoint = Checkpoint.verify(stored.checkpoint(), key)
    known = Checkpoint.verify(older, key) if older is not None else None
    check = _Check(stored, checkpoint, tree_hash(key.key.suite_id))
    check.run(known)
    if check.findings:
        message = f"{len(check.findings)} findings; the first: {check.findings[0]}"
        raise Tampered(message, check.findings[:MAX_FINDINGS])
    return AuditReport(checkpoint, tuple(check.entries), key.key.suite_id)


class _Check:
    """One run of `verify_folder` and its findings."""

    def __init__(
        self, stored: LogFolder, checkpoint: Checkpoint, hashing: TreeHash
    ) -> None:
        self._stored = stored
        self._checkpoint = checkpoint
        self._hashing = hashing
        self._bundles = [
            tile for tile in tile_paths(checkpoint.size) if tile.level is None
        ]
        self.entries: list[bytes] = []
        self.findings: list[Finding] = []

    def run(self, known: Checkpoint | None) -> None:
        """Take steps 2 to 6."""
        leaves = [self._leaves(tile) for tile in self._bundles]
        tree = self._tree(leaves)
        if not self._is_signed(tree):
            tree = self._compare(leaves)
        if tree is not None:
            self._check_tiles(tree)
        for index, data in enumerate(self.entries):
            self._check_record(index, data)
        if known is not None:
            self._check_growth(known, tree)

    def _leaves(self, tile: TilePath) -> list[bytes] | None:
        """Read a bundle and return the leaf hashes of its entries (step 2)."""
        try:
            entries = self._stored.entries(tile)
        except Malformed as error:
            self._found(
                "audit.bundle", f"{tile.path} with whole entries", error.message
            )
            return None
        if entries is None:
            got = "no such file: it was deleted, or the log was cut short"
            self._found("audit.missing", tile.path, got)
            return None
        self.entries += entries
        return [self._hashing.leaf(entry) for entry in entries]

    def _compare(self, leaves: Sequence[list[bytes] | None]) -> Tree | None:
        """Find the entries that differ from their tiles (step 3).

        Returns the tree of the tiles if that is the signed one.
        """
        rows = [
            self._stored.hashes(TilePath(0, tile.index, tile.width))
            for tile in self._bundles
        ]
        tree = self._tree(rows)
        trusted = self._is_signed(tree)
        for tile, have, want in zip(self._bundles, leaves, rows, strict=True):
            if have is None or want is None:
                continue
            for index, got in _differences(have, want):
                name = f"entry {tile.index * TILE_WIDTH + index}"
                self._found("audit.entry", f"{name} as its tile has it", got)
        if not trusted or not self.findings:
            got = "entries and tiles that give another"
            self._found("audit.root", "the root that was signed", got)
        return tree if trusted else None

    def _check_tiles(self, tree: Tree) -> None:
        """Compare every stored tile with the tree (step 4)."""
        for tile in tile_paths(self._checkpoint.size):
            if tile.level is None:
                continue
            hashes = self._stored.hashes(tile)
            if hashes is None:
                self._found("audit.missing", tile.path, "no such file")
            elif b"".join(hashes) != tile_bytes(tree, tile):
                got = "other hashes: the tile was edited"
                self._found(
                    "audit.tile", f"{tile.path} with the hashes of the log", got
                )

    def _check_record(self, index: int, data: bytes) -> None:
        try:
            LogEntry.from_bytes(data)
        except Malformed as error:
            self._found("audit.record", f"entry {index} to be a record", error.message)

    def _check_growth(self, known: Checkpoint, tree: Tree | None) -> None:
        """Compare with the earlier checkpoint (step 6)."""
        if known.size > self._checkpoint.size:
            got = f"a checkpoint of {self._checkpoint.size}: the log was rolled back"
            self._found("audit.rollback", f"at least {known.size} entries", got)
        elif tree is not None and tree.root(known.size) != known.root:
            got = "another history: the log was rewritten or forked"
            expected = f"the first {known.size} entries as signed before"
            self._found("audit.consistency", expected, got)

    def _tree(self, rows: Sequence[list[bytes] | None]) -> Tree | None:
        """Return the tree of those leaf hashes if there are as many as signed."""
        tree = Tree(self._hashing)
        for tile, row in zip(self._bundles, rows, strict=True):
            if row is None or len(row) != tile.width:
                return None
            for leaf in row:
                if len(leaf) != HASH_BYTES:
                    return None
                tree.append(leaf)
        return tree

    def _is_signed(self, tree: Tree | None) -> bool:
        return tree is not None and tree.root() == self._checkpoint.root

    def _found(self, rule: str, expected: str, got: str) -> None:
        self.findings.append(Finding(rule, "LOG-3", expected, got, _REMEDY))


def _differences(
    have: Sequence[bytes], want: Sequence[bytes]
) -> Iterator[tuple[int, str]]:
    """Yield place and reason where the entries are not those of the tile."""
    stored, signed = set(have), set(want)
    missing = [index for index, leaf in enumerate(want) if leaf not in stored]
    extra = [index for index, leaf in enumerate(have) if leaf not in signed]
    if len(have) < len(want):
        yield from ((index, "none: it was deleted") for index in missing)
    elif len(have) > len(want):
        yield from ((index, "one that was inserted") for index in extra)
    elif missing:
        yield from ((index, "one that was edited or exchanged") for index in missing)
    else:
        for index, leaf in enumerate(have):
            if leaf != want[index]:
                yield index, "an entry of another place: entries were moved"
