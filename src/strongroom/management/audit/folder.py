# SPDX-License-Identifier: Apache-2.0
"""Reading a stored log: files laid out as c2sp.org/tlog-tiles says, not yet trusted."""

from pathlib import Path

from strongroom.core.codec.merkle import HASH_BYTES
from strongroom.core.codec.note import MAX_NOTE_BYTES
from strongroom.core.codec.tlog import (
    MAX_ENTRY_BYTES,
    TILE_WIDTH,
    TilePath,
    decode_bundle,
)
from strongroom.errors import Malformed, NotFound, Unavailable

_MAX_BUNDLE_BYTES = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)


class LogFolder:
    """A folder with `checkpoint` and `tile/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def checkpoint(self) -> bytes:
        """Return the signed note.

        Raises:
            NotFound: there is none.
        """
        data = read_bounded(self._folder / "checkpoint", MAX_NOTE_BYTES)
        if data is None:
            message = f"{self._folder} holds no checkpoint"
            raise NotFound(message)
        return data

    def hashes(self, tile: TilePath) -> list[bytes] | None:
        """Return the hashes of a Merkle tile, or None if it is not stored."""
        data, full = self._file(tile, TILE_WIDTH * HASH_BYTES)
        if data is None:
            return None
        data = data[: tile.width * HASH_BYTES] if full else data
        return [
            data[start : start + HASH_BYTES]
            for start in range(0, len(data), HASH_BYTES)
        ]

    def entries(self, tile: TilePath) -> list[bytes] | None:
        """Return the entries of a bundle, or None if it is not stored.

        Raises:
            Malformed: the bundle does not end where an entry ends.
        """
        data, full = self._file(tile, _MAX_BUNDLE_BYTES)
        if data is None:
            return None
        entries = decode_bundle(data)
        return entries[: tile.width] if full else entries

    def _file(self, tile: TilePath, limit: int) -> tuple[bytes | None, bool]:
        """Read a tile; for a partial one that is gone, the full one in its place."""
        data = read_bounded(self._folder / tile.path, limit)
        if data is not None or tile.width == TILE_WIDTH:
            return data, False
        full = TilePath(tile.level, tile.index)
        return read_bounded(self._folder / full.path, limit), True


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Return what a file holds, or None if there is none.

    Raises:
        Malformed: it is longer than `limit` bytes.
        Unavailable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise Unavailable(message) from error
    if len(data) > limit:
        message = f"{path} is longer than {limit} bytes"
        raise Malformed(message)
    return data
