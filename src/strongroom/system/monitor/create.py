# SPDX-License-Identifier: Apache-2.0
"""CREATE: from a bundle to a locked-down program that answers (IF-1, ISO-1 b)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from strongroom.core.codec.bundle import Manifest, VerifiedBundle
from strongroom.core.crypto import suite
from strongroom.core.rats import LOCKS
from strongroom.errors import LimitReached, Misconfigured, StrongroomError
from strongroom.system.monitor.admission import Admission
from strongroom.system.monitor.birth import Birth, Trunk
from strongroom.system.monitor.enclaves import Enclave, EnclaveProcess
from strongroom.system.monitor.registry import Caller, Registry
from strongroom.system.monitor.sandbox import MAX_TASKS, Limits

_ID_BYTES, _HANDLE_BYTES = 32, 16


class Starter(Protocol):
    """Starts locked-down processes: the template, to the monitor."""

    def start(self, limits: Limits) -> EnclaveProcess:
        """Return a locked-down process that waits for its START."""


@dataclass(frozen=True)
class Locks:
    """What the probe of this machine found: missing locks and how to get them."""

    missing: Mapping[str, str]
    waived: tuple[str, ...]

    @property
    def held(self) -> tuple[str, ...]:
        """The locks that this machine has."""
        return tuple(name for name in LOCKS if name not in self.missing)

    def require(self) -> None:
        """Refuse to go on without a lock that nobody has waived.

        Raises:
            Misconfigured: names every missing lock and what enables it.
        """
        unmet = {n: how for n, how in self.missing.items() if n not in self.waived}
        if unmet:
            shown = "; ".join(f"{name}: {how}" for name, how in unmet.items())
            message = (
                f"this machine lacks locks that every enclave needs: {shown}. "
                "--allow-missing NAME goes on without one, and evidence then says so"
            )
            raise Misconfigured(message)


@dataclass(frozen=True)
class CreateRequest:
    """The fields of CREATE; `memory_bytes` 0 for what the manifest says (HW-5)."""

    bundle: bytes
    launch_policy: bytes
    config: bytes
    memory_bytes: int
    methods: bytes


class Creator:
    """Admits, starts and registers enclaves."""

    def __init__(
        self, trunk: Trunk, admission: Admission, starter: Starter, locks: Locks
    ) -> None:
        self._trunk, self._admission = trunk, admission
        self._starter, self._locks = starter, locks
        self._machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def create(
        self, request: CreateRequest, caller: Caller, registry: Registry
    ) -> Enclave:
        """Return a running enclave; before its START nothing of the app has run.

        Raises:
            Misconfigured: a lock is missing.
            Refused: a rule of admission.
            LimitReached: more memory than the machine has, more threads than an
                enclave may have, or too many enclaves.
            AppFailed: the program ended at once.
        """
        self._locks.require()
        bundle = self._admission.admit(request.bundle, request.launch_policy)
        limits = self._limits(bundle.manifest, request.memory_bytes)
        process = self._starter.start(limits)
        birth = self._birth(bundle, limits, request, caller, process.locks)
        enclave = Enclave(self._trunk, birth, process, caller.connection)
        try:
            registry.keep(enclave, caller)
            enclave.start(request.bundle, request.config)
        except StrongroomError:
            enclave.end("exited")
            registry.forget(enclave)
            raise
        return enclave

    def _limits(self, manifest: Manifest, memory_bytes: int) -> Limits:
        """Return what the enclave is held to: the manifest, or less or more memory."""
        limits = Limits(
            memory_bytes=memory_bytes or manifest.memory_bytes,
            threads=manifest.threads,
            processes=manifest.processes,
            cpu_seconds=manifest.cpu_seconds,
            apart=manifest.kind == "task",
        )
        if limits.memory_bytes > self._machine_bytes:
            message = (
                f"{limits.memory_bytes} bytes of memory are over the "
                f"{self._machine_bytes} bytes that this machine has"
            )
            raise LimitReached(message)
        if limits.tasks > MAX_TASKS:
            message = (
                f"{limits.threads} threads and {limits.processes} processes make up "
                f"to {limits.tasks} threads in all, over the {MAX_TASKS} of an enclave"
            )
            raise LimitReached(message)
        return limits

    def _birth(
        self,
        bundle: VerifiedBundle,
        limits: Limits,
        request: CreateRequest,
        caller: Caller,
        locks: tuple[str, ...],
    ) -> Birth:
        with self._trunk.lock:
            name = self._trunk.device.random(_ID_BYTES)
            handle = self._trunk.device.random(_HANDLE_BYTES)
        return Birth(
            enclave_id=name,
            handle=handle,
            owner_uid=caller.uid,
            manifest=bundle.manifest,
            measurement=bundle.measurement,
            signer=bundle.bundle.signer,
            config=suite(bundle.manifest.suite).digest(request.config),
            memory_bytes=limits.memory_bytes,
            methods=frozenset(request.methods),
            created_at=self._trunk.clock(),
            locks=locks,
        )
