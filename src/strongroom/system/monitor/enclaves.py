# SPDX-License-Identifier: Apache-2.0
"""One live enclave as the monitor sees it: start, call, end, and its record (ISO-1)."""

import select
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.permits import reached
from strongroom.core.codec.signed import sign_record
from strongroom.core.rats.destruction import Destruction, Reason
from strongroom.errors import (
    AppFailed,
    Conflict,
    LimitReached,
    Malformed,
    StrongroomError,
    Unavailable,
    error_from_value,
)
from strongroom.system.monitor.birth import Birth, Trunk
from strongroom.system.monitor.events import OK, called, entry_of, outcome_named
from strongroom.system.monitor.gate import (
    COMMANDS,
    ERROR,
    NUMBERS,
    REPLY,
    Frame,
    check_command,
    recv_frame,
    send_frame,
)
from strongroom.system.monitor.requests import EnclaveRequests

_MAX_ANSWER_BYTES = COMMANDS[NUMBERS["INVOKE"]].fields["payload"].most


@dataclass(frozen=True)
class Exit:
    """How an enclave's process ended: in words; the limit that did it, or ""."""

    text: str
    limit: str


class EnclaveProcess(Protocol):
    """The locked-down process of one enclave."""

    @property
    def link(self) -> socket.socket:
        """The monitor's end of its gate."""

    @property
    def locks(self) -> tuple[str, ...]:
        """The locks that hold for it, by the kernel's word."""

    def kill(self) -> None:
        """End it and all it started; harmless when it has ended."""

    def wait(self) -> Exit:
        """Return how it ended, once it has."""


class Enclave:
    """An enclave from its first instruction to its destruction record.

    One call at a time; `end` may come from any thread, and a call that is under way
    then fails.
    """

    def __init__(
        self,
        trunk: Trunk,
        birth: Birth,
        process: EnclaveProcess,
        owner: socket.socket,
    ) -> None:
        self.birth = birth
        self._trunk = trunk
        self._process = process
        self._owner = owner
        self._requests = EnclaveRequests(trunk, birth)
        self._calling = threading.Lock()
        self._ending = threading.Lock()
        self._exit = Exit("", "")
        self._record: Destruction | None = None
        self._request = 0

    @property
    def record(self) -> Destruction | None:
        """The record of its end, or None while it lives."""
        return self._record

    @property
    def lives(self) -> bool:
        """Whether its process has not ended, as far as its gate tells."""
        return self._record is None and not self._is_closed()

    def start(self, bundle: bytes, config: bytes) -> None:
        """Hand the checked bundle over; returns once the program runs.

        Raises:
            AppFailed, LimitReached: it ended instead.
        """
        self._ask("START", {"bundle": bundle, "config": config}, (), self._owner)

    def call(
        self, method: int, payload: bytes, fds: Sequence[int], host: socket.socket
    ) -> bytes:
        """Call a method and return its answer.

        Raises:
            Conflict: the enclave was ended meanwhile.
            AppFailed, LimitReached: it ended in the call.
            StrongroomError: what the program answered.
        """
        return self._ask("INVOKE", {"method": method, "payload": payload}, fds, host)

    def end(self, reason: Reason) -> None:
        """Kill the process, whose memory and keys go with it; keep the record (IF-2).

        Harmless when it has ended already: the first reason stays.
        """
        self._finish(reason)
        with self._calling:
            self._process.link.close()

    def _finish(self, reason: Reason) -> None:
        with self._ending:
            if self._record is not None:
                return
            if self._is_closed():
                reason = "exited"
            self._process.kill()
            self._exit = self._process.wait()
            limit = reason == "exited" and self._exit.limit
            self._record = Destruction(
                suite=self.birth.manifest.suite,
                enclave_id=self.birth.enclave_id,
                measurement=self.birth.measurement,
                created_at=self.birth.created_at,
                destroyed_at=max(self._trunk.clock(), self.birth.created_at),
                reason="limit" if limit else reason,
                exit=self._exit.text,
                memory_bytes=self.birth.memory_bytes,
            )
            self._log("END", _reached(self.birth, self._exit.limit) if limit else None)

    def signed_record(self) -> bytes:
        """Return the record signed by the monitor key.

        Raises:
            Conflict: the enclave lives.
        """
        if self._record is None:
            message = "this enclave has not ended"
            raise Conflict(message)
        return sign_record(self._trunk.key, self._record)

    def _ask(
        self,
        command: str,
        fields: dict[str, object],
        fds: Sequence[int],
        host: socket.socket,
    ) -> bytes:
        with self._calling:
            if self._record is not None:
                raise self._ended()
            self._request += 1
            try:
                send_frame(
                    self._process.link, NUMBERS[command], self._request, fields, fds
                )
                answer = self._serve(host, may_ask=command == "INVOKE")
            except (StrongroomError, OSError) as error:
                self._finish("exited")
                self._process.link.close()
                raise self._ended() from error
            return _payload(answer)

    def _serve(self, host: socket.socket, *, may_ask: bool) -> Frame:
        """Answer what the program asks for until it answers the call."""
        link = self._process.link
        while True:
            self._wait(host)
            frame = recv_frame(link)
            if frame is None:
                message = "the enclave closed its gate"
                raise Unavailable(message)
            frame.close()
            if frame.number in (REPLY, ERROR) and frame.request == self._request:
                self._log_calls(frame)
                return frame
            number, fields = self._answer(frame, host if may_ask else None)
            send_frame(link, number, frame.request, fields)

    def _answer(
        self, frame: Frame, host: socket.socket | None
    ) -> tuple[int, dict[str, object]]:
        """Carry out what the program asks for, and log that it did, either way."""
        known, failure = COMMANDS.get(frame.number), None
        name = known.name if known else str(frame.number)
        try:
            check_command(frame, "enclave")
            if name == "ASK_HOST":
                return REPLY, {"payload": self._ask_host(frame.fields, host)}
            return REPLY, self._requests.answer(name, frame.fields)
        except StrongroomError as error:
            failure = error
            return ERROR, error.to_value()
        finally:
            self._log(name, failure)

    def _log(self, command: str, error: StrongroomError | None) -> None:
        me = self.birth.enclave_id.hex()
        entry = entry_of(
            command, self._trunk.clock(), me, me, error, **self.birth.names()
        )
        self._trunk.log.record(entry)

    def _log_calls(self, frame: Frame) -> None:
        """Log which functions the app used in here, and how often (LOG-2)."""
        for interface, count, code, rule in called(frame.fields.pop("calls", [])):
            self._trunk.log.record(
                LogEntry(
                    time=max(0, self._trunk.clock()),
                    category="interface",
                    action="app.call",
                    subject=self.birth.enclave_id.hex(),
                    object=self.birth.enclave_id.hex(),
                    outcome=outcome_named(code),
                    detail={
                        **self.birth.names(),
                        "interface": f"IF-{interface}",
                        "count": str(count),
                        **({"error": code} if code != OK else {}),
                        **({"rule": rule} if rule else {}),
                    },
                )
            )

    def _ask_host(self, fields: dict[str, object], host: socket.socket | None) -> bytes:
        """Pass a question on to whoever called; what comes back is not to be trusted.

        Raises:
            Conflict: nobody has called.
            Unavailable: the caller is gone, or the enclave while it waited.
            StrongroomError: what the caller answered.
        """
        if host is None:
            message = "an enclave asks its host during a call only"
            raise Conflict(message)
        send_frame(host, NUMBERS["ASKED"], self._request, fields)
        poll = select.poll()
        poll.register(host, select.POLLIN)
        poll.register(self._process.link, select.POLLIN)
        if self._process.link.fileno() in dict(poll.poll()):
            message = "the enclave went on without the host's answer"
            raise Unavailable(message)
        frame = recv_frame(host)
        if frame is None:
            message = "the caller is gone"
            raise Unavailable(message)
        frame.close()
        if frame.number not in (REPLY, ERROR) or frame.request != self._request:
            message = "gate: the caller answered something else"
            raise Malformed(message)
        return _payload(frame)

    def _wait(self, host: socket.socket) -> None:
        """Wait for the enclave, and end it if its owner, who called, goes first."""
        poll = select.poll()
        poll.register(self._process.link, select.POLLIN)
        if host is self._owner:
            poll.register(host, select.POLLRDHUP)
        ready = dict(poll.poll())
        if self._process.link.fileno() not in ready and ready:
            self._finish("owner-gone")
            message = "the owner is gone"
            raise Unavailable(message)

    def _is_closed(self) -> bool:
        try:
            flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
            return not self._process.link.recv(1, flags)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _ended(self) -> StrongroomError:
        record = self._record
        if record is None or record.reason in ("requested", "owner-gone"):
            return Conflict("this enclave has been destroyed")
        if record.reason == "limit":
            return _reached(self.birth, self._exit.limit)
        return AppFailed(f"the enclave ended by itself: {record.exit}")


def _reached(birth: Birth, limit: str) -> LimitReached:
    declared = {
        "memory_bytes": birth.memory_bytes,
        "threads": birth.manifest.threads,
        "processes": birth.manifest.processes,
        "cpu_seconds": birth.manifest.cpu_seconds,
    }.get(limit, 0)
    return reached(limit, declared)


def _payload(answer: Frame) -> bytes:
    if answer.number == ERROR:
        raise error_from_value(answer.fields)
    payload = answer.fields.get("payload")
    if not isinstance(payload, bytes) or len(payload) > _MAX_ANSWER_BYTES:
        message = "the app's answer is not bytes, or over the size of an answer"
        raise AppFailed(message)
    return payload
