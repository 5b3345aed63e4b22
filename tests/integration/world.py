# SPDX-License-Identifier: Apache-2.0
"""A real room for tests: two node processes, parties with homes, a small app."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from strongroom.application.cleanroom import InputBinding, UsageTerms
from strongroom.client import admin, agreements, apps, datasets, tasks
from strongroom.client.agreements import Proposal
from strongroom.client.build import build_bundle
from strongroom.client.home import Home, PartyPolicy
from strongroom.client.session import Session
from strongroom.management.trusted_list import Role
from strongroom.node.provision import SIMULATED_ROOT, RoomFolder, init_room
from strongroom.node.roots import Root

PASSPHRASE = b"test"
FAR = 4_000_000_000
ROLES: dict[str, tuple[Role, ...]] = {
    "hospital": ("data",),
    "clinic": ("data",),
    "maker": ("algorithm",),
    "insurer": ("result",),
}
MANIFEST = """
[app]
name = "{name}"
svn = {svn}
memory = "{memory}"
threads = {threads}

[entry.main]
function = "main:main"
parameters.rows = {{type = "table", many = true}}
parameters.name = {{type = "text"}}
output = {{type = "json", fields = ["total", "count"], max_rows = 1, max_bytes = 4096}}

[entry.slow]
function = "main:slow"
parameters.rows = {{type = "table", many = true}}
parameters.name = {{type = "text"}}
output = {{type = "json", fields = ["total", "count"], max_rows = 1, max_bytes = 4096}}
"""
SOURCE = """
import os
import threading
import time
import pyarrow.compute as pc

def main(rows, name):
    total = sum(
        pc.sum(t.filter(pc.equal(t["name"], name))["amount"]).as_py() or 0 for t in rows
    )
    if name == "raw":
        return {"rows": [t.to_pylist() for t in rows]}
    if name == "boom":
        raise ValueError("patient data in a message")
    if name == "hungry":
        return {"total": len(bytearray(1 << 30)), "count": 0}
    while name == "fork bomb":
        os.fork()
    while name == "thread bomb":
        threading.Thread(target=time.sleep, args=(60,)).start()
    return {"total": total, "count": sum(t.num_rows for t in rows)}

def slow(rows, name):
    time.sleep(float(name))
    return main(rows, "ann")
"""


class World:
    """One room with its parties; the nodes are processes of their own."""

    def __init__(
        self, folder: Path, suite_id: str, root: Root = SIMULATED_ROOT
    ) -> None:
        self.folder = folder
        self.suite_id = suite_id
        self.root = root
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.room_folder = RoomFolder(folder / "room")
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.parties: dict[str, Session] = {}
        self.sessions: list[Session] = []
        self.admin = self._party("administrator")

    def open(self) -> None:
        """Set the room up, start its nodes, publish the trusted list."""
        now = int(time.time())
        room = init_room(
            self.room_folder, self.admin.identity, self.url, now, self.root
        )
        for name in ("manage", "compute"):
            self._spawn(name)
        for name in ("manage", "compute"):
            self._await(name)
        for name in ROLES:
            self.parties[name] = self._party(name)
        for session in (self.admin, *self.parties.values()):
            session.home.join(room)
            session.home.set_policy(self.policy)
        self.publish(ROLES)

    @property
    def policy(self) -> PartyPolicy:
        """What the parties accept: this room's kind of platform, by name."""
        return PartyPolicy((self.root.kind,), 86_400)

    def publish(self, roles: dict[str, tuple[Role, ...]]) -> None:
        """Publish a trusted list of these parties and the administrator."""
        current = admin.load(self.admin.home, int(time.time()))
        for member in current.members:
            if member.identity.name not in (*roles, "administrator"):
                admin.remove(self.admin.home, member.identity.name, int(time.time()))
        for name, held in roles.items():
            public = self.parties[name].identity.public
            admin.add(self.admin.home, public, held, int(time.time()))
        admin.publish(self.admin)

    def __enter__(self) -> Self:
        """Open it; what was started is ended if that fails."""
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End every node that is left, by its pid, and every session."""
        for session in self.sessions:
            session.close()
        for name in list(self.nodes):
            self.stop(name)

    def start(self, name: str) -> None:
        """Start a node and wait until it is ready."""
        self._spawn(name)
        self._await(name)

    def _spawn(self, name: str) -> None:
        compute = self.room_folder.compute()
        arguments: dict[str, tuple[object, ...]] = {
            "manage": ("manage", self.room_folder.root, "--port", self.port),
            "compute": (
                "compute",
                compute,
                "--url",
                self.url,
                "--store",
                self.room_folder.store,
            ),
        }
        command = [
            sys.executable,
            "-m",
            "strongroom",
            "--json",
            "node",
            *map(str, arguments[name]),
        ]
        self.nodes[name] = subprocess.Popen(command, stdout=subprocess.PIPE)

    def _await(self, name: str) -> None:
        node = self.nodes[name]
        assert node.stdout is not None
        if not node.stdout.readline():
            message = f"node {name} did not start: exit code {node.wait()}"
            raise RuntimeError(message)

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """End a node."""
        node = self.nodes.pop(name)
        node.send_signal(number)
        node.wait(timeout=30)
        if node.stdout:
            node.stdout.close()

    def _party(self, name: str) -> Session:
        home = Home(self.folder / name)
        home.create_identity(name, self.suite_id, PASSPHRASE)
        return self._session(home)

    def _session(self, home: Home) -> Session:
        session = Session(home, PASSPHRASE)
        self.sessions.append(session)
        return session

    def again(self, name: str) -> Session:
        """Return a fresh session of a party, which verifies the broker anew."""
        return self._session(self.parties[name].home)

    def dataset(self, owner: str, text: str, policy: str = "") -> str:
        """Seal a table of `owner` and register it."""
        plain = self.folder / f"{owner}-{os.urandom(4).hex()}.csv"
        plain.write_text(text)
        return self.dataset_file(owner, plain, policy)

    def dataset_file(self, owner: str, plain: Path, policy: str = "") -> str:
        """Seal a file of `owner` and register it."""
        session = self.parties[owner]
        sealed = self.folder / f"{plain.name}.sealed"
        datasets.seal(session.home, plain, sealed, f"{owner} rows", session.clock())
        return datasets.register(session, sealed, policy or terms().to_cedar())

    def app(
        self,
        name: str = "sums",
        svn: int = 1,
        source: str = SOURCE,
        *,
        encrypt: bool = False,
        memory: str = "256 MiB",
        threads: int = 1,
    ) -> str:
        """Build an app of `maker` and register it; return its measurement."""
        folder = self.folder / f"app-{os.urandom(4).hex()}"
        folder.mkdir()
        (folder / "strongroom.toml").write_text(
            MANIFEST.format(name=name, svn=svn, memory=memory, threads=threads)
        )
        (folder / "main.py").write_text(textwrap.dedent(source))
        session = self.parties["maker"]
        bundle, key = build_bundle(folder, session.identity, encrypt=encrypt)
        path = folder.with_suffix(".bundle")
        path.write_bytes(bundle.to_bytes())
        if encrypt:
            session.home.keep_key(bundle.manifest.measurement.hex(), key)
        return apps.register_app(session, path, terms().to_cedar() if encrypt else "")

    def agreement(
        self, app: str, inputs: Sequence[str], *, sign: bool = True, **changes: object
    ) -> str:
        """Propose an agreement as the insurer and have everyone sign it."""
        ids = {name: s.identity.public.id for name, s in self.parties.items()}
        given: dict[str, object] = {
            "title": "test",
            "purpose": "testing",
            "app": app,
            "entry_points": ("main", "slow"),
            "inputs": (InputBinding("rows", tuple(inputs)),),
            "recipients": (ids["insurer"],),
            "signers": tuple(ids.values()),
            "fields": ("total", "count"),
            "min_group": 0,
            "max_uses": 1000,
            "valid_s": 86_400,
        }
        proposal = Proposal(**(given | changes))  # type: ignore[arg-type]  # tests vary any
        made = agreements.propose(self.parties["insurer"], proposal)
        if sign:
            for name in ("hospital", "clinic", "maker"):
                agreements.sign(self.parties[name], made)
        return made

    def ask(self, agreement: str, name: str = "ann", entry: str = "main") -> str:
        """Ask for one use as the insurer; return the task."""
        return tasks.request(self.parties["insurer"], agreement, entry, {"name": name})

    def done(self, task: str, timeout_s: float = 30.0) -> bytes:
        """Wait for a task, fetch and verify its result; return the plaintext."""
        session = self.parties["insurer"]
        tasks.wait(session, task, timeout_s)
        target = self.folder / f"result-{task[:16]}"
        tasks.fetch(session, task, target)
        return target.read_bytes()


def terms(**changes: object) -> UsageTerms:
    """Return usage terms without conditions but those in `changes`."""
    given: dict[str, object] = {
        "purposes": ("*",),
        "apps": ("*",),
        "entry_points": ("*",),
        "recipients": ("*",),
        "fields": ("*",),
        "max_uses": 1000,
        "expires_at": FAR,
    }
    return UsageTerms(**(given | changes))  # type: ignore[arg-type]  # tests vary any


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
