# SPDX-License-Identifier: Apache-2.0
"""Transparency log files: checkpoints, tiles and entry bundles.

c2sp.org/tlog-checkpoint   checkpoint                      a signed note
c2sp.org/tlog-tiles        tile/<L>/<N>[.p/<W>]            hashes, 32 bytes each
                           tile/entries/<N>[.p/<W>]        u16 length || entry
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from strongroom.core.codec.merkle import HASH_BYTES, Tree
from strongroom.core.codec.note import Note, NoteKey, decode_base64, sign_note
from strongroom.core.crypto import SigningKey
from strongroom.errors import Malformed

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_ENTRY_BYTES = 0xFFFF
MAX_TREE_SIZE = (1 << 63) - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_INDEX = re.compile(r"(x[0-9]{3}/){0,5}[0-9]{3}")
"""More groups than these no tile of a tree of `MAX_TREE_SIZE` has."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: what the log says the first `size` entries are."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        """Return the text of the note."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of a note (section "Note text"); no extension lines.

        Raises:
            Malformed: any other text.
        """
        lines = text.split("\n")
        if len(lines) != 4 or not lines[0] or lines[3]:  # noqa: PLR2004 - 3 lines
            message = "a checkpoint is three lines: origin, size and root"
            raise Malformed(message)
        root = decode_base64(lines[2], "a checkpoint's root")
        if len(root) != HASH_BYTES:
            message = f"a checkpoint's root has {HASH_BYTES} bytes"
            raise Malformed(message)
        return cls(lines[0], parse_number(lines[1], MAX_TREE_SIZE), root)

    def sign(self, key: SigningKey) -> bytes:
        """Return the signed note, its key named after the origin."""
        return sign_note(self.to_text(), self.origin, key)

    @classmethod
    def verify(cls, note: bytes, key: NoteKey) -> Self:
        """Return the checkpoint of a note that `key` signed for its own log.

        Raises:
            Malformed: not a signed note with a checkpoint in it.
            Untrusted: not signed by `key`.
        """
        checkpoint = cls.parse(Note.parse(note).verify(key))
        if checkpoint.origin != key.name:
            message = f"the log {key.name} signed a checkpoint of {checkpoint.origin}"
            raise Malformed(message)
        return checkpoint


@dataclass(frozen=True, slots=True)
class TilePath:
    """Which tile: `level` None is an entry bundle; `width` 256 is a full one."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The path below the log's prefix (section "Merkle Tree")."""
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        suffix = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(groups)}{suffix}"

    @classmethod
    def parse(cls, path: str) -> Self:
        """Parse a path.

        Raises:
            Malformed: any text that is no tile's `path`.
        """
        level, _, rest = path.removeprefix("tile/").partition("/")
        index, partial, width = rest.partition(".p/")
        if not path.startswith("tile/") or not _INDEX.fullmatch(index):
            message = "a tile path is tile/<level>/<index>[.p/<width>]"
            raise Malformed(message)
        tile = cls(
            None if level == "entries" else parse_number(level, 63),
            int(index.replace("/", "").replace("x", "")),
            parse_number(width, TILE_WIDTH - 1) if partial else TILE_WIDTH,
        )
        if tile.path != path or not tile.width:
            message = "a tile path has no needless zeroes"
            raise Malformed(message)
        return tile


def parse_number(text: str, most: int) -> int:
    """Return a decimal number without leading zeroes.

    Raises:
        Malformed: another text, or a number over `most`.
    """
    if not _NUMBER.fullmatch(text) or int(text) > most:
        message = f"expected a decimal number of at most {most}"
        raise Malformed(message)
    return int(text)


def tile_paths(size: int, since: int = 0) -> Iterator[TilePath]:
    """Yield the tiles and bundles of a tree of `size` that one of `since` lacks."""
    yield from _row_paths(None, size, since)
    level = 0
    while size:
        yield from _row_paths(level, size, since)
        size, since, level = size >> TILE_HEIGHT, since >> TILE_HEIGHT, level + 1


def _row_paths(level: int | None, size: int, since: int) -> Iterator[TilePath]:
    if size == since:
        return
    for index in range(since // TILE_WIDTH, size // TILE_WIDTH):
        yield TilePath(level, index)
    if size % TILE_WIDTH:
        yield TilePath(level, size // TILE_WIDTH, size % TILE_WIDTH)


def tile_bytes(tree: Tree, tile: TilePath) -> bytes:
    """Return the hashes of a Merkle tile.

    Raises:
        NotFound: the tree has not grown that far.
    """
    level = TILE_HEIGHT * (tile.level or 0)
    return tree.hashes(level, tile.index * TILE_WIDTH, tile.width)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle (section "Log entries").

    Raises:
        Malformed: an entry over `MAX_ENTRY_BYTES`.
    """
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        message = f"a log entry is over the limit of {MAX_ENTRY_BYTES} bytes"
        raise Malformed(message)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        Malformed: the bytes do not end where an entry ends.
    """
    entries, start = [], 0
    while start < len(data):
        end = start + 2 + int.from_bytes(data[start : start + 2], "big")
        if end > len(data) or start + 2 > len(data):
            message = "an entry bundle ends inside an entry"
            raise Malformed(message)
        entries.append(data[start + 2 : end])
        start = end
    return entries
