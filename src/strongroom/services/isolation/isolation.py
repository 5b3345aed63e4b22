# SPDX-License-Identifier: Apache-2.0
"""The isolated-computing service of one machine: a client of its monitor's gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.services.isolation.enclave import Enclave, Link, take


@dataclass(frozen=True)
class EnclaveStatus(Record):
    """One living enclave, as the monitor lists it."""

    enclave_id: bytes
    measurement: bytes
    owner_uid: int
    memory_bytes: int
    created_at: int


@dataclass(frozen=True)
class MonitorStatus(Record):
    """What a monitor says of itself; unsigned, so nothing to decide by.

    `missing` maps each lock that this machine lacks to what would enable it.
    """

    device_id: bytes
    suite: str
    kind: str
    monitor_key: PublicKey
    locks: tuple[str, ...]
    missing: dict[str, str]
    launch_policy_version: int
    enclaves: tuple[EnclaveStatus, ...]


class Isolation:
    """A connection to a monitor; a context manager.

    Safe to use from many threads: each enclave has a connection of its own, so that
    calls of different enclaves do not wait for one another.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._link = Link(path)

    @classmethod
    def connect(cls, socket: Path) -> Self:
        """Connect to the monitor that serves `socket`.

        Raises:
            Unavailable: nobody answers there.
        """
        return cls(socket)

    def status(self) -> MonitorStatus:
        """Return what the monitor says of itself and its enclaves."""
        return MonitorStatus.from_value(self._link.ask("STATUS", {}))

    def evidence(self, nonce: bytes) -> bytes:
        """Return fresh platform evidence for a nonce of 8 to 64 bytes (RA-2)."""
        return take(self._link.ask("EVIDENCE", {"nonce": nonce}), "evidence", bytes)

    def log_head(self) -> bytes:
        """Return the signed head of the gate's log, all below it written down (LOG-3).

        Raises:
            Conflict: the monitor keeps its log in memory only.
        """
        return take(self._link.ask("LOG", {}), "checkpoint", bytes)

    def report(self, enclave_id: bytes, nonce: bytes) -> bytes:
        """Return the monitor's report about an enclave, without its help (RA-2).

        It has no user data, so it cannot bind a channel's key.

        Raises:
            NotFound: no such enclave lives here.
        """
        fields = {"enclave_id": enclave_id, "nonce": nonce}
        return take(self._link.ask("DESCRIBE", fields), "report", bytes)

    def create(
        self,
        bundle: bytes,
        launch_policy: bytes,
        config: bytes = b"",
        memory_bytes: int = 0,
        methods: Sequence[int] = (),
    ) -> Enclave:
        """Create an enclave from a bundle (IF-1).

        Args:
            bundle: a signed bundle (docs/specs/bundle.md).
            launch_policy: signed by the administrator of this monitor.
            config: what the program gets besides; its digest is in every report.
            memory_bytes: 0 for what the manifest says (HW-5).
            methods: the only ones that may be called; empty for all (SYS-1).

        Raises:
            Refused: a rule of admission; nothing of the app has run.
            LimitReached: more memory than the machine has.
            Misconfigured: a lock is missing on this machine.
        """
        link = Link(self._path)
        try:
            fields: dict[str, object] = {
                "bundle": bundle,
                "launch_policy": launch_policy,
                "config": config,
                "memory_bytes": memory_bytes,
                "methods": bytes(methods),
            }
            return Enclave(link, link.ask("CREATE", fields))
        except BaseException:
            link.close()
            raise

    def close(self) -> None:
        """Close this connection; enclaves have their own."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
