# SPDX-License-Identifier: Apache-2.0
"""A folder as a store: one file an object."""

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.core.crypto import Buffer
from strongroom.errors import Malformed, Unavailable

_PART = re.compile(r"[0-9a-z-]{1,128}")
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class FolderStore:
    """Objects as files below `folder`, of mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._unsynced: set[Path] = set()
        self._failed = False
        with _translated(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get(self, name: str) -> bytes | None:
        """Return the bytes under `name`, or None."""
        path = self._path(name)
        with _translated(path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def put(self, name: str, data: Buffer) -> None:
        """Write a file; `sync` makes it durable."""
        path = self._path(name)
        with _translated(path):
            self._make_folder(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS
            fd = os.open(path, flags, 0o600)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
            finally:
                os.close(fd)
        with self._lock:
            self._unsynced |= {path, path.parent}

    def sync(self) -> None:
        """Flush every file that was written since, and the folders they are in.

        Raises:
            Unavailable: the disk did not take them; open the store again, since
                nobody can say which of them are on it.
        """
        with self._lock:
            if self._failed:
                message = f"{self._folder} failed to take data: open it again"
                raise Unavailable(message)
            try:
                for path in self._unsynced:
                    _flush(path)
            except Unavailable:
                self._failed = True
                raise
            self._unsynced.clear()

    def delete(self, names: Iterable[str]) -> None:
        """Remove files."""
        for name in names:
            path = self._path(name)
            with _translated(path), self._lock:
                path.unlink(missing_ok=True)
                self._unsynced.discard(path)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin with `prefix`."""
        inside, _, _ = prefix.rpartition("/")
        top = self._path(inside) if inside else self._folder
        with _translated(top):
            for base, _, files in os.walk(top):
                for file in files:
                    name = (Path(base) / file).relative_to(self._folder).as_posix()
                    if name.startswith(prefix):
                        yield name

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _path(self, name: str) -> Path:
        if not all(map(_PART.fullmatch, name.split("/"))):
            message = "a name in a store is lower-case letters, digits, - and /"
            raise Malformed(message)
        return self._folder / name

    def _make_folder(self, folder: Path) -> None:
        """Make a folder below the store's; the ones above learn its name durably."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        with self._lock:
            self._unsynced.add(folder.parent)


def open_url(url: str) -> FolderStore:
    """Open the store at `folder:PATH`."""
    return FolderStore(Path(url.removeprefix("folder:")))


def _flush(path: Path) -> None:
    with _translated(path):
        try:
            fd = os.open(path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return  # deleted meanwhile, so nothing refers to it
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Unavailable(message) from error
