# SPDX-License-Identifier: Apache-2.0
"""A deployment with real processes: device, administrator, provider, monitor."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.core.codec.bundle import Bundle, FileEntry, Manifest, seal_bundle
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.signed import open_record, sign_record
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import Destruction, Endorsements, Trust
from strongroom.errors import (
    StrongroomError,
)
from strongroom.hardware.simulated.device import SimulatedDevice
from strongroom.hardware.simulated.manufacturer import SimulatedManufacturer
from strongroom.management.audit import verify_gate_log
from strongroom.services.isolation import (
    Enclave,
    Isolation,
    MonitorProcess,
    start_monitor,
)
from tests.system.echo_program import Method

PROGRAM = "tests.system.echo_program"
MEMORY_BYTES = 64 << 20
SUITES = ("intl", "sm")
FILES = {"app/__init__.py": b"", "app/code.py": b"def run():\n    return 1\n"}


@dataclass
class Deployment:
    """All that one monitor needs, and the keys of those who may change it."""

    folder: Path
    suite_id: str
    root: bytes
    administrator: SigningKey
    provider: SigningKey
    policy_version: int = field(default=1)

    @property
    def socket(self) -> Path:
        """Where the monitor's gate is."""
        return self.folder / "gate" / "monitor.sock"

    @property
    def log(self) -> Path:
        """Where the monitor's own log is."""
        return self.folder / "log"

    @property
    def trust(self) -> Trust:
        """Whom verifiers of this device trust."""
        return Trust(Endorsements((self.root,), ()))

    def records(self) -> list[LogEntry]:
        """Return what the gate's log says, verified; its head must have been signed."""
        log = verify_gate_log(self.log, self.trust, int(time.time()))
        return [entry for _, entry in log.query()]

    def start(
        self, *waived: str, program: str = PROGRAM, preload: tuple[str, ...] = ()
    ) -> MonitorProcess:
        """Start a monitor on this device."""
        return start_monitor(
            device=self.folder / "device",
            socket=self.socket,
            administrator=PublicKey.of(self.administrator.public),
            program=program,
            preload=preload,
            allow_missing=waived,
            environment={"PYTHONPATH": os.fspath(Path(__file__).parents[2])},
            log=self.log,
        )

    def policy(self, *signers: SigningKey, version: int = 0) -> bytes:
        """Return a launch policy; by default one with the provider on it."""
        ids = tuple(key.public.key_id for key in signers or (self.provider,))
        record = LaunchPolicy(self.suite_id, version or self.policy_version, ids)
        return sign_record(self.administrator, record)

    def bundle(self, **changes: object) -> Bundle:
        """Return a bundle signed by the provider; see `make_bundle`."""
        return make_bundle(self.provider, **changes)


def make_key(suite_id: str) -> SigningKey:
    """Return a fresh signing key."""
    row = suite(suite_id)
    return row.signing_key(os.urandom(row.sign_seed_bytes))


def make_bundle(signer: SigningKey, **changes: object) -> Bundle:
    """Return a signed bundle of a small app, its manifest changed as told."""
    row = suite(signer.suite_id)
    entries = tuple(
        FileEntry(path, len(data), row.digest(data))
        for path, data in sorted(FILES.items())
    )
    value: dict[str, object] = {
        "type": Manifest.TYPE,
        "suite": row.id,
        "name": "echo",
        "svn": 1,
        "kind": "service",
        "memory_bytes": MEMORY_BYTES,
        "threads": 1,
        "processes": 0,
        "cpu_seconds": 0,
        "interfaces": [],
        "storage": ["journal"],
        "peers": [],
        "entry_points": [],
        "files": [entry.to_value() for entry in entries],
        "encrypted": False,
        "http": "",
        "callers": [],
    }
    return seal_bundle(Manifest.from_value({**value, **changes}), FILES, signer)


def make_deployment(folder: Path, suite_id: str) -> Deployment:
    """Return a deployment on a new device."""
    now = int(time.time())
    folder.mkdir(mode=0o700)
    with SimulatedManufacturer.create(folder / "maker", suite_id, now) as maker:
        SimulatedDevice.provision(folder / "device", maker, suite_id, now)
        root = maker.root
    return Deployment(folder, suite_id, root, make_key(suite_id), make_key(suite_id))


def create(deployment: Deployment, isolation: Isolation, **changes: object) -> Enclave:
    bundle = deployment.bundle(**changes).to_bytes()
    return isolation.create(bundle, deployment.policy())


def record_of(deployment: Deployment, isolation: Isolation, data: bytes) -> Destruction:
    key = isolation.status().monitor_key
    assert key.suite == deployment.suite_id
    return open_record(Destruction, data, key.verifying())


def rule_of(error: StrongroomError) -> str:
    return error.findings[0].rule


def children(pid: int) -> list[int]:
    """Return every process below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def in_own_pid_namespace(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return any(
        line.startswith("NSpid:") and len(line.split()) > 2
        for line in status.splitlines()
    )


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something that other processes do has happened."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def creation(running: Deployment, **fields: object) -> dict[str, object]:
    return {
        "bundle": running.bundle().to_bytes(),
        "launch_policy": running.policy(),
        "config": b"",
        "memory_bytes": 0,
        "methods": b"",
        **fields,
    }


def call_of(handle: object, method: int = Method.ECHO) -> dict[str, object]:
    return {"handle": handle, "method": method, "payload": b"x"}
