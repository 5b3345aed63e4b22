# SPDX-License-Identifier: Apache-2.0
"""The gate: numbered, typed, size-checked commands, the only way across (HW-4).

    frame = u32 length | CBOR [number, request id, fields], descriptors beside it

A frame is held against the literal table `COMMANDS` before anyone acts on it, so an
unknown number, a missing, unknown or mistyped field or one over its size is answered
with an error and the connection goes on. Only bytes that are no frame end it. A reply
has the number `REPLY` (fields of the command's own) or `ERROR`. A secret in a reply
travels behind the frame as raw bytes, so that no CBOR object ever holds it: the map
has its length only. Pointers do not exist in this format.
"""

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer
from strongroom.errors import (
    LimitReached,
    Malformed,
    NotFound,
    StrongroomError,
    Unavailable,
    error_from_value,
)

MAX_FRAME_BYTES: Final = 64 << 20
MAX_PAYLOAD_BYTES: Final = 16 << 20
MAX_FDS: Final = 32
REPLY, ERROR = 0, 255
_LENGTH_BYTES = 4
_FD_BYTES = 4
_ROOM = 1 << 16
_READ_BYTES = 4 << 20


@dataclass(frozen=True)
class Field:
    """The type of one field; its largest and smallest value, or size in bytes."""

    type: type
    most: int = 0
    least: int = 0

    def check(self, name: str, value: object) -> None:
        """Hold a value against the field.

        Raises:
            Malformed: another type, too short or too small.
            LimitReached: too long or too large.
        """
        if type(value) is not self.type:
            message = f"gate: {name} is not of type {self.type.__name__}"
            raise Malformed(message)
        size = value if isinstance(value, int) else _length(value)
        if size < self.least:
            message = f"gate: {name} is below {self.least}"
            raise Malformed(message)
        if size > self.most:
            message = f"gate: {name} is over {self.most}"
            raise LimitReached(message)


@dataclass(frozen=True)
class Command:
    """One numbered command: which side sends it, its fields and its sizes."""

    name: str
    side: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    fds: int = 0
    frame_bytes: int = MAX_PAYLOAD_BYTES + _ROOM


_HANDLE = Field(bytes, 16, 16)
_NONCE = Field(bytes, 64, 8)
_LABEL = Field(str, 128, 1)
_METHOD = Field(int, 255, 1)
_MEMORY = Field(int, 1 << 44)
_PAYLOAD = Field(bytes, MAX_PAYLOAD_BYTES)
_BUNDLE = Field(bytes, MAX_FRAME_BYTES)
_CONFIG = Field(bytes, 1 << 20)

COMMANDS: Final[Mapping[int, Command]] = MappingProxyType(
    {
        # from the ordinary side to the monitor
        1: Command("STATUS", "host"),
        2: Command(
            "CREATE",
            "host",
            {
                "bundle": _BUNDLE,
                "launch_policy": Field(bytes, 1 << 20),
                "config": _CONFIG,
                "memory_bytes": _MEMORY,
                "methods": Field(bytes, 255),
            },
            frame_bytes=MAX_FRAME_BYTES,
        ),
        3: Command(
            "CALL",
            "host",
            {"handle": _HANDLE, "method": _METHOD, "payload": _PAYLOAD},
            fds=MAX_FDS,
        ),
        4: Command("EVIDENCE", "host", {"nonce": _NONCE}),
        5: Command("DESTROY", "host", {"handle": _HANDLE}),
        6: Command(
            "DESCRIBE", "host", {"enclave_id": Field(bytes, 32, 32), "nonce": _NONCE}
        ),
        7: Command("LOG", "host"),
        # from the monitor to an enclave
        16: Command(
            "START",
            "monitor",
            {"bundle": _BUNDLE, "config": _CONFIG},
            frame_bytes=MAX_FRAME_BYTES,
        ),
        17: Command(
            "INVOKE", "monitor", {"method": _METHOD, "payload": _PAYLOAD}, fds=MAX_FDS
        ),
        # from an enclave to the monitor, while it works on a call
        32: Command(
            "REPORT", "enclave", {"nonce": _NONCE, "user_data": Field(bytes, 64)}
        ),
        33: Command("SEALING_KEY", "enclave", {"label": _LABEL}),
        34: Command("COUNTER", "enclave", {"label": _LABEL}),
        35: Command("INCREMENT", "enclave", {"label": _LABEL}),
        36: Command("RANDOM", "enclave", {"n": Field(int, 4096, 1)}),
        37: Command("NOW", "enclave"),
        38: Command(
            "BOUND_KEY",
            "enclave",
            {
                "binding": Field(bytes, 1024),
                "approval": Field(bytes, 16 << 10),
                "label": _LABEL,
            },
        ),
        39: Command("PLATFORM", "enclave"),
        40: Command("ASK_HOST", "enclave", {"payload": _PAYLOAD}),
        # from the monitor to the host, while it waits for the answer to its CALL
        64: Command("ASKED", "monitor", {"payload": _PAYLOAD}),
    }
)
NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {command.name: number for number, command in COMMANDS.items()}
)


@dataclass(frozen=True)
class Frame:
    """One frame as it came: number, request id, fields, descriptors, its size."""

    number: int
    request: int
    fields: dict[str, object]
    fds: tuple[int, ...] = ()
    size: int = 0

    def close(self) -> None:
        """Give up the descriptors."""
        _close(self.fds)


def check_command(frame: Frame, side: str) -> Command:
    """Hold a frame against the command table; the caller closes it if this raises.

    Raises:
        Malformed: unknown number, wrong side, missing, unknown or mistyped fields,
            descriptors where none belong.
        LimitReached: a field, the frame or the count of descriptors over its limit.
    """
    command = COMMANDS.get(frame.number)
    if command is None or command.side != side:
        message = f"gate: no command {frame.number} for the {side} side"
        raise Malformed(message)
    if set(frame.fields) != set(command.fields):
        takes = ", ".join(command.fields) or "no fields"
        message = f"gate: {command.name} takes {takes}"
        raise Malformed(message)
    for name, rule in command.fields.items():
        rule.check(name, frame.fields[name])
    if frame.size > command.frame_bytes:
        message = f"gate: {command.name} takes at most {command.frame_bytes} bytes"
        raise LimitReached(message)
    if frame.fds and not command.fds:
        message = f"gate: {command.name} takes no descriptors"
        raise Malformed(message)
    if len(frame.fds) > command.fds:
        message = f"gate: {command.name} takes at most {command.fds} descriptors"
        raise LimitReached(message)
    return command


def check_data_fd(fd: int, *, writable: bool | None = None) -> None:
    """Let only regular files through.

    Args:
        fd: a descriptor that came through the gate.
        writable: whether it must be open for writing; None takes either.

    Raises:
        Malformed: a socket, pipe, device or folder, a descriptor without a file, or
            one that is open in another mode.
    """
    try:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError as error:
        message = "gate: a descriptor cannot be read"
        raise Malformed(message) from error
    if not regular or flags & os.O_PATH:
        message = "gate: a descriptor that is not a regular file"
        raise Malformed(message)
    mode = flags & os.O_ACCMODE
    if writable is not None and writable != (mode != os.O_RDONLY):
        message = (
            f"gate: a file must be open for {'writing' if writable else 'reading'}"
        )
        raise Malformed(message)
    if mode == os.O_WRONLY:
        message = "gate: a file must be open for reading too"
        raise Malformed(message)


def send_frame(
    link: socket.socket,
    number: int,
    request: int,
    fields: Mapping[str, object],
    fds: Sequence[int] = (),
) -> None:
    """Send one frame; a field that is a `SecretBuffer` is sent raw, then closed.

    Raises:
        LimitReached: over `MAX_FRAME_BYTES` or `MAX_FDS`.
        Unavailable: the other side is gone.
    """
    secrets = {n: v for n, v in fields.items() if isinstance(v, SecretBuffer)}
    plain = {n: v for n, v in fields.items() if n not in secrets}
    try:
        sizes = {n: len(v) for n, v in secrets.items()}
        body = cbor.encode([number, request, plain | sizes])
        _check_length(len(body))
        _check_count(len(fds))
        _send(link, len(body).to_bytes(_LENGTH_BYTES, "big"), body, fds)
        for _, secret in sorted(secrets.items()):
            secret.write_to(link.fileno())
    finally:
        for secret in secrets.values():
            secret.close()


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
        if len(head) < _LENGTH_BYTES:
            head += _recv_exactly(link, _LENGTH_BYTES - len(head))
        length = int.from_bytes(head, "big")
        _check_length(length)
        return _parse(_recv_exactly(link, length), fds)
    except BaseException:
        _close(fds)
        raise


class GateConnection:
    """The end of a gate that asks: one command at a time, each with its answer."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self._request = 0

    def call(
        self,
        name: str,
        fields: Mapping[str, object],
        fds: Sequence[int] = (),
        asked: Callable[[bytes], bytes] | None = None,
    ) -> dict[str, object]:
        """Send a command and return the fields of its reply.

        Args:
            name: of the command.
            fields: of the command.
            fds: descriptors of regular files.
            asked: answers what the enclave asks its host meanwhile; what it raises
                becomes the answer.

        Raises:
            Unavailable: the other side is gone.
            StrongroomError: what it answered.
        """
        self._request += 1
        send_frame(self.link, NUMBERS[name], self._request, fields, fds)
        frame = self._answer()
        while frame.number == NUMBERS["ASKED"]:
            self._reply(frame, asked)
            frame = self._answer()
        if frame.number == ERROR:
            raise error_from_value(frame.fields)
        if frame.request != self._request or frame.number != REPLY:
            message = "gate: an answer to another request"
            raise Malformed(message)
        return frame.fields

    def _answer(self) -> Frame:
        frame = recv_frame(self.link)
        if frame is None:
            raise _gone()
        frame.close()
        return frame

    def _reply(self, frame: Frame, asked: Callable[[bytes], bytes] | None) -> None:
        fields: Mapping[str, object]
        try:
            check_command(frame, "monitor")
            question = frame.fields["payload"]
            if asked is None or not isinstance(question, bytes):
                message = "this caller answers no questions of an enclave"
                raise NotFound(message)
            number, fields = REPLY, {"payload": asked(question)}
        except StrongroomError as error:
            number, fields = ERROR, error.to_value()
        send_frame(self.link, number, frame.request, fields)

    def call_secret(
        self, name: str, fields: Mapping[str, object], answer: str, size: int
    ) -> SecretBuffer:
        """Send a command whose reply is a secret; it never leaves secret memory.

        Args:
            name: of the command.
            fields: of the command.
            answer: the reply's one field.
            size: how many bytes it must have.
        """
        announced = self.call(name, fields).get(answer)
        if type(announced) is not int or announced != size:
            message = f"gate: {name} was answered without {size} bytes of {answer}"
            raise Malformed(message)
        secret = SecretBuffer(size)
        try:
            secret.read_from(self.link.fileno())
        except StrongroomError:
            secret.close()
            raise
        return secret

    def close(self) -> None:
        """Close this end."""
        self.link.close()


def _check_length(length: int) -> None:
    if length > MAX_FRAME_BYTES:
        message = "gate: a frame over the limit"
        raise LimitReached(message)


def _check_count(count: int) -> None:
    if count > MAX_FDS:
        message = f"gate: more than {MAX_FDS} descriptors"
        raise LimitReached(message)


def _parse(body: bytes, fds: tuple[int, ...]) -> Frame:
    value = cbor.decode(body)
    match value:
        case [int() as number, int() as request, dict() as fields] if all(
            isinstance(name, str) for name in fields
        ):
            return Frame(number, request, fields, fds, len(body))
        case _:
            message = "gate: this is not a frame"
            raise Malformed(message)


def _send(link: socket.socket, head: bytes, body: bytes, fds: Sequence[int]) -> None:
    try:
        sent = socket.send_fds(link, [head, body], list(fds))
        rest = memoryview(body)[max(0, sent - len(head)) :]
        if sent < len(head):
            link.sendall(head[sent:])
        link.sendall(rest)
    except OSError as error:
        raise _gone() from error


def _recv_head(link: socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """Receive the first bytes of the length, and the descriptors beside them."""
    space = socket.CMSG_SPACE(MAX_FDS * _FD_BYTES)
    try:
        head, controls, flags, _ = link.recvmsg(
            _LENGTH_BYTES, space, socket.MSG_CMSG_CLOEXEC
        )
    except OSError as error:
        raise _gone() from error
    fds = tuple(
        fd
        for level, kind, data in controls
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS
        for fd in memoryview(data[: len(data) - len(data) % _FD_BYTES]).cast("i")
    )
    if flags & socket.MSG_CTRUNC:
        _close(fds)
        _check_count(MAX_FDS + 1)
    return head, fds


def _recv_exactly(link: socket.socket, length: int) -> bytes:
    """Receive `length` bytes; memory grows with what has really come."""
    parts = []
    while length:
        try:
            part = link.recv(min(length, _READ_BYTES), socket.MSG_WAITALL)
        except OSError as error:
            raise _gone() from error
        if not part:
            raise _gone()
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _length(value: object) -> int:
    return len(value) if isinstance(value, bytes | str) else 0


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _gone() -> Unavailable:
    return Unavailable("gate: the other side is gone")
