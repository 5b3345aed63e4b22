# SPDX-License-Identifier: Apache-2.0
"""A service app: serves the interface and its own entry points over its gate (SVC-2).

An entry point is a function of the bundle; it gets the services first and then its
declared parameters by name. Which of the fifteen functions the ordinary side may call
through this app is in its manifest, so it is measured with it (SYS-1, RES-1).
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.application.runtime.app import write_files
from strongroom.application.runtime.values import check_values
from strongroom.application.sdk import open_bundle
from strongroom.application.sdk.calls import decode_call, encode_answer, inner_call
from strongroom.application.sdk.inside import InsideServices
from strongroom.application.sdk.interface import (
    CARRIED,
    CONVERSE,
    ENTRIES,
    FIRST_ENTRY,
    INTERFACES,
)
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import EntryPoint, VerifiedBundle
from strongroom.core.codec.permits import HOST, Caller, allows_command, reached
from strongroom.core.rats import Call, ServiceGate
from strongroom.errors import (
    AppFailed,
    LimitReached,
    Malformed,
    Refused,
    StrongroomError,
)
from strongroom.system.monitor.events import outcome_of

if TYPE_CHECKING:
    from strongroom.application.runtime.door import Door


class ServiceEnclave:
    """Serves one app until its gate closes."""

    def __init__(self, gate: ServiceGate, bundle: VerifiedBundle) -> None:
        self._gate, self._manifest = gate, bundle.manifest
        self._services = InsideServices(gate, bundle)
        self._files = bundle.files()
        self._door: Door | None = None

    def serve(self) -> None:
        """Lay out the bundle's files, import its functions and answer calls."""
        with tempfile.TemporaryDirectory(prefix="app-") as folder:
            write_files(Path(folder), self._files)
            open_bundle(Path(folder))
            sys.path.insert(0, folder)
            while (call := self._gate.receive()) is not None:
                self._serve(call)

    def _serve(self, call: Call) -> None:
        """Answer a call; the log is told with it what the app used meanwhile."""
        answer = self._outcome(call)
        own = call.method if call.method in INTERFACES else 0
        self._gate.tell(self._services.tally.take(own))
        if isinstance(answer, StrongroomError):
            self._gate.fail(answer)
        else:
            self._gate.reply(answer)

    def _outcome(self, call: Call) -> bytes | StrongroomError:
        try:
            return self._gated(call)
        except StrongroomError as error:
            return error
        except MemoryError:
            return reached("memory_bytes", self._manifest.memory_bytes)

    def _gated(self, call: Call) -> bytes:
        """Answer the ordinary side, and what it carries for others."""
        if call.method == CONVERSE:
            return self._converse(call.payload)
        if call.method == CARRIED:
            return self._carried(call.payload)
        return self._answer(call, HOST)

    def _answer(self, call: Call, caller: Caller) -> bytes:
        """Answer a call if this caller may make it (SYS-1)."""
        if call.method in INTERFACES:
            return self._interface(call, caller)
        if call.method == ENTRIES:
            return encode_answer([each.name for each in self._manifest.entry_points])
        at = call.method - FIRST_ENTRY
        if not 0 <= at < len(self._manifest.entry_points):
            message = f"this app has no method {call.method}"
            raise Malformed(message)
        entry = self._manifest.entry_points[at]
        allows_command(self._manifest, entry.name, caller)
        return self._entry(entry, call)

    def _interface(self, call: Call, caller: Caller) -> bytes:
        row = INTERFACES[call.method]
        try:
            self._require_offered(row.name, caller)
        except Refused as error:
            self._services.tally.note(call.method, *outcome_of(error))
            raise
        arguments = decode_call(call.payload, row.takes)
        return encode_answer(getattr(self._services, row.name)(**arguments))

    def _require_offered(self, name: str, caller: Caller) -> None:
        if name not in self._manifest.interfaces:
            offered = ", ".join(self._manifest.interfaces) or "none"
            raise Refused.because(
                rule="interface.offer",
                owner=f"the app {self._manifest.name}",
                expected=f"one of the functions that it offers: {offered}",
                got=name,
                remedy="Name it under `interfaces` in strongroom.toml, and build anew.",
            )
        allows_command(self._manifest, name, caller)

    def _carried(self, payload: bytes) -> bytes:
        if self._door is None:
            from strongroom.application.runtime.door import Door  # noqa: PLC0415 - an extra

            self._door = Door(self._services, self._manifest, self._answer)
        return self._door.carry(payload)

    def _converse(self, payload: bytes) -> bytes:
        """Carry on a channel: its second message opens it, a record is a call in it.

        What is called, with which arguments and what it answers or refuses is in the
        records; the ordinary side learns their sizes.
        """
        match cbor.decode(payload):
            case {"session": bytes() as session, "finish": bytes() as finish}:
                self._services.channels.finish(session, finish)
                return encode_answer(b"")
            case {"session": bytes() as session, "record": bytes() as record}:
                return encode_answer(self._spoken(session, record))
            case _:
                message = "a channel carries a finish or a record"
                raise Malformed(message)

    def _spoken(self, session: bytes, record: bytes) -> bytes:
        channels = self._services.channels
        opened = channels.session(session)
        conversation = opened.conversation
        try:
            said = conversation.receive(record)
        finally:
            if not conversation.is_open:
                channels.forget(session)
        if said is None:
            return conversation.close()
        try:
            answer = [True, self._answer(inner_call(said), opened.client)]
        except StrongroomError as error:
            answer = [False, cbor.encode(error.to_value())]
        return conversation.send(cbor.encode(answer))

    def _entry(self, entry: EntryPoint, call: Call) -> bytes:
        values = check_values(entry.parameters, cbor.decode(call.payload))
        answer = encode_answer(self._call(entry, values))
        if len(answer) > entry.output.max_bytes:
            message = f"{entry.name} answers at most {entry.output.max_bytes} bytes"
            raise LimitReached(message)
        return answer

    def _call(self, entry: EntryPoint, values: dict[str, object]) -> object:
        """Call an app's function; what it raises of its own stays inside."""
        try:
            module, name = entry.function.split(":")
            function = getattr(importlib.import_module(module), name)
            return function(self._services, **values)
        except (MemoryError, StrongroomError):
            raise
        except BaseException as error:
            message = "the app raised an error; run it on data of your own to see it"
            raise AppFailed(message) from error
