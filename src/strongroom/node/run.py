# SPDX-License-Identifier: Apache-2.0
"""Runs the two kinds of node, and the attestation service, until told to stop."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from strongroom.application.cleanroom.room import Room
from strongroom.core.codec.signed import peek_record
from strongroom.errors import StrongroomError
from strongroom.node.attendance import Attendance, Told
from strongroom.node.attestation_app import create_attestation_app
from strongroom.node.clockwork import Clockwork
from strongroom.node.compute import ComputeNode
from strongroom.node.launch import LaunchPolicies
from strongroom.node.management import ManagementNode
from strongroom.node.provision import RoomFolder, broker_host, monitor_of
from strongroom.node.roots import kind_of
from strongroom.node.service import create_app
from strongroom.node.store import Store
from strongroom.node.verifier_folder import VerifierFolder
from strongroom.node.watch import watched
from strongroom.services.isolation import Isolation

BACKOFF_S = 1.0


def run_management(
    folder: RoomFolder, address: str, port: int, ready: Callable[[], None]
) -> None:
    """Serve a room until SIGINT or SIGTERM; calls `ready` once it listens.

    Raises:
        Misconfigured: the machine cannot isolate enclaves.
    """
    signed = folder.room.read_bytes()
    room, _ = peek_record(Room, signed)
    policies = LaunchPolicies(
        folder.management / "launch-policy", room.administrator.verifying
    )
    with (
        monitor_of(folder.management) as monitor,
        watched(monitor),
        Isolation.connect(monitor.socket) as isolation,
        broker_host(folder, isolation) as host,
        ExitStack() as stack,
    ):
        stack.enter_context(Clockwork(host))
        app = create_app(host, Store(folder.store), signed, policies, room.kind)
        config = uvicorn.Config(app, host=address, port=port, log_level="warning")
        _Server(config, ready).run()


def run_attestation(
    folder: VerifierFolder,
    passphrase: bytes,
    address: str,
    port: int,
    ready: Callable[[], None],
) -> None:
    """Serve an attestation service until SIGINT or SIGTERM; calls `ready` once it does.

    Raises:
        NotFound: no service was set up there.
        Refused: a wrong passphrase.
        Conflict: the service runs already.
    """
    with folder.open(passphrase, lambda: int(time.time())) as service:
        app = create_attestation_app(service)
        config = uvicorn.Config(app, host=address, port=port, log_level="warning")
        _Server(config, ready).run()


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()


def run_compute(
    node: Path,
    url: str,
    store: Path | None,
    stop: threading.Event,
    ready: Callable[[], None],
    told: Told,
) -> None:
    """Take and run attempts until `stop` is set; calls `ready` once it can.

    The node attests itself on the room's period meanwhile, and takes no work while
    it is not in service; `told` hears when that changes.

    Raises:
        Misconfigured: the machine cannot isolate enclaves.
    """
    kind = kind_of(node)
    with (
        monitor_of(node) as monitor,
        watched(monitor),
        Isolation.connect(monitor.socket) as isolation,
        ExitStack() as stack,
    ):
        management = ManagementNode(url)
        attendance = stack.enter_context(Attendance(management, isolation, kind, told))
        agent = ComputeNode(
            management,
            isolation,
            kind,
            Store(store) if store else None,
            node / "cache",
        )
        ready()
        while not stop.is_set():
            if not attendance.wait_for_service(BACKOFF_S):
                continue
            try:
                agent.work()
            except StrongroomError:
                stop.wait(BACKOFF_S)
