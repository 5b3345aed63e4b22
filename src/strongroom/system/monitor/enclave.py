# SPDX-License-Identifier: Apache-2.0
"""The inside end of the gate: what a program in an enclave talks through (HW-4).

Strictly one thing at a time: the monitor sends INVOKE; until it is answered, the
program may ask for reports, keys, counters and random bytes, each answered at once.
"""

import socket

from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats.roles import Call
from strongroom.errors import Malformed, StrongroomError, Unavailable
from strongroom.system.monitor.gate import (
    ERROR,
    REPLY,
    GateConnection,
    check_command,
    check_data_fd,
    recv_frame,
    send_frame,
)

KEY_BYTES = 32


class InsideGate:
    """Implements `core.rats.EnclaveGate` over the enclave's one socket."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._asking = GateConnection(link)
        self._request: int | None = None
        self.config = b""

    def start(self) -> bytes:
        """Receive the bundle that this enclave is to run."""
        call = self._receive("START")
        if call is None:
            message = "gate: closed before the start"
            raise Unavailable(message)
        self.reply(b"")
        return call.payload

    def receive(self) -> Call | None:
        """Wait for the next call; None when the gate has closed."""
        return self._receive("INVOKE")

    def _receive(self, name: str) -> Call | None:
        frame = recv_frame(self._link)
        if frame is None:
            return None
        try:
            command = check_command(frame, "monitor")
            if command.name != name:
                message = f"gate: expected {name}, got {command.name}"
                raise Malformed(message)
            for fd in frame.fds:
                check_data_fd(fd)
        except StrongroomError:
            frame.close()
            raise
        self._request = frame.request
        match frame.fields:
            case {"bundle": bytes() as bundle, "config": bytes() as config}:
                self.config = config
                return Call(0, bundle, ())
            case {"method": int() as method, "payload": bytes() as payload}:
                return Call(method, payload, frame.fds)
        message = "gate: a call without its fields"
        raise Malformed(message)

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
        request, self._request = self._request, None
        send_frame(self._link, number, request, fields)

    def report(self, nonce: bytes, user_data: bytes) -> bytes:
        """Return app evidence about this enclave, signed by the monitor (IF-3)."""
        return self._bytes("REPORT", {"nonce": nonce, "user_data": user_data}, "report")

    def sealing_key(self, label: str) -> SecretBuffer:
        """Return the app's 32-byte sealing key for `label` on this device."""
        key = self._bytes("SEALING_KEY", {"label": label}, "key")
        if len(key) != KEY_BYTES:
            message = "gate: a sealing key of another length"
            raise Malformed(message)
        secret = SecretBuffer(KEY_BYTES)
        secret.view[:] = key
        return secret

    def counter(self, label: str) -> int:
        """Return the app's monotonic counter for `label`."""
        return self._integer("COUNTER", {"label": label})

    def increment(self, label: str) -> int:
        """Add one to it durably and return the new value."""
        return self._integer("INCREMENT", {"label": label})

    def random(self, n: int) -> bytes:
        """Return `n` random bytes (IF-8)."""
        return self._bytes("RANDOM", {"n": n}, "random")

    def now(self) -> int:
        """Return the host's time in Unix seconds: an input, not a truth."""
        return self._integer("NOW", {})

    def _bytes(self, name: str, fields: dict[str, object], answer: str) -> bytes:
        value = self._asking.call(name, fields).get(answer)
        if not isinstance(value, bytes):
            message = f"gate: {name} was answered without {answer}"
            raise Malformed(message)
        return value

    def _integer(self, name: str, fields: dict[str, object]) -> int:
        value = self._asking.call(name, fields).get("value")
        if type(value) is not int:
            message = f"gate: {name} was answered without a value"
            raise Malformed(message)
        return value
