# SPDX-License-Identifier: Apache-2.0
"""Named files over protected blocks: written whole or not at all, read anywhere."""

import os
from collections.abc import Callable, Iterator

from strongroom.errors import Malformed, NotFound
from strongroom.services.storage.file import FileInfo, ProtectedFile
from strongroom.services.storage.storage import Storage
from strongroom.services.storage.views import Snapshot, Transaction

BLOCK_BYTES = 1 << 20
MAX_NAME_BYTES = 1024
_FILES = b"f/"
_ID_BYTES = 16


class ProtectedFiles:
    """The files of one storage, under names of 1 to 1024 bytes of UTF-8.

    Args:
        storage: an open storage, kept and closed by the caller.
        block_bytes: length of the blocks of new files.
    """

    def __init__(self, storage: Storage, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._storage, self._block_bytes = storage, block_bytes

    def open(self, name: str) -> ProtectedFile:
        """Return a file to read, as it is now and stays for the reader.

        Raises:
            NotFound: there is none.
            Conflict: not the owner of the storage any more.
        """
        key, view = file_key(name), self._storage.snapshot()
        return _opened(view, key, lambda: _info(view, key))

    def create(self, name: str) -> ProtectedFile:
        """Return a new file to write; closing it puts it in the place of an old one.

        Raises:
            Conflict: not the owner of the storage any more.
        """
        key, view = file_key(name), self._storage.begin()

        def start() -> FileInfo:
            remove(view, key)
            return FileInfo(os.urandom(_ID_BYTES), 0, self._block_bytes)

        return _opened(view, key, start)

    def update(self, name: str) -> ProtectedFile:
        """Return a file to read and write anywhere; closing it commits all of it.

        Raises:
            NotFound: there is none.
            Conflict: not the owner of the storage any more.
        """
        key, view = file_key(name), self._storage.begin()
        return _opened(view, key, lambda: _info(view, key))

    def size(self, name: str) -> int:
        """Return the length of a file in bytes.

        Raises:
            NotFound: there is none.
        """
        with self._storage.snapshot() as view:
            return _info(view, file_key(name)).size

    def version(self, name: str) -> int:
        """Return the state that a file was written for; a later one has a higher.

        Raises:
            NotFound: there is none.
        """
        with self._storage.snapshot() as view:
            return view.version(file_key(name))

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with `prefix`, in the order of their UTF-8."""
        with self._storage.snapshot() as view:
            found = list(view.keys(_FILES + prefix.encode()))
        yield from (key[len(_FILES) :].decode() for key in found)

    def remove(self, name: str) -> None:
        """Delete a file.

        Raises:
            NotFound: there is none.
        """
        with self._storage.begin() as view:
            _info(view, file_key(name))
            remove(view, file_key(name))

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, in the place of a file that has it.

        Raises:
            NotFound: there is none called `name`.
        """
        if name == new:
            self.size(name)
            return
        with self._storage.begin() as view:
            info = _info(view, file_key(name))
            remove(view, file_key(new))
            view.delete(file_key(name))
            view.write(file_key(new), info.to_bytes())


def file_key(name: str) -> bytes:
    """Return the key of a file's description in the tree.

    Raises:
        Malformed: not a name that a file can have.
    """
    try:
        raw = name.encode()
    except UnicodeEncodeError as error:
        message = "the name of a file is Unicode text"
        raise Malformed(message) from error
    if not 0 < len(raw) <= MAX_NAME_BYTES:
        message = f"the name of a file is 1 to {MAX_NAME_BYTES} bytes of UTF-8"
        raise Malformed(message)
    return _FILES + raw


def remove(view: Transaction, key: bytes) -> None:
    """Delete a file's description and blocks, if there is such a file."""
    if view.length(key) is None:
        return
    for block in view.keys(_info(view, key).blocks):
        view.delete(block)
    view.delete(key)


def _info(view: Snapshot, key: bytes) -> FileInfo:
    if view.length(key) is None:
        message = "there is no such file"
        raise NotFound(message)
    return FileInfo.from_bytes(view.read(key))


def _opened(view: Snapshot, key: bytes, start: Callable[[], FileInfo]) -> ProtectedFile:
    try:
        return ProtectedFile(view, key, start())
    except BaseException:
        view.close()
        raise
