# SPDX-License-Identifier: Apache-2.0
"""The line to a TPM 2.0: one command out, one answer back, nothing in between.

TPM 2.0 Library, Part 1, section 18 (structure of commands and answers). Sessions are
password sessions with an empty password, or policy sessions; the line is not
encrypted, so whoever listens on the bus of a TPM chip sees what goes over it.
"""

import os
import select
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from strongroom.core.codec.cursor import Cursor
from strongroom.core.crypto import SecretBuffer
from strongroom.core.crypto.buffers import wipe
from strongroom.errors import Malformed, Misconfigured, Unavailable
from strongroom.hardware.tpm2 import rc

NO_SESSIONS, SESSIONS = 0x8001, 0x8002
PASSWORD = 0x40000009
"""TPM_RS_PW: the session of a password, here the empty one."""

MAX_BYTES = 4096
ANSWER_S = 120.0
"""A chip may take long over a key; longer than this and nobody is there."""

_HEADER = struct.Struct(">HII")
_CONTINUE = 1
_TRIES, _PAUSE_S = 20, 0.05


class TpmError(Misconfigured):
    """The TPM answered with an error.

    Attributes:
        rc: the name of its response code, without TPM_RC_.
    """

    def __init__(self, code: int, number: int) -> None:
        self.rc = rc.name_of(number)
        where = rc.place_of(number)
        about = f" ({where})" if where else ""
        super().__init__(
            f"the TPM refused command {code:#x} with TPM_RC_{self.rc}{about}"
        )


@dataclass(frozen=True)
class Answer:
    """What a command gave: the handle that it made, or 0, and its parameters."""

    handle: int
    parameters: bytes

    def cursor(self) -> Cursor:
        """Return a reader of the parameters."""
        return Cursor(self.parameters, "answer of the TPM")


class Tpm:
    """A TPM behind a descriptor: /dev/tpmrm0, or a socket of a software TPM.

    Args:
        fd: is closed with this.
        name: what it is called in errors.
    """

    def __init__(self, fd: int, name: str) -> None:
        self._fd, self.name = fd, name
        self._lock = threading.Lock()
        self._buffer = bytearray(MAX_BYTES)

    def run(
        self,
        code: int,
        handles: Sequence[int] = (),
        parameters: bytes = b"",
        *,
        sessions: Sequence[int] = (),
        makes_handle: bool = False,
    ) -> Answer:
        """Run one command.

        Args:
            code: TPM_CC.
            handles: of its handle area; the first ones are those with sessions.
            parameters: the parameter area.
            sessions: for each handle that needs one, `PASSWORD` or a policy session.
            makes_handle: whether the answer begins with a handle.

        Raises:
            TpmError: the TPM refused.
            Unavailable: it did not answer.
            Malformed: its answer is not one.
        """
        with self._lock:
            size = self._ask(code, handles, parameters, sessions)
            try:
                return _answer(bytes(self._buffer[:size]), bool(sessions), makes_handle)
            finally:
                self._forget(size)

    def run_secret(
        self,
        code: int,
        handles: Sequence[int],
        parameters: bytes,
        session: int,
        secret: SecretBuffer,
    ) -> None:
        """Run a command whose one answer is a sized buffer: put it into `secret`.

        Raises:
            Malformed: it has another size than `secret`; and as `run`.
        """
        with self._lock:
            size = self._ask(code, handles, parameters, [session])
            begin = _HEADER.size + 4
            end = begin + 2 + len(secret)
            try:
                with memoryview(self._buffer) as view:
                    if view[begin : begin + 2] != len(secret).to_bytes(2) or end > size:
                        message = f"{self.name} answered with another size"
                        raise Malformed(message)
                    secret.view[:] = view[begin + 2 : end]
            finally:
                self._forget(size)

    def close(self) -> None:
        """Close the line; closing twice is harmless."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self,
        code: int,
        handles: Sequence[int],
        parameters: bytes,
        sessions: Sequence[int],
    ) -> int:
        """Send a command until it is not told to try again; return the size."""
        command = _command(code, handles, parameters, sessions)
        for attempt in range(1, _TRIES + 1):
            size = self._exchange(command)
            _, said, number = _HEADER.unpack_from(self._buffer)
            if said != size:
                message = f"{self.name} gave {size} bytes and says {said}"
                raise Malformed(message)
            if not number:
                return size
            if rc.name_of(number) not in rc.AGAIN or attempt == _TRIES:
                raise TpmError(code, number)
            time.sleep(_PAUSE_S)
        raise AssertionError  # the loop returns or raises

    def _exchange(self, command: bytes) -> int:
        if self._fd < 0:
            message = "the line to the TPM is closed"
            raise Misconfigured(message)
        try:
            rest = memoryview(command)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            return self._read()
        except OSError as error:
            message = f"{self.name} does not answer: {error.strerror}"
            raise Unavailable(message) from error

    def _read(self) -> int:
        done, wanted = 0, _HEADER.size
        with memoryview(self._buffer) as view:
            while done < wanted:
                ready, _, _ = select.select([self._fd], [], [], ANSWER_S)
                got = os.readv(self._fd, [view[done:]]) if ready else 0
                if not got:
                    message = f"{self.name} does not answer"
                    raise Unavailable(message)
                done += got
                if done >= _HEADER.size:
                    wanted = _HEADER.unpack_from(self._buffer)[1]
                if wanted > MAX_BYTES:
                    message = f"{self.name} answers with more than {MAX_BYTES} bytes"
                    raise Malformed(message)
        return done

    def _forget(self, size: int) -> None:
        with memoryview(self._buffer) as view:
            wipe(view[:size])


def _command(
    code: int, handles: Sequence[int], parameters: bytes, sessions: Sequence[int]
) -> bytes:
    area = b"".join(
        struct.pack(">IHBH", each, 0, _CONTINUE if each == PASSWORD else 0, 0)
        for each in sessions
    )
    if area:
        area = struct.pack(">I", len(area)) + area
    body = struct.pack(f">{len(handles)}I", *handles) + area + parameters
    tag = SESSIONS if sessions else NO_SESSIONS
    return _HEADER.pack(tag, _HEADER.size + len(body), code) + body


def _answer(data: bytes, with_sessions: bool, makes_handle: bool) -> Answer:  # noqa: FBT001 - by name at the one call
    cursor = Cursor(data, "answer of the TPM")
    cursor.take(_HEADER.size)
    handle = cursor.big(4) if makes_handle else 0
    if not with_sessions:
        return Answer(handle, cursor.rest())
    return Answer(handle, cursor.take(cursor.big(4)))
