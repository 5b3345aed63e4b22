# SPDX-License-Identifier: Apache-2.0
"""What attesters use of the operating system, and what its errors mean to people.

`Machine` is small enough for a fake to implement with the semantics of a device: files
that compute their content when read, and calls of devices (`ioctl`). Whatever goes
wrong leaves a `Machine` as OSError, as Linux says it, and an attester as one of
`strongroom.errors`, with the file's name and what to do about it.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from strongroom.core.rats.hardware import MAX_PART_BYTES
from strongroom.errors import Malformed, Misconfigured, StrongroomError, Unavailable

REPORT_DATA_BYTES = 64

_ABSENT = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENXIO,
    errno.ENODEV,
    errno.ENOTTY,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_REFUSED = {errno.EINVAL, errno.EFBIG, errno.EMSGSIZE, errno.EFAULT}
_CHUNK = 1 << 16
_MAX_CALLS = 8


class Machine(Protocol):
    """Files and devices of the machine that this runs on."""

    def read(self, path: str) -> bytes:
        """Return the whole of a file, of at most 16 MiB.

        Raises:
            OSError: as the kernel says; EFBIG where there is more.
        """

    def write(self, path: str, data: bytes) -> None:
        """Write all of `data` into a file that is there.

        Raises:
            OSError: as the kernel says.
        """

    def make_folder(self, path: str) -> None:
        """Make a folder that is not there yet.

        Raises:
            OSError: as the kernel says.
        """

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder.

        Raises:
            OSError: as the kernel says.
        """

    def ioctl(
        self,
        path: str,
        code: int,
        argument: bytearray,
        buffers: Mapping[int, bytearray],
    ) -> None:
        """Make one call of a device; it may change `argument` and `buffers`.

        Args:
            path: of the device.
            code: the request, as its header's `_IOWR` gives it.
            argument: the structure that the call takes.
            buffers: those that the structure points to, by the offset in `argument`
                of the pointer (64 bits).

        Raises:
            OSError: as the kernel says.
        """


class LinuxMachine:
    """The machine itself."""

    def read(self, path: str) -> bytes:
        """Return the whole of a file; a signal in between is nothing (PEP 475)."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts: list[bytes] = []
            left = MAX_PART_BYTES + 1
            while left and (part := os.read(fd, min(_CHUNK, left))):
                parts.append(part)
                left -= len(part)
        finally:
            os.close(fd)
        if not left:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return b"".join(parts)

    def write(self, path: str, data: bytes) -> None:
        """Write all of `data`, in as many steps as the kernel wants.

        Never creates the file: attributes of the kernel are there or are not.
        """
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            rest = memoryview(data)
            while rest:
                written = os.write(fd, rest)
                if not written:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), path)
                rest = rest[written:]
        finally:
            os.close(fd)

    def make_folder(self, path: str) -> None:
        """Make a folder."""
        os.mkdir(path, 0o700)  # noqa: PTH102 - the path is the kernel's, on Linux

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        os.rmdir(path)  # noqa: PTH106 - the path is the kernel's, on Linux

    def ioctl(
        self,
        path: str,
        code: int,
        argument: bytearray,
        buffers: Mapping[int, bytearray],
    ) -> None:
        """Make one call; one that a signal broke off is made again."""
        import fcntl  # noqa: PLC0415 - not on every system that verifies

        held = []
        for offset, buffer in buffers.items():
            view = (ctypes.c_char * len(buffer)).from_buffer(buffer)
            struct.pack_into("=Q", argument, offset, ctypes.addressof(view))
            held.append(view)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            for attempt in range(1, _MAX_CALLS + 1):
                try:
                    fcntl.ioctl(fd, code, argument, True)
                except InterruptedError:
                    if attempt == _MAX_CALLS:
                        raise
                else:
                    return
        finally:
            os.close(fd)
            held.clear()


LINUX = LinuxMachine()


def iowr(group: int, number: int, size: int) -> int:
    """Return the request of a call that reads and writes `size` bytes.

    Linux, include/uapi/asm-generic/ioctl.h, `_IOWR`.
    """
    return 3 << 30 | size << 16 | group << 8 | number


@contextmanager
def using(path: str, needs: str) -> Iterator[None]:
    """Say what an OSError inside means: which file, and what the machine `needs`."""
    try:
        yield
    except OSError as error:
        raise unusable(path, needs, error) from error


def unusable(path: str, needs: str, error: OSError) -> StrongroomError:
    """Return the error to raise where `path` cannot be used.

    `Misconfigured` where it is missing, denied or will not have what it was given,
    `Unavailable` where the same may succeed later.
    """
    inside = str(error.filename or path)
    where = path if inside.startswith(f"{path}/") else inside
    if error.errno in _ABSENT:
        return Misconfigured(f"{where} is not there: {needs}")
    if error.errno in _DENIED:
        message = (
            f"{where} may not be used by this user: run as root, or let the file's "
            "group use it"
        )
        return Misconfigured(message)
    why = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _REFUSED:
        return Misconfigured(f"{where} refused the request ({why}): {needs}")
    return Unavailable(f"{where} did not answer ({why}); try again")


def require_report_data(bound: bytes) -> None:
    """Refuse report data of another size than every report has room for.

    Shorter data would have to be padded, and two callers could pad differently.

    Raises:
        Malformed: not 64 bytes.
    """
    if len(bound) != REPORT_DATA_BYTES:
        message = (
            f"report data has {REPORT_DATA_BYTES} bytes, not {len(bound)}: hash what "
            "is to be bound and fill up with zeros"
        )
        raise Malformed(message)
