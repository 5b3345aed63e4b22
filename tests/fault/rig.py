# SPDX-License-Identifier: Apache-2.0
"""A real room whose every process can be killed, and what must hold afterwards."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from strongroom.client import agreements
from strongroom.client.receipts import log_key
from strongroom.core.codec.note import Note
from strongroom.core.codec.tlog import Checkpoint, tile_paths
from strongroom.errors import Unavailable
from strongroom.management.audit import verify_folder
from tests.fault.processes import Process, descendants, gone, kill, until
from tests.fault.proxy import Proxy
from tests.integration.world import World

T = TypeVar("T")
Node = Literal["manage", "compute"]
Part = Literal["service", "monitor", "template", "enclave"]
_DEPTH: dict[str, int] = {"service": 0, "monitor": 1, "template": 2, "enclave": 3}
_DEADLINE_S = 40.0
_COUNTER, _ID_BYTES, _VALUE_END = 64, 24, 32
DATA = "name,amount\nann,1\nbob,2\n"


class Rig(World):
    """A world behind a proxy, with a supervisor and a memory of its counters."""

    def __init__(self, folder: Path, suite_id: str) -> None:
        super().__init__(folder, suite_id)
        self.proxy = Proxy(self.port)
        self.url = self.proxy.url
        self.log: bytes | None = None
        self.counters: dict[tuple[Path, bytes], int] = {}

    def open(self) -> None:
        """Open the room; have an app, a dataset and an agreement to use."""
        super().open()
        self.app_id = self.app()
        self.data = self.dataset("hospital", DATA)
        self.used = self.agreement(self.app_id, [self.data])

    def close(self) -> None:
        """End it all; nothing may be left."""
        families = [p for n in self.nodes.values() for p in descendants(n.pid)]
        super().close()
        self.proxy.close()
        gone(families)

    def part(self, node: Node, part: Part) -> Process:
        """Return a process of a node, waiting for it if it only comes."""
        found: list[Process] = []

        def look() -> bool:
            everyone = descendants(self.nodes[node].pid)
            level = everyone[:1]
            for _ in range(_DEPTH[part]):
                level = [p for p in everyone if p.parent in {up.pid for up in level}]
            found[:] = level[-1:]
            return bool(found)

        until(look, f"{node} {part}")
        return found[0]

    def kill(self, node: Node, part: Part) -> None:
        """End a process by kill -9."""
        kill(self.part(node, part).pid)

    def supervise(self) -> None:
        """Start every node that has ended, as a supervisor would, until it runs."""
        for name in ("manage", "compute"):
            end = time.monotonic() + _DEADLINE_S
            while self.nodes[name].poll() is not None:
                node = self.nodes[name]
                if node.stdout:
                    node.stdout.close()
                try:
                    self.start(name)
                except RuntimeError:
                    assert time.monotonic() < end, f"{name} does not start again"

    def insist(self, call: Callable[[], T]) -> T:
        """Ask until it works; the one error that may come is Unavailable."""
        end = time.monotonic() + _DEADLINE_S
        while True:
            try:
                return call()
            except Unavailable:
                assert time.monotonic() < end, "still unavailable"
                self.supervise()
                time.sleep(0.02)

    def uses(self) -> int:
        """Return how often the agreement was used."""
        session = self.parties["insurer"]
        return self.insist(lambda: agreements.show(session, self.used).uses)

    def check(self) -> None:
        """See that the log verifies and has grown, and that no counter fell."""
        self.insist(self._check_log)
        for path in self.room_folder.root.glob("*/device/counters"):
            for name, value in _counters(path).items():
                assert value >= self.counters.get((path, name), 0)
                self.counters[path, name] = value
        assert len(self.counters) >= 4

    def _check_log(self) -> None:
        transport = self.parties["insurer"].transport
        checkpoint = transport.get("/v1/log/checkpoint")
        folder = self.folder / f"log-{time.monotonic_ns()}"
        for tile in tile_paths(Checkpoint.parse(Note.parse(checkpoint).text).size):
            target = folder / tile.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(transport.get(f"/v1/log/{tile.path}"))
        (folder / "checkpoint").write_bytes(checkpoint)
        key = log_key(self.parties["insurer"].room)
        verify_folder(folder, key, older=self.log)
        self.log = checkpoint


def _counters(path: Path) -> dict[bytes, int]:
    """Return the newest value of every counter; records are id, value, tag."""
    data, values = path.read_bytes(), {}
    for at in range(_COUNTER, len(data), _COUNTER):
        name = data[at : at + _ID_BYTES]
        if any(name):
            values[name] = int.from_bytes(data[at + _ID_BYTES : at + _VALUE_END], "big")
    return values
