# SPDX-License-Identifier: Apache-2.0
"""The gate: numbered, typed, size-checked commands, the only way across (HW-4).

    frame = u32 length | CBOR [number, request id, fields], descriptors beside it

A frame is held against `COMMANDS` before anyone acts on it; a reply has number 0
(fields of the command's own) or 1 (an error). Descriptors may only be regular files.
docs/specs/gate.md.
"""

import array
import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field

from strongroom.core.codec import cbor
from strongroom.errors import (
    LimitReached,
    Malformed,
    Unavailable,
    error_from_value,
)

MAX_FRAME_BYTES = 64 << 20
MAX_FDS = 32
REPLY, ERROR = 0, 1
_LENGTH_BYTES = 4
_SMALL = 16 << 20


@dataclass(frozen=True)
class Field:
    """The type of one field and, for bytes and text, its smallest and largest size."""

    type: type
    most: int = 0
    least: int = 0

    def check(self, name: str, value: object) -> None:
        """Hold a value against the field.

        Raises:
            Malformed: another type, or too short.
            LimitReached: too long or too large.
        """
        if type(value) is not self.type:
            message = f"gate: {name} is not of type {self.type.__name__}"
            raise Malformed(message)
        size = value if isinstance(value, int) else len(value)  # type: ignore[arg-type]
        if size < self.least:
            message = f"gate: {name} is below {self.least}"
            raise Malformed(message)
        if size > self.most:
            message = f"gate: {name} is over {self.most}"
            raise LimitReached(message)


@dataclass(frozen=True)
class Command:
    """One numbered command: who may send it, and its fields."""

    name: str
    side: str
    fields: dict[str, Field] = field(default_factory=dict)
    fds: bool = False


_HANDLE = Field(bytes, 16, 16)
_NONCE = Field(bytes, 64, 8)
_LABEL = Field(str, 128, 1)
_METHOD = Field(int, 255, 1)

COMMANDS: dict[int, Command] = {
    10: Command("STATUS", "host"),
    11: Command(
        "CREATE",
        "host",
        {
            "bundle": Field(bytes, MAX_FRAME_BYTES),
            "launch_policy": Field(bytes, 1 << 20),
            "config": Field(bytes, 1 << 20),
            "memory_bytes": Field(int, 1 << 44),
            "methods": Field(bytes, 255),
        },
    ),
    12: Command(
        "CALL",
        "host",
        {"handle": _HANDLE, "method": _METHOD, "payload": Field(bytes, _SMALL)},
        fds=True,
    ),
    13: Command("EVIDENCE", "host", {"nonce": _NONCE}),
    14: Command("DESTROY", "host", {"handle": _HANDLE}),
    20: Command(
        "START",
        "monitor",
        {"bundle": Field(bytes, MAX_FRAME_BYTES), "config": Field(bytes, 1 << 20)},
    ),
    21: Command(
        "INVOKE", "monitor", {"method": _METHOD, "payload": Field(bytes, _SMALL)}, fds=True
    ),
    32: Command("REPORT", "enclave", {"nonce": _NONCE, "user_data": Field(bytes, 64)}),
    33: Command("SEALING_KEY", "enclave", {"label": _LABEL}),
    34: Command("COUNTER", "enclave", {"label": _LABEL}),
    35: Command("INCREMENT", "enclave", {"label": _LABEL}),
    36: Command("RANDOM", "enclave", {"n": Field(int, 4096, 1)}),
    37: Command("NOW", "enclave"),
}
NUMBERS: dict[str, int] = {command.name: number for number, command in COMMANDS.items()}


@dataclass(frozen=True)
class Frame:
    """One frame as it came: number, request id, fields, descriptors."""

    number: int
    request: int
    fields: dict[str, object]
    fds: tuple[int, ...]

    def close(self) -> None:
        """Give up the descriptors."""
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)


def check_command(frame: Frame, side: str) -> Command:
    """Hold a frame against the command table.

    Raises:
        Malformed: unknown number, wrong side, missing, unknown or mistyped fields.
        LimitReached: a field over its size.
    """
    command = COMMANDS.get(frame.number)
    if command is None or command.side != side:
        message = f"gate: no command {frame.number} for the {side} side"
        raise Malformed(message)
    if set(frame.fields) != set(command.fields):
        message = f"gate: {command.name} takes {', '.join(command.fields) or 'no fields'}"
        raise Malformed(message)
    for name, rule in command.fields.items():
        rule.check(name, frame.fields[name])
    if frame.fds and not command.fds:
        message = f"gate: {command.name} takes no descriptors"
        raise Malformed(message)
    return command


def check_data_fd(fd: int) -> None:
    """Let only regular files through.

    Raises:
        Malformed: a socket, pipe, device or folder, or a descriptor without a file.
    """
    try:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        path_only = fcntl.fcntl(fd, fcntl.F_GETFL) & getattr(os, "O_PATH", 0)
    except OSError as error:
        message = "gate: a descriptor cannot be read"
        raise Malformed(message) from error
    if not regular or path_only:
        message = "gate: a descriptor that is not a regular file"
        raise Malformed(message)


def send_frame(
    link: socket.socket, number: int, request: int, fields: dict[str, object], fds: Sequence[int] = ()
) -> None:
    """Send one frame.

    Raises:
        LimitReached: over `MAX_FRAME_BYTES` or `MAX_FDS`.
        Unavailable: the other side is gone.
    """
    body = cbor.encode([number, request, fields])
    if len(body) > MAX_FRAME_BYTES or len(fds) > MAX_FDS:
        message = "gate: a frame over the limit"
        raise LimitReached(message)
    data = memoryview(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
    try:
        sent = socket.send_fds(link, [data], list(fds))
        link.sendall(data[sent:])
    except OSError as error:
        raise _gone() from error


def recv_frame(link: socket.socket) -> Frame | None:
    """Receive one frame; None when the other side closed between two frames.

    Raises:
        Malformed: not a frame; the connection is of no use afterwards.
        LimitReached: a frame over the limit, likewise.
        Unavailable: the other side is gone in the middle of one.
    """
    head, fds = _recv_head(link)
    if not head:
        return None
    try:
        length = int.from_bytes(head, "big")
        if length > MAX_FRAME_BYTES:
            message = "gate: a frame over the limit"
            raise LimitReached(message)
        value = cbor.decode(bytes(_recv_exactly(link, length)))
        match value:
            case [int() as number, int() as request, dict() as fields]:
                return Frame(number, request, fields, fds)
        message = "gate: this is not a frame"
        raise Malformed(message)
    except BaseException:
        Frame(0, 0, {}, fds).close()
        raise


def _recv_head(link: socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """Receive the length with the descriptors that came beside it."""
    space = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
    try:
        head, controls, flags, _ = link.recvmsg(_LENGTH_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    except OSError as error:
        raise _gone() from error
    fds = array.array("i")
    for level, kind, data in controls:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    received = tuple(fds)
    if flags & socket.MSG_CTRUNC:
        Frame(0, 0, {}, received).close()
        message = "gate: too many descriptors"
        raise LimitReached(message)
    if head and len(head) < _LENGTH_BYTES:
        head += bytes(_recv_exactly(link, _LENGTH_BYTES - len(head)))
    return head, received


def _recv_exactly(link: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        try:
            count = link.recv_into(view)
        except OSError as error:
            raise _gone() from error
        if not count:
            raise _gone()
        view = view[count:]
    return data


def _gone() -> Unavailable:
    return Unavailable("gate: the other side is gone")


class GateConnection:
    """One end of a gate that asks: one command at a time, each with its answer."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self._request = 0

    def call(
        self, name: str, fields: dict[str, object], fds: Sequence[int] = ()
    ) -> dict[str, object]:
        """Send a command and return the fields of its reply.

        Raises:
            Unavailable: the other side is gone.
            StrongroomError: what it answered.
        """
        self._request += 1
        send_frame(self.link, NUMBERS[name], self._request, fields, fds)
        frame = recv_frame(self.link)
        if frame is None:
            raise _gone()
        frame.close()
        if frame.request != self._request or frame.number not in (REPLY, ERROR):
            message = "gate: an answer to another request"
            raise Malformed(message)
        if frame.number == ERROR:
            raise error_from_value(frame.fields)
        return frame.fields

    def close(self) -> None:
        """Close this end."""
        self.link.close()
