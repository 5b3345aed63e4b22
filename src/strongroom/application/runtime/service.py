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

from strongroom.application.runtime.app import write_files
from strongroom.application.runtime.values import check_values
from strongroom.application.sdk import open_bundle
from strongroom.application.sdk.calls import decode_call, encode_answer
from strongroom.application.sdk.inside import InsideServices
from strongroom.application.sdk.interface import FIRST_ENTRY, INTERFACES
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import EntryPoint, VerifiedBundle
from strongroom.core.rats import Call, ServiceGate
from strongroom.errors import (
    AppFailed,
    LimitReached,
    Malformed,
    Refused,
    StrongroomError,
)


class ServiceEnclave:
    """Serves one app until its gate closes."""

    def __init__(self, gate: ServiceGate, bundle: VerifiedBundle) -> None:
        self._gate, self._manifest = gate, bundle.manifest
        self._services = InsideServices(gate, bundle)
        self._files = bundle.files()

    def serve(self) -> None:
        """Lay out the bundle's files, import its functions and answer calls."""
        with tempfile.TemporaryDirectory(prefix="app-") as folder:
            write_files(Path(folder), self._files)
            open_bundle(Path(folder))
            sys.path.insert(0, folder)
            while (call := self._gate.receive()) is not None:
                try:
                    self._gate.reply(self._answer(call))
                except StrongroomError as error:
                    self._gate.fail(error)
                except MemoryError:
                    limit = "the app reached the enclave's limit memory_bytes"
                    self._gate.fail(LimitReached(limit))

    def _answer(self, call: Call) -> bytes:
        if call.method in INTERFACES:
            return self._interface(call)
        at = call.method - FIRST_ENTRY
        if not 0 <= at < len(self._manifest.entry_points):
            message = f"this app has no method {call.method}"
            raise Malformed(message)
        return self._entry(self._manifest.entry_points[at], call)

    def _interface(self, call: Call) -> bytes:
        row = INTERFACES[call.method]
        if row.name not in self._manifest.interfaces:
            offered = ", ".join(self._manifest.interfaces) or "none"
            raise Refused.because(
                rule="interface.offer",
                owner=f"the app {self._manifest.name}",
                expected=f"one of the functions that it offers: {offered}",
                got=row.name,
                remedy="Name it under `interfaces` in strongroom.toml, and build anew.",
            )
        arguments = decode_call(call.payload, row.takes)
        return encode_answer(getattr(self._services, row.name)(**arguments))

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
