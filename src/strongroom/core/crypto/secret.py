# SPDX-License-Identifier: Apache-2.0
"""Memory that only this process can read: memfd_secret(2).

The pages leave the kernel's own map, so /proc/PID/mem, process_vm_readv, ptrace and
core dumps do not show them, not even to root. Root can still put code into the
process: against root this raises the cost and no more.
"""

import ctypes
import os
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Self

from strongroom.core.crypto import forks, secretmem
from strongroom.core.crypto.buffers import wipe
from strongroom.errors import Conflict, Malformed, Misconfigured, Unavailable


class SecretBuffer:
    """A fixed number of bytes of secret memory; a context manager that wipes.

    Closing wipes at once. The pages go when the last view on them does, so a slice
    that outlives `close` reads zeros and never foreign memory.

    Args:
        size: length in bytes; whole pages of locked memory are taken.
        inherit: whether forked children share the memory. Without it they have no
            such pages at all (MADV_DONTFORK).

    Raises:
        Misconfigured: this machine has no secret memory, or the limit on locked
            memory is reached; the message says what to change.
    """

    def __init__(self, size: int, *, inherit: bool = False) -> None:
        if size < 1:
            message = f"secret memory of {size} bytes is none"
            raise Malformed(message)
        self._size, self._inherit, self._forks = size, inherit, forks.count()
        self._address = secretmem.map_secret(size, inherit=inherit)
        memory = (ctypes.c_ubyte * size).from_address(self._address)
        finalizer = weakref.finalize(memory, self._unmap(self._address, size))
        finalizer.atexit = False
        self._view: memoryview | None = memoryview(memory).cast("B")

    @classmethod
    def supported(cls) -> bool:
        """Return whether this machine gives secret memory."""
        try:
            cls(1).close()
        except Misconfigured:
            return False
        return True

    @property
    def view(self) -> memoryview:
        """The memory: always the same object, which `close` makes unusable.

        Raises:
            Conflict: closed, or in a forked child that did not inherit it.
        """
        if self._view is None or not self._is_here():
            message = "this secret memory is closed, or belongs to the parent process"
            raise Conflict(message)
        return self._view

    def __len__(self) -> int:
        return self._size

    def fill_random(self) -> None:
        """Let the kernel write random bytes straight into the memory.

        Raises:
            Unavailable: the kernel gave none.
        """
        with self.view[:]:
            secretmem.fill_random(self._address, self._size)

    def read_from(self, fd: int) -> None:
        """Fill the memory from a descriptor, without a copy on the way.

        Raises:
            Malformed: the descriptor ends before the memory is full.
            Unavailable: reading failed.
        """
        self._transfer(lambda rest: os.readv(fd, [rest]), "read")

    def write_to(self, fd: int) -> None:
        """Write the memory to a descriptor, without a copy on the way.

        Raises:
            Unavailable: writing failed.
        """
        self._transfer(lambda rest: os.writev(fd, [rest]), "written")

    def wipe(self) -> None:
        """Overwrite the memory with zeros, for every process that shares it."""
        wipe(self.view)

    def close(self) -> None:
        """Give the memory back; the process that made it wipes it first.

        Closing twice is harmless.
        """
        view, self._view = self._view, None
        if view is None:
            return
        if self._forks == forks.count():
            wipe(view)
        view.release()

    def _is_here(self) -> bool:
        return self._inherit or self._forks == forks.count()

    def _unmap(self, address: int, size: int) -> Callable[[], None]:
        inherit, born = self._inherit, self._forks

        def unmap() -> None:  # runs last, also from a cycle: it may use no view
            if born == forks.count():
                ctypes.memset(address, 0, size)
            if inherit or born == forks.count():
                secretmem.unmap(address, size)

        return unmap

    def _transfer(self, move: Callable[[memoryview], int], verb: str) -> None:
        done = 0
        while done < self._size:
            with self.view[done:] as rest:
                try:
                    moved = move(rest)
                except OSError as error:
                    message = f"a secret could not be {verb}: {error.strerror}"
                    raise Unavailable(message) from error
            if moved == 0:
                message = f"{done} of {self._size} bytes of a secret could be {verb}"
                raise Malformed(message)
            done += moved

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SecretBuffer of {self._size} bytes>"
