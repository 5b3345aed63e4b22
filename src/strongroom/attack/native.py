# SPDX-License-Identifier: Apache-2.0
"""The system calls that attackers use and Python has no function for.

By the C library's own functions where it has them; the two calls that are made by
number are younger than the rule that every architecture numbers calls alike.
"""

import ctypes
import functools
import os

from strongroom.attack.route import NotTried

ATTACH, PEEK, DETACH = 16, 2, 17
_WAIT_ALL = 0x40000000
_PIDFD_GETFD, _PROCESS_MADVISE = 438, 440
_PAGEOUT = 21
WORD = ctypes.sizeof(ctypes.c_long)


class Span(ctypes.Structure):
    """A piece of memory, as `struct iovec` has it."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))  # type: ignore[mutable-override]


@functools.cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    for name in ("ptrace", "syscall", "process_vm_readv", "process_vm_writev"):
        if not hasattr(library, name):
            message = f"the C library has no {name}"
            raise NotTried(message)
        getattr(library, name).restype = ctypes.c_long
    return library


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result


def process_vm(pid: int, address: int, local: "ctypes.Array[ctypes.c_char]") -> None:
    """Read another process's memory into `local`.

    Raises:
        OSError: the kernel does not, or not all of it.
    """
    _move("process_vm_readv", pid, address, local)


def process_vm_write(
    pid: int, address: int, local: "ctypes.Array[ctypes.c_char]"
) -> None:
    """Write `local` into another process's memory; raises as `process_vm`."""
    _move("process_vm_writev", pid, address, local)


def _move(
    name: str, pid: int, address: int, local: "ctypes.Array[ctypes.c_char]"
) -> None:
    size = len(local)
    here, there = Span(ctypes.addressof(local), size), Span(address, size)
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    done = getattr(_libc(), name)(
        ctypes.c_int(pid), ctypes.byref(here), one, ctypes.byref(there), one, none
    )
    if _checked(done, name) != size:
        raise OSError(0, "a part of it only", name)


def peek(pid: int, address: int, size: int) -> bytes:
    """Attach as a debugger, read memory word by word, and let go.

    Raises:
        OSError: the kernel does not allow it.
    """
    _ptrace(ATTACH, pid, 0)
    try:
        os.waitpid(pid, _WAIT_ALL)
        words = [_ptrace(PEEK, pid, address + at) for at in range(0, size, WORD)]
    finally:
        _libc().ptrace(
            ctypes.c_long(DETACH),
            ctypes.c_long(pid),
            ctypes.c_void_p(0),
            ctypes.c_void_p(0),
        )
    return b"".join(ctypes.c_long(word) for word in words)


def _ptrace(request: int, pid: int, address: int) -> int:
    """Make one request; what is read may be -1, so the error number decides."""
    ctypes.set_errno(0)
    word: int = _libc().ptrace(
        ctypes.c_long(request),
        ctypes.c_long(pid),
        ctypes.c_void_p(address),
        ctypes.c_void_p(0),
    )
    code = ctypes.get_errno()
    if code:
        raise OSError(code, os.strerror(code), "ptrace")
    return word


def take_descriptor(handle: int, number: int) -> int:
    """Return a copy of another process's descriptor.

    Raises:
        OSError: not allowed (EPERM), or no such descriptor (EBADF).
    """
    rest = [ctypes.c_long(each) for each in (handle, number, 0)]
    taken: int = _libc().syscall(ctypes.c_long(_PIDFD_GETFD), *rest)
    return _checked(taken, "pidfd_getfd")


def page_out(handle: int, address: int, size: int) -> None:
    """Ask the kernel to write a piece of another process's memory to swap.

    Raises:
        OSError: not allowed, or no page that can be swapped (EINVAL).
    """
    span = Span(address, size)
    done: int = _libc().syscall(
        ctypes.c_long(_PROCESS_MADVISE),
        ctypes.c_long(handle),
        ctypes.byref(span),
        ctypes.c_long(1),
        ctypes.c_long(_PAGEOUT),
        ctypes.c_long(0),
    )
    _checked(done, "process_madvise")


def enter_network(fd: int) -> None:
    """Join a network namespace.

    Raises:
        OSError: not allowed.
    """
    new_network = 0x40000000
    _checked(_libc().setns(ctypes.c_int(fd), ctypes.c_int(new_network)), "setns")
