# SPDX-License-Identifier: Apache-2.0
"""The state behind the gate: who may start, call and end which enclave (C-TECU, SYS-1).

Nothing here is a secret but the monitor key, which rests in secret memory; neither
STATUS nor an error shows any of it.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from strongroom.core.codec.bundle import VerifiedBundle
from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import suite
from strongroom.core.rats.destruction import Reason
from strongroom.errors import (
    LimitReached,
    Malformed,
    Misconfigured,
    Refused,
    StrongroomError,
)
from strongroom.system.monitor.admission import Admission
from strongroom.system.monitor.enclaves import Enclave, EnclaveProcess
from strongroom.system.monitor.requests import Birth, Trunk

MAX_ENCLAVES = 1024
_ID_BYTES, _HANDLE_BYTES = 32, 16


@dataclass(frozen=True)
class Caller:
    """Whoever is at the other end of a host connection, by the kernel's word."""

    uid: int
    pid: int
    connection: socket.socket


class Starter(Protocol):
    """Starts locked-down processes: the template, to the monitor."""

    def start(self, bundle: VerifiedBundle, memory_bytes: int) -> EnclaveProcess:
        """Return a locked-down process that waits for its START."""

    @property
    def locks(self) -> tuple[str, ...]:
        """The locks that every enclave of it has."""


@dataclass(frozen=True)
class Locks:
    """What the probe of this machine found: missing locks and how to get them."""

    missing: Mapping[str, str]
    allowed: tuple[str, ...]

    def require(self) -> None:
        """Refuse to go on without a lock that nobody has waived.

        Raises:
            Misconfigured: names every missing lock and what enables it.
        """
        unmet = {n: how for n, how in self.missing.items() if n not in self.allowed}
        if unmet:
            how = "; ".join(f"{name}: {text}" for name, text in sorted(unmet.items()))
            message = (
                f"this machine lacks locks that every enclave needs: {how}. "
                "--allow-missing NAME starts without one, and the evidence then says so"
            )
            raise Misconfigured(message)


class Monitor:
    """Holds the device, the enclaves and the rules; every command ends here."""

    def __init__(
        self, trunk: Trunk, admission: Admission, starter: Starter, locks: Locks
    ) -> None:
        self._trunk, self._admission = trunk, admission
        self._starter, self._locks = starter, locks
        self._enclaves: dict[bytes, tuple[Enclave, Caller]] = {}
        self._guard = threading.Lock()
        self._machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def handle(
        self,
        command: str,
        fields: Mapping[str, object],
        fds: Sequence[int],
        caller: Caller,
    ) -> dict[str, object]:
        """Carry out one host-side command; `fields` fit the command table already.

        Raises:
            StrongroomError: why not.
        """
        match command, dict(fields):
            case "STATUS", _:
                return self.status()
            case "CREATE", {
                "bundle": bytes() as bundle,
                "launch_policy": bytes() as policy,
                "config": bytes() as config,
                "memory_bytes": int() as memory_bytes,
                "methods": bytes() as methods,
            }:
                verified = self._admit(bundle, policy)
                birth = self._birth(verified, config, memory_bytes, methods, caller)
                return self._create(birth, bundle, config, caller)
            case "CALL", {
                "handle": bytes() as handle,
                "method": int() as method,
                "payload": bytes() as payload,
            }:
                enclave = self._permitted(handle, method, caller)
                return {"payload": enclave.call(method, payload, fds, caller.connection)}
            case "EVIDENCE", {"nonce": bytes() as nonce}:
                return {"evidence": self._evidence(nonce)}
            case "DESTROY", {"handle": bytes() as handle}:
                enclave = self._owned(handle, caller)
                enclave.end("requested")
                return {"record": enclave.signed_record()}
        message = f"gate: {command} is not for the host side"
        raise Malformed(message)

    def status(self) -> dict[str, object]:
        """Return what anyone on this machine may know."""
        with self._guard:
            living = [e.birth for e, _ in self._enclaves.values() if e.record is None]
        device = self._trunk.device
        return {
            "device_id": device.device_id,
            "suite": device.suite_id,
            "kind": device.kind,
            "monitor_key": PublicKey.of(self._trunk.key.public).to_value(),
            "locks": list(self._starter.locks),
            "missing": dict(self._locks.missing),
            "launch_policy_version": self._admission.newest_policy_version(),
            "enclaves": [
                {
                    "enclave_id": birth.enclave_id,
                    "measurement": birth.bundle.measurement,
                    "owner_uid": birth.owner_uid,
                    "memory_bytes": birth.memory_bytes,
                    "created_at": birth.created_at,
                }
                for birth in living
            ],
        }

    def subject(self, fields: Mapping[str, object]) -> str:
        """Return what a command was about, for the log; a handle is a secret."""
        handle = fields.get("handle")
        with self._guard:
            found = self._enclaves.get(handle) if isinstance(handle, bytes) else None
        method = fields.get("method")
        parts = [found[0].birth.enclave_id.hex()] if found else []
        return " ".join([*parts, *([f"method {method}"] if method is not None else [])])

    def release(self, caller: Caller) -> None:
        """End every enclave of a connection that has closed."""
        self._end("owner-gone", lambda owner: owner is caller)

    def close(self) -> None:
        """End every enclave."""
        self._end("requested", lambda _: True)

    def _end(self, reason: Reason, chosen: Callable[[Caller], bool]) -> None:
        with self._guard:
            gone = {h: e for h, (e, owner) in self._enclaves.items() if chosen(owner)}
            for handle in gone:
                del self._enclaves[handle]
        for enclave in gone.values():
            enclave.end(reason)

    def _admit(self, bundle: bytes, policy: bytes) -> VerifiedBundle:
        self._locks.require()
        return self._admission.admit(bundle, policy)

    def _birth(
        self,
        verified: VerifiedBundle,
        config: bytes,
        memory_bytes: int,
        methods: bytes,
        caller: Caller,
    ) -> Birth:
        memory_bytes = memory_bytes or verified.manifest.memory_bytes
        if memory_bytes > self._machine_bytes:
            message = (
                f"{memory_bytes} bytes of memory are over the {self._machine_bytes} "
                "bytes of this machine"
            )
            raise LimitReached(message)
        with self._trunk.lock:
            name = self._trunk.device.random(_ID_BYTES)
            handle = self._trunk.device.random(_HANDLE_BYTES)
        return Birth(
            enclave_id=name,
            handle=handle,
            owner_uid=caller.uid,
            bundle=verified,
            config=suite(verified.manifest.suite).digest(config),
            memory_bytes=memory_bytes,
            methods=frozenset(methods),
            created_at=self._trunk.clock(),
            locks=self._starter.locks,
        )

    def _create(
        self, birth: Birth, bundle: bytes, config: bytes, caller: Caller
    ) -> dict[str, object]:
        began = time.perf_counter()
        process = self._starter.start(birth.bundle, birth.memory_bytes)
        enclave = Enclave(self._trunk, birth, process)
        try:
            self._keep(enclave, caller)
            enclave.start(bundle, config, caller.connection)
        except StrongroomError:
            enclave.end("exited")
            with self._guard:
                self._enclaves.pop(birth.handle, None)
            raise
        return {
            "handle": birth.handle,
            "enclave_id": birth.enclave_id,
            "measurement": birth.bundle.measurement,
            "start_ms": (time.perf_counter() - began) * 1000,
        }

    def _keep(self, enclave: Enclave, caller: Caller) -> None:
        with self._guard:
            if len(self._enclaves) >= MAX_ENCLAVES:
                ended = (h for h, (e, _) in self._enclaves.items() if e.record)
                oldest = next(ended, None)
                if oldest is None:
                    message = f"this monitor runs {MAX_ENCLAVES} enclaves and no more"
                    raise LimitReached(message)
                del self._enclaves[oldest]
            self._enclaves[enclave.birth.handle] = (enclave, caller)

    def _owned(self, handle: bytes, caller: Caller) -> Enclave:
        with self._guard:
            found = self._enclaves.get(handle)
        if found is None or found[0].birth.owner_uid != caller.uid:
            raise Refused.because(
                "gate.owner",
                "monitor",
                expected="the handle of an enclave that the caller created",
                got=f"another handle, from uid {caller.uid}",
                remedy="Create an enclave and use the handle that CREATE returns.",
            )
        return found[0]

    def _permitted(self, handle: bytes, method: int, caller: Caller) -> Enclave:
        enclave = self._owned(handle, caller)
        allowed = enclave.birth.methods
        if allowed and method not in allowed:
            raise Refused.because(
                "gate.permission",
                "owner of the enclave",
                expected=f"one of the methods {', '.join(map(str, sorted(allowed)))}",
                got=f"method {method}",
                remedy="Create the enclave with this method among those allowed.",
            )
        return enclave

    def _evidence(self, nonce: bytes) -> bytes:
        with self._trunk.lock:
            return self._trunk.device.attest(
                nonce=nonce, monitor_key=self._trunk.key.public, now=self._trunk.clock()
            )
