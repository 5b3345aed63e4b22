# SPDX-License-Identifier: Apache-2.0
"""Files of a device: private, durable, and secret ones never in ordinary memory."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import Conflict, Malformed, Misconfigured, NotFound, Tampered

if sys.platform != "win32":
    import fcntl

_OTHERS = 0o077
_MAX_PUBLIC_BYTES = 1 << 20


def make_private(folder: Path) -> None:
    """Make `folder` with mode 0700, or hold an existing one to it.

    Raises:
        Misconfigured: others could read it, or it cannot be made.
    """
    with _translated(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_private(folder)


def require_private(path: Path) -> None:
    """Refuse a path that is not this user's alone.

    Raises:
        NotFound: it does not exist.
        Misconfigured: it is another user's, or open to others.
    """
    with _translated(path):
        status = path.lstat()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & _OTHERS:
        message = f"{path} must belong to this user and be closed to others (chmod go=)"
        raise Misconfigured(message)


def write_secret(path: Path, secret: SecretBuffer) -> None:
    """Put `secret` into a new file of mode 0600, durably; `read_secret` inverts it."""
    _write(path, secret.write_to)


def write_public(path: Path, data: bytes) -> None:
    """Put `data` into a file of mode 0600, durably: the old or the new, never half."""

    def write(fd: int) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]

    _write(path, write)


def read_secret(path: Path, size: int) -> SecretBuffer:
    """Return the `size` bytes of a file, in secret memory.

    Raises:
        Tampered: the file is gone or of another size.
        Misconfigured: others could read it.
    """
    secret = SecretBuffer(size)
    try:
        with _opened(path, os.O_RDONLY) as fd:
            secret.read_from(fd)
            longer = os.read(fd, 1)
    except Malformed as error:
        secret.close()
        raise damaged(path) from error
    except BaseException:
        secret.close()
        raise
    if longer:
        secret.close()
        raise damaged(path)
    return secret


def read_public(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        Tampered: the file is gone or far too long.
    """
    with _opened(path, os.O_RDONLY) as fd:
        if os.fstat(fd).st_size > _MAX_PUBLIC_BYTES:
            raise damaged(path)
        return os.read(fd, _MAX_PUBLIC_BYTES)


def open_private(path: Path, flags: int) -> int:
    """Return a descriptor of a file that was there before and is this user's alone.

    Raises:
        Tampered: the file is gone.
        Misconfigured: others could open it.
    """
    try:
        require_private(path)
    except NotFound as error:
        raise damaged(path) from error
    with _translated(path):
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)


def lock(path: Path) -> int:
    """Return a descriptor that holds an exclusive lock until it is closed.

    Raises:
        Conflict: someone else holds it.
    """
    with _translated(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        message = f"{path.parent} is in use: one device has one monitor"
        raise Conflict(message) from error
    return fd


def sync_folder(folder: Path) -> None:
    """Make names in `folder` durable."""
    with _translated(folder):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write(path: Path, write: Callable[[int], None]) -> None:
    """Write beside, fsync, rename, fsync the folder."""
    beside = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with _translated(path):
        fd = os.open(beside, flags, 0o600)
        try:
            os.fchmod(fd, 0o600)
            write(fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        beside.replace(path)
    sync_folder(path.parent)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    fd = open_private(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn an OSError into an error of ours that names the path."""
    try:
        yield
    except FileNotFoundError as error:
        message = f"{path} does not exist"
        raise NotFound(message) from error
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Misconfigured(message) from error


def damaged(path: Path) -> Tampered:
    """Return the refusal of a device whose file is not as it was written."""
    return Tampered.because(
        rule="device.file",
        owner="device",
        expected=f"{path.name} as this device wrote it",
        got="a file that is missing, altered or cut",
        remedy="Restore the device's whole folder, or provision a new device.",
    )
