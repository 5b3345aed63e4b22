# SPDX-License-Identifier: Apache-2.0
"""The compute node's agent: takes tickets, runs each attempt in a fresh enclave.

It asks the management node for work and carries evidence, boxes and ciphertexts
between the broker and its own monitor. It can open none of them.
"""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from strongroom.application.cleanroom import Receipt, Ticket
from strongroom.application.cleanroom.task import TaskMethod
from strongroom.core.codec import cbor
from strongroom.core.codec.signed import peek_record
from strongroom.core.rats import Evidence
from strongroom.core.rats.destruction import Destruction
from strongroom.errors import AppFailed, Malformed, StrongroomError, Unavailable
from strongroom.node.leases import LEASE_S
from strongroom.node.management import ManagementNode, bytes_of, map_of
from strongroom.node.store import Kind, Store
from strongroom.services.isolation import Enclave, Isolation

PLATFORM_EVIDENCE_AGE_S = 300.0
_RETRY_S = 0.2


class ComputeNode:
    """Runs attempts one after another on one monitor."""

    def __init__(
        self,
        management: ManagementNode,
        isolation: Isolation,
        kind: str,
        store: Store | None,
        cache: Path,
    ) -> None:
        self._management = management
        self._isolation = isolation
        self._kind = kind
        self._store = store
        self._cache_folder = cache
        cache.mkdir(parents=True, exist_ok=True)
        self._platform = b""
        self._platform_at = -PLATFORM_EVIDENCE_AGE_S

    def work(self) -> int:
        """Run every attempt that waits; return how many there were.

        Raises:
            Unavailable: no monitor, so that an attempt would be wasted; or no answer.
        """
        self._isolation.status()
        tickets = self._management.post("/v1/tickets", {})["tickets"]
        if not isinstance(tickets, list):
            message = "the management node's tickets are not a list"
            raise Malformed(message)
        for data in tickets:
            self.run(Ticket.from_bytes(data))
        return len(tickets)

    def run(self, ticket: Ticket) -> None:
        """Run one attempt; a failure is reported, never raised."""
        path = f"/v1/attempts/{ticket.task}/{ticket.attempt}"
        with self._alive(path):
            try:
                self._tell(f"{path}/complete", self._attempt(ticket, path))
            except StrongroomError as error:
                with contextlib.suppress(StrongroomError):
                    self._tell(f"{path}/failed", {"error": error.to_value()})

    def _tell(self, path: str, value: dict[str, object]) -> None:
        """Say how an attempt ended, also to a management node that starts again.

        The broker takes the same receipt twice; beyond a lease it is another's turn.
        """
        end = time.monotonic() + LEASE_S
        while True:
            try:
                self._management.post(path, value)
            except Unavailable:
                if time.monotonic() >= end:
                    raise
                time.sleep(_RETRY_S)
            else:
                return

    def _attempt(self, ticket: Ticket, path: str) -> dict[str, object]:
        """Attest, get the release, run, destroy; in this order (DESIGN 3, 5 to 7)."""
        bundle = self._file("bundles", ticket.app).read_bytes()
        inputs = [self._file("objects", name) for name in ticket.datasets]
        policy = self._management.get("/v1/launch-policy")
        enclave = self._isolation.create(bundle, policy)
        try:
            with tempfile.NamedTemporaryFile(dir=self._cache_folder) as output:
                receipt = self._run_enclave(
                    enclave, ticket, path, inputs, Path(output.name)
                )
                result = peek_record(Receipt, receipt)[0].result
                self._keep_result(result, Path(output.name))
        except AppFailed as error:
            raise _blamed(error, enclave.destroy()) from error
        finally:
            destruction = enclave.destroy()
        return {"receipt": receipt, "destruction": destruction}

    def _run_enclave(
        self,
        enclave: Enclave,
        ticket: Ticket,
        path: str,
        inputs: list[Path],
        output: Path,
    ) -> bytes:
        keys = map_of(
            enclave.call(
                int(TaskMethod.KEYS),
                cbor.encode(
                    {
                        "task": ticket.task,
                        "attempt": ticket.attempt,
                        "challenge": ticket.challenge,
                    }
                ),
            )
        )
        evidence = Evidence(
            kind=self._kind,
            platform=self._platform_evidence(),
            app=bytes_of(keys["app"]),
        )
        answer = self._management.post(
            f"{path}/release", {"keys": keys["keys"], "evidence": evidence.to_bytes()}
        )
        fds = [os.open(file, os.O_RDONLY | os.O_CLOEXEC) for file in inputs]
        fds.append(os.open(output, os.O_RDWR | os.O_CLOEXEC))
        try:
            done = enclave.call(
                int(TaskMethod.RUN), cbor.encode({"box": answer["box"]}), fds
            )
        finally:
            for fd in fds:
                os.close(fd)
        return bytes_of(map_of(done)["receipt"])

    def _platform_evidence(self) -> bytes:
        if time.monotonic() - self._platform_at >= PLATFORM_EVIDENCE_AGE_S:
            self._platform = self._isolation.evidence(os.urandom(32))
            self._platform_at = time.monotonic()
        return self._platform

    def _file(self, kind: Kind, name: str) -> Path:
        if self._store is not None:
            return self._store.path(kind, name)
        target = self._cache_folder / kind / name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            fresh = target.with_suffix(".new")
            self._management.download(kind, name, fresh)
            fresh.replace(target)
        return target

    def _keep_result(self, name: str, output: Path) -> None:
        if self._store is not None:
            with output.open("rb") as source:
                self._store.put_file("objects", name, source)
        else:
            self._management.upload("objects", name, output)

    @contextlib.contextmanager
    def _alive(self, path: str) -> Iterator[None]:
        """Tell the management node that the attempt goes on, while it does."""
        ended = threading.Event()

        def tell() -> None:
            while not ended.wait(LEASE_S / 3):
                with contextlib.suppress(StrongroomError):
                    self._management.post(f"{path}/alive", {})

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()


def _blamed(error: AppFailed, destruction: bytes) -> StrongroomError:
    """Tell an app that failed from an enclave that was ended from outside.

    An app runs in a process of its own, so it cannot end its enclave's first one:
    where that ended by itself, the attempt is worth another try.
    """
    if peek_record(Destruction, destruction)[0].reason != "exited":
        return error
    return Unavailable(f"the attempt was cut short: {error.message}")
