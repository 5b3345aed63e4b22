# SPDX-License-Identifier: Apache-2.0
"""The inside end of the gate: what a program in an enclave talks through (HW-4).

Strictly one thing at a time: the monitor sends INVOKE; until it is answered, the
program may ask for reports, keys, counters and random bytes, each answered at once.
This is the first code that runs in an enclave after the lock-down.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from strongroom.core.codec import cbor
from strongroom.core.codec.binding import Binding
from strongroom.core.crypto import SecretBuffer, forks
from strongroom.core.rats.roles import Call, EnclaveGate, PlatformNames
from strongroom.errors import Conflict, Malformed, StrongroomError, Unavailable
from strongroom.system.monitor.gate import (
    ERROR,
    NUMBERS,
    REPLY,
    Frame,
    GateConnection,
    check_command,
    check_data_fd,
    recv_frame,
    send_frame,
)

KEY_BYTES = 32
EXIT_CLOSED, EXIT_FAILED, EXIT_MEMORY = 0, 70, 71
"""Exit codes: the gate closed, the program raised, it ran out of memory."""

Program = Callable[[EnclaveGate, bytes], None]
T = TypeVar("T")


def run(link: socket.socket, program: Program) -> int:
    """Receive the bundle, run the program until its gate closes; return an exit code.

    What a program raises stays inside: neither its text nor its place leaves.
    """
    gate = InsideGate(link)
    try:
        program(gate, gate.start())
    except MemoryError:
        return EXIT_MEMORY
    except StrongroomError as error:
        with contextlib.suppress(StrongroomError):
            gate.fail(error)
        return EXIT_FAILED
    except BaseException:  # noqa: BLE001 - the last line: nothing may leak from here
        return EXIT_FAILED
    return EXIT_CLOSED


class _InTurn(GateConnection):
    """Asks for all threads of a program, one question and its answer at a time.

    Not for its children: they have the same socket, and would take answers, or the
    next call, that are for their parent.
    """

    def __init__(self, link: socket.socket) -> None:
        super().__init__(link)
        self.turn = threading.RLock()
        self._forks = forks.count()

    def require_own(self) -> None:
        """Refuse a child.

        Raises:
            Conflict: this process is one.
        """
        if forks.count() != self._forks:
            message = "the gate is of the app's first process: let it ask for children"
            raise Conflict(message)

    def call(
        self,
        name: str,
        fields: Mapping[str, object],
        fds: Sequence[int] = (),
        asked: Callable[[bytes], bytes] | None = None,
    ) -> dict[str, object]:
        """Send a command and return the fields of its reply, when it is its turn."""
        self.require_own()
        with self.turn:
            return super().call(name, fields, fds, asked)

    def call_secret(
        self, name: str, fields: Mapping[str, object], answer: str, size: int
    ) -> SecretBuffer:
        """Send a command whose reply is a secret, when it is its turn."""
        self.require_own()
        with self.turn:
            return super().call_secret(name, fields, answer, size)


class InsideGate:
    """Implements `core.rats.EnclaveGate` over the enclave's one socket.

    Attributes:
        config: the configuration bytes of CREATE, whose digest is in every report.
    """

    def __init__(self, link: socket.socket) -> None:
        self.config = b""
        self._link = link
        self._asking = _InTurn(link)
        self._request: int | None = None
        self._calls: list[list[object]] = []

    def start(self) -> bytes:
        """Receive the bundle that this enclave is to run, and the configuration.

        Raises:
            Unavailable: the gate closed before.
        """
        frame = self._take("START")
        if frame is None:
            message = "gate: closed before the start"
            raise Unavailable(message)
        bundle = _field(frame, "bundle", bytes)
        self.config = _field(frame, "config", bytes)
        self.reply(b"")
        return bundle

    def receive(self) -> Call | None:
        """Wait for the next call; None when the gate has closed."""
        frame = self._take("INVOKE")
        if frame is None:
            return None
        method = _field(frame, "method", int)
        return Call(method, _field(frame, "payload", bytes), frame.fds)

    def _take(self, name: str) -> Frame | None:
        self._asking.require_own()
        try:
            frame = recv_frame(self._link)
        except Unavailable:
            return None
        if frame is None:
            return None
        try:
            if frame.number != NUMBERS[name]:
                message = f"gate: expected {name}, got command {frame.number}"
                raise Malformed(message)
            check_command(frame, "monitor")
            for fd in frame.fds:
                check_data_fd(fd)
        except StrongroomError:
            frame.close()
            raise
        self._request = frame.request
        return frame

    def tell(self, calls: Sequence[tuple[int, int, str, str]]) -> None:
        """Have the next answer tell the log which functions were used in here."""
        self._calls = [list(row) for row in calls]

    def reply(self, payload: bytes) -> None:
        """Answer the call that was received last."""
        self._answer(REPLY, {"payload": payload})

    def fail(self, error: StrongroomError) -> None:
        """Answer it with an error."""
        self._answer(ERROR, error.to_value())

    def _answer(self, number: int, fields: dict[str, object]) -> None:
        if self._request is None:
            message = "gate: nothing to answer"
            raise Malformed(message)
        self._asking.require_own()
        with self._asking.turn:
            request, self._request = self._request, None
            if self._calls:
                fields, self._calls = {**fields, "calls": self._calls}, []
            send_frame(self._link, number, request, fields)

    def report(self, nonce: bytes, user_data: bytes) -> bytes:
        """Return app evidence about this enclave, signed by the monitor (IF-3)."""
        fields: dict[str, object] = {"nonce": nonce, "user_data": user_data}
        return self._ask("REPORT", fields, "report", bytes)

    def sealing_key(self, label: str) -> SecretBuffer:
        """Return the app's 32-byte sealing key for `label`, in secret memory (SEAL)."""
        fields = {"label": label}
        return self._asking.call_secret("SEALING_KEY", fields, "key", KEY_BYTES)

    def counter(self, label: str) -> int:
        """Return the app's monotonic counter for `label`."""
        return self._ask("COUNTER", {"label": label}, "value", int)

    def increment(self, label: str) -> int:
        """Add one to it durably and return the new value."""
        return self._ask("INCREMENT", {"label": label}, "value", int)

    def random(self, n: int) -> bytes:
        """Return `n` random bytes (IF-8).

        Raises:
            Malformed: the monitor answered with another number of bytes.
        """
        data = self._ask("RANDOM", {"n": n}, "random", bytes)
        if len(data) != n:
            message = "gate: RANDOM was answered with another number of bytes"
            raise Malformed(message)
        return data

    def now(self) -> int:
        """Return the host's time in Unix seconds: an input, not a truth."""
        return self._ask("NOW", {}, "value", int)

    def bound_key(self, binding: Binding, approval: bytes, label: str) -> SecretBuffer:
        """Return the 32-byte key that `binding` stands for, if this app may have it.

        Raises:
            Refused: another signer's, product's or app's, or a newer version's.
            Untrusted: an approval that does not hold.
        """
        fields = {
            "binding": cbor.encode(binding.to_value()),
            "approval": approval,
            "label": label,
        }
        return self._asking.call_secret("BOUND_KEY", fields, "key", KEY_BYTES)

    def platform(self) -> PlatformNames:
        """Return what the monitor says of itself, its device and this enclave."""
        return PlatformNames.from_value(self._asking.call("PLATFORM", {}))

    def ask_host(self, question: bytes) -> bytes:
        """Ask whoever called; the answer is the ordinary side's and proves nothing.

        Raises:
            NotFound: the caller answers no questions.
            Unavailable: it is gone.
            StrongroomError: what it answered.
        """
        return self._ask("ASK_HOST", {"payload": question}, "payload", bytes)

    def _ask(
        self, name: str, fields: dict[str, object], answer: str, kind: type[T]
    ) -> T:
        value = self._asking.call(name, fields).get(answer)
        if not isinstance(value, kind) or isinstance(value, bool):
            message = f"gate: {name} was answered without {answer}"
            raise Malformed(message)
        return value


def _field(frame: Frame, name: str, kind: type[T]) -> T:
    value = frame.fields[name]
    if not isinstance(value, kind):
        message = f"gate: {name} is not of type {kind.__name__}"
        raise Malformed(message)
    return value
