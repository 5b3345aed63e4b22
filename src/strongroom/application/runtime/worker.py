# SPDX-License-Identifier: Apache-2.0
"""The worker: a process inside the enclave that runs the app and holds no key.

It is forked before the enclave has made or received any key, so there is none in
its memory. Inputs reach it as anonymous memory that the runtime decrypted into; its
result returns the same way, as plain bytes. What the app prints or raises stays
inside: a message could carry data past the output rule.
"""

import contextlib
import mmap
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from strongroom.application.runtime.app import run_app
from strongroom.application.runtime.values import start_readers
from strongroom.core.codec import cbor
from strongroom.core.codec.permits import reached
from strongroom.errors import (
    AppFailed,
    LimitReached,
    StrongroomError,
    Unavailable,
    error_from_value,
)
from strongroom.system.monitor.sandbox import close_descriptors, limit_cpu

_LENGTH_BYTES = 8
_MAX_FDS = 64


@dataclass(frozen=True)
class Memory:
    """A nameless file in the enclave's tmpfs, that both processes can map.

    It counts as what an app writes to /tmp does; seccomp refuses a memfd, which
    would count nowhere.
    """

    fd: int
    length: int

    @classmethod
    def allocate(cls, length: int) -> "Memory":
        """Return `length` bytes of zeroed memory.

        Raises:
            LimitReached: not so much is left of the enclave's.
        """
        with tempfile.TemporaryFile(buffering=0) as file:
            try:
                if length:
                    os.posix_fallocate(file.fileno(), 0, length)
            except OSError as error:
                message = (
                    f"memory_bytes: {length} bytes more exceed the enclave's limit"
                )
                raise LimitReached(message) from error
            return cls(os.dup(file.fileno()), length)

    @classmethod
    def of(cls, data: bytes | memoryview) -> "Memory":
        """Return memory that holds `data`."""
        memory = cls.allocate(len(data))
        with memory.map() as view:
            view[:] = data
        return memory

    @contextlib.contextmanager
    def map(self) -> Iterator[memoryview]:
        """Map the memory while the context lasts."""
        if self.length == 0:
            yield memoryview(b"")
            return
        with mmap.mmap(self.fd, self.length) as area, memoryview(area) as view:
            yield view

    def close(self) -> None:
        """Give up this process's descriptor."""
        os.close(self.fd)


class Worker:
    """The runtime's handle on the worker process."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self._pid = pid
        self._link = link

    @classmethod
    def fork(cls, cpu_seconds: int = 0, memory_bytes: int = 0) -> Self:
        """Start the worker; call before any key exists in this process.

        Args:
            cpu_seconds: of the app's manifest; 0 for no limit.
            memory_bytes: of the app's manifest, for the error that names it.
        """
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _serve(theirs, cpu_seconds, memory_bytes)
        theirs.close()
        return cls(pid, ours)

    def run(
        self, job: dict[str, object], inputs: Sequence[Memory]
    ) -> tuple[str, Memory]:
        """Run the app once and return its result's kind and bytes.

        Raises:
            LimitReached: out of the enclave's memory.
            AppFailed: the app raised or ended.
        """
        try:
            _send(self._link, job, [memory.fd for memory in inputs])
            answer, fds = _receive(self._link)
        except (OSError, EOFError) as error:
            raise self._ended() from error
        if not isinstance(answer, dict):
            message = "the app's process sent no result"
            raise AppFailed(message)
        if "error" in answer:
            raise error_from_value(answer)
        kind, length = answer.get("kind"), answer.get("length")
        if not isinstance(kind, str) or not isinstance(length, int) or len(fds) != 1:
            message = "the app's process sent no result"
            raise AppFailed(message)
        if os.fstat(fds[0]).st_size != length:
            message = "the app's process sent less than it said"
            raise AppFailed(message)
        return kind, Memory(fds[0], length)

    def _ended(self) -> StrongroomError:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            message = "the app was killed at a limit: memory_bytes or cpu_seconds"
            return LimitReached(message)
        return AppFailed("the app's process ended without a result")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._link.close()
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0


def _serve(link: socket.socket, cpu_seconds: int, memory_bytes: int) -> None:
    """Run one job in the worker process and end.

    The worker keeps its end of the link and no other descriptor: the gate and the
    inputs' files are the runtime's alone.
    """
    code = 1
    try:
        close_descriptors(frozenset({link.fileno()}))
        limit_cpu(cpu_seconds)
        start_readers()
        job, fds = _receive(link)
        try:
            kind, data = run_app(job, fds)
            memory = Memory.of(data)
            _send(link, {"kind": kind, "length": memory.length}, [memory.fd])
        except MemoryError:
            _send(link, reached("memory_bytes", memory_bytes).to_value(), [])
        except StrongroomError as error:
            _send(link, error.to_value(), [])
        code = 0
    except (OSError, EOFError):
        pass
    finally:
        os._exit(code)


def _send(link: socket.socket, value: object, fds: Sequence[int]) -> None:
    body = cbor.encode(value)
    head = len(body).to_bytes(_LENGTH_BYTES, "big")
    socket.send_fds(link, [head], list(fds))
    link.sendall(body)


def _receive(link: socket.socket) -> tuple[object, list[int]]:
    head, fds, _, _ = socket.recv_fds(link, _LENGTH_BYTES, _MAX_FDS)
    if len(head) < _LENGTH_BYTES:
        raise EOFError
    length = int.from_bytes(head, "big")
    if length > cbor.MAX_BYTES:
        message = "a message inside the enclave is over the limit"
        raise Unavailable(message)
    body = bytearray()
    while len(body) < length:
        part = link.recv(min(length - len(body), 1 << 20))
        if not part:
            raise EOFError
        body += part
    return cbor.decode(bytes(body)), fds
