# SPDX-License-Identifier: Apache-2.0
"""Host connections: one thread each, every command checked, answered and logged."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from strongroom.errors import Misconfigured, StrongroomError
from strongroom.system.monitor.events import EventLog, entry_of
from strongroom.system.monitor.gate import (
    ERROR,
    REPLY,
    Frame,
    check_command,
    check_data_fd,
    recv_frame,
    send_frame,
)
from strongroom.system.monitor.monitor import Monitor
from strongroom.system.monitor.registry import Caller

_PEER = struct.Struct("3i")
_BACKLOG = 64


def listen(path: Path) -> socket.socket:
    """Return a listening socket of mode 0600 in a folder of mode 0700 (SYS-1).

    A socket file that a killed monitor left is replaced; one that answers is not.

    Raises:
        Misconfigured: the folder is open to others, or another monitor is there.
    """
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_mode & 0o077 or status.st_uid != os.geteuid():
            message = f"{folder} must be this user's alone: chmod 700 {folder}"
            raise Misconfigured(message)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if path.is_socket():
            _require_dead(path)
            path.unlink()
        old = os.umask(0o177)
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(old)
        listener.listen(_BACKLOG)
    except OSError as error:
        message = f"no gate can be opened at {path}: {error.strerror or error}"
        raise Misconfigured(message) from error
    return listener


class GateServer:
    """Accepts host connections until it is closed."""

    def __init__(
        self,
        monitor: Monitor,
        listener: socket.socket,
        log: EventLog,
        clock: Callable[[], int],
    ) -> None:
        self._monitor, self._listener = monitor, listener
        self._log, self._clock = log, clock

    def run(self) -> None:
        """Serve; returns when the listener has been shut down."""
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            caller = caller_of(link)
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: Caller) -> None:
        with caller.connection:
            try:
                while (frame := recv_frame(caller.connection)) is not None:
                    self._one(frame, caller)
            except StrongroomError as error:
                self._record(caller, "FRAME", ("", {}), error)
                with contextlib.suppress(StrongroomError):
                    send_frame(caller.connection, ERROR, 0, error.to_value())
            finally:
                self._monitor.release(caller)

    def _one(self, frame: Frame, caller: Caller) -> None:
        number, error = REPLY, None
        name = str(frame.number)
        fields: dict[str, object] = {}
        try:
            name = check_command(frame, "host").name
            for fd in frame.fds:
                check_data_fd(fd)
            fields = self._monitor.handle(name, frame.fields, frame.fds, caller)
        except StrongroomError as raised:
            error = raised
            number, fields = ERROR, raised.to_value()
        finally:
            frame.close()
        about = self._monitor.about({**frame.fields, **fields})
        self._record(caller, name, about, error)
        send_frame(caller.connection, number, frame.request, fields)

    def _record(
        self,
        caller: Caller,
        command: str,
        about: tuple[str, dict[str, str]],
        error: StrongroomError | None,
    ) -> None:
        who = f"uid {caller.uid} pid {caller.pid}"
        enclave, detail = about
        entry = entry_of(command, self._clock(), who, enclave, error, **detail)
        self._log.record(entry)


def caller_of(link: socket.socket) -> Caller:
    """Return who is at the other end, by the kernel's word (SO_PEERCRED)."""
    peer = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid, uid, _ = _PEER.unpack(peer)
    return Caller(uid, pid, link)


def _require_dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return
    message = f"another monitor serves {path}"
    raise Misconfigured(message)
