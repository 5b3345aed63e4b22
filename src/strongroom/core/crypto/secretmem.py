# SPDX-License-Identifier: Apache-2.0
"""memfd_secret(2) through libc: map, fill and unmap, by address."""

import ctypes
import errno
import mmap
import os
import sys
from functools import cache

from strongroom.core.crypto.native import INT, POINTER, SIZE, declare
from strongroom.errors import Misconfigured, Unavailable

_MEMFD_SECRET = 447
_CLOEXEC = 0o2000000
_DONTFORK = 10
_FAILED = ctypes.c_void_p(-1).value
_PROTOTYPES = {
    "syscall": (ctypes.c_long, (ctypes.c_long, ctypes.c_long)),
    "mmap": (POINTER, (POINTER, SIZE, INT, INT, INT, ctypes.c_long)),
    "munmap": (INT, (POINTER, SIZE)),
    "madvise": (INT, (POINTER, SIZE, INT)),
    "getrandom": (ctypes.c_ssize_t, (POINTER, SIZE, ctypes.c_uint)),
}
_ADVICE = (
    "secret memory is missing: it needs Linux 5.14 or later built with "
    "CONFIG_SECRETMEM, and before 6.5 the kernel parameter secretmem.enable=1"
)


@cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if library is None or not declare(library, _PROTOTYPES):
        raise Misconfigured(_ADVICE)
    return library


def map_secret(size: int, *, inherit: bool) -> int:
    """Return the address of `size` new secret bytes whose descriptor is closed.

    The descriptor goes at once, since another process could take an open one by
    pidfd_getfd, and Python's own `mmap` would keep a duplicate.

    Raises:
        Misconfigured: the machine lacks it, or RLIMIT_MEMLOCK is reached.
    """
    libc = _libc()
    fd = libc.syscall(_MEMFD_SECRET, _CLOEXEC)
    if fd < 0:
        raise Misconfigured(_why_not(ctypes.get_errno()))
    try:
        os.ftruncate(fd, size)
        access = mmap.PROT_READ | mmap.PROT_WRITE
        address = libc.mmap(None, size, access, mmap.MAP_SHARED, fd, 0)
    except (OSError, OverflowError) as error:
        message = f"{size} bytes of secret memory are more than this machine gives"
        raise Misconfigured(message) from error
    finally:
        os.close(fd)
    if address is None or address == _FAILED:
        reason = os.strerror(ctypes.get_errno())
        message = (
            f"secret memory is locked memory and {size} bytes more were refused "
            f"({reason}): raise RLIMIT_MEMLOCK (ulimit -l)"
        )
        raise Misconfigured(message)
    if not inherit and libc.madvise(address, size, _DONTFORK):
        libc.munmap(address, size)
        message = f"madvise(MADV_DONTFORK): {os.strerror(ctypes.get_errno())}"
        raise Misconfigured(message)
    return int(address)


def _why_not(number: int) -> str:
    reason = os.strerror(number)
    if number == errno.ENOSYS:
        return _ADVICE
    if number == errno.EPERM:
        return f"memfd_secret: {reason}; the container's seccomp profile must allow it"
    return f"memfd_secret: {reason}"


def unmap(address: int, size: int) -> None:
    """Give `size` bytes at `address` back to the kernel."""
    _libc().munmap(address, size)


def fill_random(address: int, size: int) -> None:
    """Let the kernel write random bytes (getrandom(2)); Python sees none of them.

    Raises:
        Unavailable: the kernel gave none.
    """
    done = 0
    while done < size:
        got = _libc().getrandom(address + done, size - done, 0)
        if got < 0 and ctypes.get_errno() != errno.EINTR:
            message = f"getrandom: {os.strerror(ctypes.get_errno())}"
            raise Unavailable(message)
        done += max(0, got)
