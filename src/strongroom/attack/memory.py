# SPDX-License-Identifier: Apache-2.0
"""Routes to the memory of an enclave and of its monitor (HW-1)."""

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from strongroom.attack import native
from strongroom.attack.route import NO_SWAP, NotTried
from strongroom.attack.target import Target

SIZE = 32
_PASSES = 3
_CHUNK = 4 << 20
_PAGE = os.sysconf("SC_PAGESIZE")
_MOST_FDS = 256
_TOOL_S = 60
Read = Callable[[int, int], bytes]


def heap(read: Read) -> Callable[[Target], bool]:
    """Return an attempt on the secret in ordinary memory."""
    return lambda at: read(at.enclave, at.heap) == at.ordinary


def hidden(read: Read) -> Callable[[Target], bool]:
    """Return an attempt on the secret in secret memory."""
    return lambda at: read(at.enclave, at.secret) == at.hidden


def proc_mem(pid: int, address: int) -> bytes:
    """Read through /proc/PID/mem."""
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        return os.pread(fd, SIZE, address)
    finally:
        os.close(fd)


def process_vm(pid: int, address: int) -> bytes:
    """Read by process_vm_readv."""
    local = ctypes.create_string_buffer(SIZE)
    native.process_vm(pid, address, local)
    return local.raw


def ptrace(pid: int, address: int) -> bytes:
    """Attach as a debugger and peek word by word."""
    return native.peek(pid, address, SIZE)


def overwrite(at: Target) -> bool:
    """Change ordinary memory by process_vm_writev, and see whether it took."""
    data = os.urandom(SIZE)
    native.process_vm_write(
        at.enclave, at.scratch, ctypes.create_string_buffer(data, SIZE)
    )
    return process_vm(at.enclave, at.scratch) == data


def stolen_descriptors(at: Target) -> bool:
    """Take every descriptor by pidfd_getfd and look for a secret behind one."""
    return any(_is_behind_one_of(pid, at) for pid in at.processes)


def _is_behind_one_of(pid: int, at: Target) -> bool:
    """Return whether a descriptor of a process leads to a secret.

    Raises:
        PermissionError: not one of them could be taken.
    """
    handle = os.pidfd_open(pid)
    taken, denied = 0, None
    try:
        for number in range(_MOST_FDS):
            try:
                fd = native.take_descriptor(handle, number)
            except PermissionError as error:
                denied = error
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise
            else:
                taken += 1
                found = _leads_to(fd, at)
                os.close(fd)
                if found:
                    return True
    finally:
        os.close(handle)
    if not taken and denied:
        raise denied
    return False


def swapped(place: Callable[[Target], int]) -> Callable[[Target], bool]:
    """Return an attempt that has the kernel swap a secret out (FACTS 1)."""

    def attempt(at: Target) -> bool:
        page = place(at) & -_PAGE
        handle = os.pidfd_open(at.enclave)
        try:
            native.page_out(handle, page, _PAGE)
        finally:
            os.close(handle)
        if len(Path("/proc/swaps").read_text("ascii").splitlines()) < 2:  # noqa: PLR2004 - a heading
            raise NotTried(NO_SWAP)
        return _is_swapped(at.enclave, page)

    return attempt


def search(
    who: Callable[[Target], tuple[int, ...]], what: Callable[[Target], bytes]
) -> Callable[[Target], bool]:
    """Return an attempt that searches all readable memory of processes."""

    def attempt(at: Target) -> bool:
        return any(_in_memory(pid, what(at)) for _ in range(_PASSES) for pid in who(at))

    return attempt


def _in_memory(pid: int, needle: bytes) -> bool:
    """Return whether `needle` lies anywhere in a process, pieces overlapping."""
    with Path(f"/proc/{pid}/maps").open(encoding="utf-8", errors="replace") as maps:
        spans = [line.split()[:2] for line in maps]
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for span, mode in spans:
            start, end = (int(part, 16) for part in span.split("-"))
            if mode.startswith("r") and end < 1 << 63:
                tail = b""
                for piece in _pieces(fd, start, end):
                    if needle in tail + piece:
                        return True
                    tail = piece[1 - len(needle) :]
    finally:
        os.close(fd)
    return False


def _pieces(fd: int, start: int, end: int) -> Iterator[bytes]:
    """Yield what can be read of a mapping; a page that cannot is passed over."""
    while start < end:
        try:
            piece = os.pread(fd, min(_CHUNK, end - start), start)
        except OSError:
            piece = b""
        yield piece
        start += len(piece) or _PAGE


def _leads_to(fd: int, at: Target) -> bool:
    """Return whether a descriptor is secret memory, or a file with a secret."""
    if "secretmem" in os.fspath(Path(f"/proc/self/fd/{fd}").readlink()):
        return True
    try:
        data = os.pread(fd, _CHUNK, 0)
    except OSError:
        return False
    return any(secret in data for secret in (*at.planted, at.device))


def _is_swapped(pid: int, page: int) -> bool:
    """Return whether the kernel says that a page is in swap (pagemap, bit 62)."""
    entry = 8
    fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
    try:
        data = os.pread(fd, entry, page // _PAGE * entry)
    finally:
        os.close(fd)
    return bool(int.from_bytes(data, "little") >> 62 & 1)
