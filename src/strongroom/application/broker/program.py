# SPDX-License-Identifier: Apache-2.0
"""The broker as a program in an enclave: numbered calls in, replies out (HW-4)."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from strongroom.application.broker.config import BrokerConfig, Method
from strongroom.application.broker.ledger import Act, Ledger
from strongroom.application.broker.messages import UNKNOWN, handle_message
from strongroom.application.broker.nodes import (
    CheckInCall,
    challenge,
    check_in,
    sweep,
)
from strongroom.application.broker.receipts import CompleteCall, complete
from strongroom.application.broker.release import ReleaseCall, release
from strongroom.application.broker.tasks import NODE, fail_attempt, tickets
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import VerifiedBundle
from strongroom.core.codec.record import Record
from strongroom.core.rats import Call, EnclaveGate
from strongroom.errors import (
    Conflict,
    Malformed,
    StrongroomError,
    Unavailable,
)
from strongroom.management.audit import Category

_LOGGED: dict[int, tuple[Category, str, str]] = {
    Method.MESSAGE: ("interface", "message", UNKNOWN),
    Method.RELEASE: ("task", "task.release", NODE),
    Method.COMPLETE: ("task", "task.complete", NODE),
    Method.FAILED: ("task", "task.failed", NODE),
    Method.CHECK_IN: ("system", "node.check-in", NODE),
}
"""Calls whose failure is logged; the others change nothing and have no sender."""


@dataclass(frozen=True)
class _Nothing(Record):
    """A call without arguments."""


@dataclass(frozen=True)
class _Hello(Record):
    nonce: bytes


@dataclass(frozen=True)
class _Message(Record):
    box: bytes


@dataclass(frozen=True)
class _Failed(Record):
    task: str
    attempt: int
    error: dict[str, object]


@dataclass(frozen=True)
class _Log(Record):
    path: str


def serve(gate: EnclaveGate, bundle: VerifiedBundle) -> None:
    """Answer calls until the gate closes.

    Args:
        gate: the only way in or out; its `config` is the measured `BrokerConfig`.
        bundle: the broker's own bundle, as measured; it has no files to read.
    """
    del bundle
    broker = Broker(gate, BrokerConfig.from_bytes(gate.config))
    while (call := gate.receive()) is not None:
        broker.answer(call)


class Broker:
    """Answers every call, whatever it holds, with a value or a typed error."""

    def __init__(self, gate: EnclaveGate, config: BrokerConfig) -> None:
        self._gate = gate
        self._config = config
        self._ledger: Ledger | None = None

    def answer(self, call: Call) -> None:
        """Answer one call.

        An error that is not of this package's making is a defect: the caller learns
        nothing of it, and the log says that the call failed.
        """
        try:
            reply = cbor.encode(self._dispatch(call))
        except StrongroomError as error:
            self._note(call, error)
            self._gate.fail(error)
        except Exception:  # noqa: BLE001 - the last line: nothing may leak from here
            self._note(call, None)
            self._gate.fail(Unavailable("the broker could not answer this call"))
        else:
            self._gate.reply(reply)

    def _dispatch(self, call: Call) -> dict[str, object]:
        handler = self._METHODS.get(call.method)
        keeps = call.method == Method.OPEN and self._ledger is None
        if not keeps or len(call.fds) != 1:
            for fd in call.fds:
                os.close(fd)
            if keeps or call.fds:
                message = "one descriptor, the journal's, comes with the first call"
                raise Malformed(message)
        if handler is None:
            message = f"the broker has no method {call.method}"
            raise Malformed(message)
        if self._ledger is not None:
            sweep(self._ledger)
        return handler(self, call)

    def _note(self, call: Call, error: StrongroomError | None) -> None:
        """Log a failure; where even that fails, the journal has stopped."""
        row = _LOGGED.get(call.method)
        if row is None or self._ledger is None:
            return
        category, action, subject = row
        task = _task_of(call.payload)
        known = task if task in self._ledger.state.tasks else UNKNOWN
        with suppress(StrongroomError):
            self._ledger.refuse(Act(category, action, subject, known), error)

    @property
    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            message = "the broker has no journal yet; call OPEN first"
            raise Conflict(message)
        return self._ledger

    def open_journal(self, call: Call) -> dict[str, object]:
        """Method 1: take the journal, and with it all that was before."""
        if self._ledger is not None:
            message = "the broker has its journal already"
            raise Conflict(message)
        fd = call.fds[0] if call.fds else -1
        try:
            _Nothing.from_bytes(call.payload)
            self._ledger = Ledger.open(self._gate, self._config, fd)
        finally:
            if self._ledger is None and fd >= 0:
                os.close(fd)
        public = self._ledger.keys.public.to_bytes()
        return {"public": public, "entries": self._ledger.log.size}

    def hello(self, call: Call) -> dict[str, object]:
        """Method 2: evidence that binds a nonce and the broker's keys (RA-1)."""
        nonce = _Hello.from_bytes(call.payload).nonce
        keys, log = self._open_ledger.keys, self._open_ledger.log
        return {
            "public": keys.public.to_bytes(),
            "app": self._gate.report(nonce, keys.public.report_data),
            "checkpoint": log.checkpoint(keys.signing),
        }

    def message(self, call: Call) -> dict[str, object]:
        """Method 3: a party's closed message."""
        box = _Message.from_bytes(call.payload).box
        reply = handle_message(self._open_ledger, box)
        found = [reply.ticket] if reply.ticket else []
        return {"box": reply.box, "tickets": found}

    def tickets(self, call: Call) -> dict[str, object]:
        """Method 4: the attempts that wait for a node, and those that have one."""
        _Nothing.from_bytes(call.payload)
        return tickets(self._open_ledger)

    def release(self, call: Call) -> dict[str, object]:
        """Method 5: keys for the enclave of one attempt."""
        asked = ReleaseCall.from_bytes(call.payload)
        return {"box": release(self._open_ledger, asked)}

    def complete(self, call: Call) -> dict[str, object]:
        """Method 6: the receipt of an attempt."""
        complete(self._open_ledger, CompleteCall.from_bytes(call.payload))
        return {}

    def failed(self, call: Call) -> dict[str, object]:
        """Method 7: an attempt that ended without one."""
        said = _Failed.from_bytes(call.payload)
        fail_attempt(self._open_ledger, said.task, said.attempt, said.error)
        return {}

    def log(self, call: Call) -> dict[str, object]:
        """Method 8: a file of the public log (c2sp.org/tlog-tiles, LOG-3)."""
        path = _Log.from_bytes(call.payload).path
        ledger = self._open_ledger
        if path == "checkpoint":
            return {"data": ledger.log.checkpoint(ledger.keys.signing)}
        return {"data": ledger.log.tile(path)}

    def challenge(self, call: Call) -> dict[str, object]:
        """Method 9: a nonce for a compute node to attest itself with."""
        _Nothing.from_bytes(call.payload)
        return challenge(self._open_ledger)

    def check_in(self, call: Call) -> dict[str, object]:
        """Method 10: a compute node's evidence, on its period."""
        return check_in(self._open_ledger, CheckInCall.from_bytes(call.payload))

    _METHODS: ClassVar[dict[int, Callable[["Broker", Call], dict[str, object]]]] = {
        Method.OPEN: open_journal,
        Method.HELLO: hello,
        Method.MESSAGE: message,
        Method.TICKETS: tickets,
        Method.RELEASE: release,
        Method.COMPLETE: complete,
        Method.FAILED: failed,
        Method.LOG: log,
        Method.CHALLENGE: challenge,
        Method.CHECK_IN: check_in,
    }


def _task_of(payload: bytes) -> str:
    try:
        value = cbor.decode(payload)
    except Malformed:
        return ""
    task = value.get("task") if isinstance(value, dict) else None
    return task if isinstance(task, str) else ""
