# SPDX-License-Identifier: Apache-2.0
"""Bytes where they lie: the buffer types of every room, and their addresses.

Keys come from secret memory and bulk data from mapped files, so nothing here copies:
`pinned` lends a C library the address of a buffer for the length of one call.
"""

import ctypes
import hmac
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

_SIMPLE, _WRITABLE = 0, 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGE_BYTES = 16 << 20, 8 << 20


class _PyBuffer(ctypes.Structure):
    """`Py_buffer` of the CPython stable ABI."""


_PyBuffer._fields_ = (
    ("buf", ctypes.c_void_p),
    ("obj", ctypes.c_void_p),
    ("len", ctypes.c_ssize_t),
    ("itemsize", ctypes.c_ssize_t),
    ("readonly", ctypes.c_int),
    ("ndim", ctypes.c_int),
    ("format", ctypes.c_void_p),
    ("shape", ctypes.c_void_p),
    ("strides", ctypes.c_void_p),
    ("suboffsets", ctypes.c_void_p),
    ("internal", ctypes.c_void_p),
)


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = (ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int)
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes = (ctypes.POINTER(_PyBuffer),)
_release.restype = None


@contextmanager
def pinned(buffer: Buffer, *, writable: bool = False) -> Iterator[int]:
    """Lend the address of `buffer`, which cannot move or be resized meanwhile.

    Raises:
        BufferError: read-only where `writable` is asked, or not contiguous.
    """
    lock = _PyBuffer()
    _get(buffer, ctypes.byref(lock), _WRITABLE if writable else _SIMPLE)
    try:
        yield lock.buf or 0
    finally:
        _release(ctypes.byref(lock))


def size(buffer: Buffer) -> int:
    """Return the length of `buffer` in bytes, whatever its items are."""
    return buffer.nbytes if isinstance(buffer, memoryview) else len(buffer)


def wipe(buffer: bytearray | memoryview) -> None:
    """Overwrite `buffer` with zeros in place."""
    with pinned(buffer, writable=True) as address:
        ctypes.memset(address, 0, size(buffer))


def filled(length: int, fill: Callable[[memoryview], object]) -> bytes:
    """Return the bytes that `fill` writes into a view of `length` zeros.

    They are not copied: an `io.BytesIO` gives out the very memory that it lends.
    """
    memory = io.BytesIO(bytes(length))
    with memory.getbuffer() as view:
        fill(view)
    return memory.getvalue()


def constant_time_equal(left: Buffer, right: Buffer) -> bool:
    """Compare without telling by the time taken where the two differ."""
    return hmac.compare_digest(left, right)


def reuse_freed_memory() -> None:
    """Let this process serve buffers of megabytes from memory that it freed before.

    By default the GNU C library maps each anew and gives it back: every page is then a
    fault, which costs several times what AES-GCM does. Up to 16 MiB that are free stay
    with the process; buffers over 8 MiB are mapped as ever. For the start of a program;
    other C libraries are left as they are.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
