# SPDX-License-Identifier: Apache-2.0
"""Enclaves from the ordinary side: create, call, destroy (IF-1, IF-2, ISO-1)."""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from strongroom.errors import Conflict, Malformed, StrongroomError, Unavailable
from strongroom.system.monitor.gate import GateConnection

T = TypeVar("T")
Asked = Callable[[bytes], bytes]


class Link:
    """One connection to a monitor, usable from many threads, one command at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.connect(str(path))
        except OSError as error:
            link.close()
            message = f"no monitor answers at {path}: {error.strerror or error}"
            raise Unavailable(message) from error
        self._gate = GateConnection(link)

    def ask(
        self,
        command: str,
        fields: Mapping[str, object],
        fds: Sequence[int] = (),
        asked: Asked | None = None,
    ) -> dict[str, object]:
        """Send a command and return its reply's fields; see `GateConnection.call`."""
        with self._lock:
            return self._gate.call(command, fields, fds, asked)

    def close(self) -> None:
        """Close the connection; what was created over it is destroyed."""
        with contextlib.suppress(OSError):
            self._gate.link.shutdown(socket.SHUT_RDWR)
        self._gate.close()


class Enclave:
    """One enclave, over a connection of its own: it lives no longer than that.

    A context manager that destroys.

    Attributes:
        enclave_id: what reports and records call it.
        measurement: of the app it runs, as the monitor measured it.
        start_ms: how long the monitor took to start it.
    """

    def __init__(self, link: Link, created: dict[str, object]) -> None:
        self._link = link
        self._handle = take(created, "handle", bytes)
        self.enclave_id = take(created, "enclave_id", bytes)
        self.measurement = take(created, "measurement", bytes)
        self.start_ms = take(created, "start_ms", float)
        self._record = b""

    def call(
        self,
        method: int,
        payload: bytes,
        fds: Sequence[int] = (),
        asked: Asked | None = None,
    ) -> bytes:
        """Call a method and return its answer.

        Args:
            method: the program's number for it.
            payload: at most 16 MiB; more goes through files.
            fds: of regular files only; the caller keeps its own.
            asked: answers what the program asks the ordinary side meanwhile, such as
                blocks of a store.

        Raises:
            Conflict: the enclave has been destroyed.
            AppFailed, LimitReached: it ended by itself, or the program says so.
            StrongroomError: what the program or the monitor answered.
        """
        if self._record:
            message = "this enclave has been destroyed"
            raise Conflict(message)
        fields = {"handle": self._handle, "method": method, "payload": payload}
        return take(self._link.ask("CALL", fields, fds, asked), "payload", bytes)

    def destroy(self) -> bytes:
        """Destroy the enclave with its memory and keys; return the signed record.

        The record is a `core.rats.Destruction` by the monitor's key. Also for an
        enclave that has ended by itself; a second call returns the same record.
        """
        if not self._record:
            answer = self._link.ask("DESTROY", {"handle": self._handle})
            self._record = take(answer, "record", bytes)
            self._link.close()
        return self._record

    def close(self) -> None:
        """Destroy the enclave if it is not destroyed yet; never raises."""
        with contextlib.suppress(StrongroomError):
            self.destroy()
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def take(fields: dict[str, object], name: str, kind: type[T]) -> T:
    """Return one field of a reply.

    Raises:
        Malformed: it is missing or of another type.
    """
    value = fields.get(name)
    if not isinstance(value, kind):
        message = f"the monitor's answer has no {name}"
        raise Malformed(message)
    return value
