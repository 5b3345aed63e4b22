# SPDX-License-Identifier: Apache-2.0
"""One protected file, as what Python, Arrow and DuckDB take for a binary file."""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from strongroom.core.codec.record import Record
from strongroom.core.crypto.buffers import wipe
from strongroom.errors import Malformed, StrongroomError
from strongroom.services.storage.objects import MAX_OBJECT_BYTES
from strongroom.services.storage.views import Snapshot, Transaction

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_FILE_BYTES = 1 << 62
_ID_BYTES = 16


@dataclass(frozen=True)
class FileInfo(Record):
    """What is stored under a file's name.

    A block that is absent, or the missing end of a short one, reads as zeros as far as
    `size` goes; the tree vouches for both.
    """

    TYPE: ClassVar[str] = "strongroom/storage-file/v1"

    id: bytes
    size: int
    block_bytes: int

    def __post_init__(self) -> None:
        """Refuse what no writer of files makes."""
        if len(self.id) != _ID_BYTES or not 0 <= self.size <= MAX_FILE_BYTES:
            message = "the description of a file has an id or size that none has"
            raise Malformed(message)
        if not 0 < self.block_bytes <= MAX_OBJECT_BYTES:
            message = f"a file's blocks are 1 to {MAX_OBJECT_BYTES} bytes"
            raise Malformed(message)

    @property
    def blocks(self) -> bytes:
        """What the keys of the file's blocks begin with."""
        return b"d/" + self.id

    def block(self, index: int) -> bytes:
        """Return the key of a block."""
        return self.blocks + index.to_bytes(8, "big")


class ProtectedFile(io.RawIOBase):
    """A file over a view of the storage; what a transaction views can be written.

    One block at most is kept in memory, for parts of blocks. `close` commits; leaving
    it as a context by an error, or forgetting it, gives the writes up. For one thread
    at a time.
    """

    def __init__(self, view: Snapshot, key: bytes, info: FileInfo) -> None:
        super().__init__()
        self._view, self._key, self._info = view, key, info
        self._writer = view if isinstance(view, Transaction) else None
        self._at, self._size = 0, info.size
        self._blocks, self._whole = info.blocks, info.block_bytes
        self._block = bytearray()
        self._index = -1
        self._dirty = False

    @property
    def size(self) -> int:
        """The length of the file in bytes."""
        return self._size

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read anywhere: always."""
        return True

    def writable(self) -> bool:
        """Whether it was opened to be written."""
        return self._writer is not None

    def tell(self) -> int:
        """Return the place where reading or writing goes on."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; one after the end reads nothing and is written after zeros."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}
        if whence not in base or not 0 <= base[whence] + offset <= MAX_FILE_BYTES:
            message = "there is no such place in a file"
            raise Malformed(message)
        self._at = base[whence] + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill `buffer` as far as the file goes; return how many bytes that was.

        Raises:
            Tampered, Stale: the store did not give what was written; nothing of the
                block concerned is in `buffer`.
        """
        self._require_open()
        room = memoryview(buffer).cast("B")
        room = room[: max(min(len(room), self._size - self._at), 0)]
        for index, start, part in self._parts(room):
            if index != self._index and len(part) == self._whole:
                self._read_block(index, part)
            else:
                self._keep(index)
                part[:] = memoryview(self._block)[start : start + len(part)]
        self._at += len(room)
        return len(room)

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all of `data`; it counts once the file is closed.

        Raises:
            Malformed: over `MAX_FILE_BYTES`.
        """
        writer = self._require_writer()
        source = memoryview(data).cast("B")
        if self._at + len(source) > MAX_FILE_BYTES:
            message = f"a file has at most {MAX_FILE_BYTES} bytes"
            raise Malformed(message)
        if not len(source):
            return 0
        self._size = max(self._size, self._at + len(source))
        for index, start, part in self._parts(source):
            if len(part) == self._whole:
                if index == self._index:
                    self._forget(index)
                writer.write(self._blocks + index.to_bytes(8, "big"), part)
            else:
                self._keep(index)
                self._block[start : start + len(part)] = part
                self._dirty = True
        self._at += len(source)
        return len(source)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the length; what is cut off is gone, what is added is zeros."""
        writer, size = self._require_writer(), self._at if size is None else size
        if not 0 <= size <= MAX_FILE_BYTES:
            message = "there is no such length of a file"
            raise Malformed(message)
        if size < self._size:
            whole, rest = divmod(size, self._info.block_bytes)
            if rest:
                self._keep(whole)
                self._block[rest:] = bytes(len(self._block) - rest)
                self._dirty = True
            first = self._info.block(whole + bool(rest))
            for key in list(writer.keys(self._info.blocks)):
                if key >= first:
                    writer.delete(key)
            if self._index >= whole + bool(rest):
                self._forget(self._index)
        self._size = size
        return size

    def close(self) -> None:
        """Commit what was written, and let go of the storage.

        Raises:
            Conflict: see `Transaction.commit`; the old file is still there then,
                unless the rule is storage.unknown.
        """
        if self.closed:
            return
        try:
            if self._writer is not None:
                self._write_back()
                info = replace(self._info, size=self._size)
                self._writer.write(self._key, info.to_bytes())
                self._writer.commit()
        finally:
            self.discard()

    def discard(self) -> None:
        """Close without writing anything."""
        if not self.closed:
            if self._block:
                wipe(self._block)
            self._view.close()
            super().close()

    def _parts(self, view: memoryview) -> Iterator[tuple[int, int, memoryview]]:
        """Cut `view`, which lies at the current place, where blocks end.

        Yields:
            Number of the block, start within it, and the part of `view`.
        """
        done, whole = 0, self._whole
        while done < len(view):
            index, start = divmod(self._at + done, whole)
            end = done + whole - start
            yield index, start, view[done:end]
            done = end

    def _keep(self, index: int) -> None:
        """Have block `index` in memory, whole."""
        if index == self._index:
            return
        self._write_back()
        self._index = -1
        if not self._block:
            self._block = bytearray(self._info.block_bytes)
        self._read_block(index, memoryview(self._block))
        self._index = index

    def _read_block(self, index: int, room: memoryview) -> None:
        key = self._blocks + index.to_bytes(8, "big")
        length = self._view.read_start(key, room)
        if length < len(room):
            room[length:] = bytes(len(room) - length)

    def _write_back(self) -> None:
        """Write the block in memory, up to the end of the file."""
        if self._dirty and self._writer is not None:
            end = self._size - self._index * self._info.block_bytes
            data = memoryview(self._block)[: max(end, 0)]
            self._writer.write(self._info.block(self._index), data)
        self._dirty = False

    def _forget(self, index: int) -> None:
        if index == self._index:
            self._index, self._dirty = -1, False

    def _require_open(self) -> None:
        if self.closed:
            message = "I/O operation on closed file"
            raise ValueError(message)

    def _require_writer(self) -> Transaction:
        self._require_open()
        if self._writer is None:
            message = "this file was opened to be read"
            raise io.UnsupportedOperation(message)
        return self._writer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        with suppress(StrongroomError, AttributeError):
            self.discard()
