# SPDX-License-Identifier: Apache-2.0
"""Objects as files of one folder, for one enclave at a time."""

import contextlib
import fcntl
import os
import re
from pathlib import Path

from strongroom.errors import Conflict, Malformed
from strongroom.management.files import sync_folder, write_durably

NAME = re.compile(r"[a-z0-9][a-z0-9.]{0,160}")


class FolderObjects:
    """Implements `ObjectStore`; holds a lock on its folder until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, made if missing.

        Raises:
            Conflict: somebody else has it open.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            message = f"{folder} is open elsewhere: one enclave at a time writes to it"
            raise Conflict(message) from error

    def get(self, name: str) -> bytes | None:
        """Return an object, or None."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, data: bytes) -> None:
        """Keep an object durably."""
        write_durably(self._path(name), data)

    def delete(self, name: str) -> None:
        """Forget an object."""
        with contextlib.suppress(FileNotFoundError):
            self._path(name).unlink()
            sync_folder(self._folder)

    def names(self) -> tuple[str, ...]:
        """Return the names of all objects."""
        return tuple(
            each.name for each in self._folder.iterdir() if NAME.fullmatch(each.name)
        )

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._lock)

    def _path(self, name: str) -> Path:
        return self._folder / checked(name)


def checked(name: str) -> str:
    """Return a name that is one: it comes from an enclave and names no path.

    Raises:
        Malformed: it is none.
    """
    if not NAME.fullmatch(name):
        message = "an object's name is lower-case letters, digits and dots"
        raise Malformed(message)
    return name
