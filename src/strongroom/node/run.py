# SPDX-License-Identifier: Apache-2.0
"""Runs the two kinds of node until they are told to stop."""

import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from strongroom.core.codec.signed import peek_record
from strongroom.application.cleanroom.room import Room
from strongroom.errors import StrongroomError
from strongroom.node.compute import ComputeNode, ManagementNode
from strongroom.node.launch import LaunchPolicies
from strongroom.node.provision import KIND, RoomFolder, broker_host, monitor_of
from strongroom.node.service import create_app
from strongroom.node.store import Store
from strongroom.services.isolation import Isolation

BACKOFF_S = 1.0


def run_management(folder: RoomFolder, address: str, port: int, ready: Callable[[], None]) -> None:
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
        Isolation.connect(monitor.socket) as isolation,
    ):
        host = broker_host(folder, isolation)
        app = create_app(host, Store(folder.store), signed, policies, KIND)
        app.router.add_event_handler("startup", ready)
        uvicorn.run(app, host=address, port=port, log_level="warning")


def run_compute(
    node: Path, url: str, store: Path | None, stop: threading.Event, ready: Callable[[], None]
) -> None:
    """Take and run attempts until `stop` is set; calls `ready` once it can.

    Raises:
        Misconfigured: the machine cannot isolate enclaves.
    """
    with (
        monitor_of(node) as monitor,
        Isolation.connect(monitor.socket) as isolation,
    ):
        agent = ComputeNode(
            ManagementNode(url),
            isolation,
            KIND,
            Store(store) if store else None,
            node / "cache",
        )
        ready()
        while not stop.is_set():
            try:
                agent.work()
            except StrongroomError:
                stop.wait(BACKOFF_S)
