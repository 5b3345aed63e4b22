# SPDX-License-Identifier: Apache-2.0
"""Sets up a room: devices, broker bundle, launch policy, and the signed room file.

Done once, by the administrator, whose signature the parties check. The broker is
started once to learn its keys and the registers that the room file names.
"""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from strongroom.application.broker import BrokerConfig, Method
from strongroom.application.cleanroom.room import Room
from strongroom.core.codec.bundle import EntryPoint, Manifest, OutputRule, seal_bundle
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import suite
from strongroom.core.rats import Endorsements, Evidence, PlatformClaims, Trust
from strongroom.errors import Conflict, Malformed
from strongroom.management.keys import Identity, PublicIdentity
from strongroom.node.broker_host import BrokerHost
from strongroom.node.files import write_durably
from strongroom.node.roots import DEVICE, Root, kind_of, provision
from strongroom.services.attestation import verify_evidence
from strongroom.services.isolation import Isolation, MonitorProcess, start_monitor

GATE_LOG = "gate-log"
"""The folder of the monitor's own log, in that of a node."""

PROGRAM = "strongroom.application.runtime"
BROKER_MEMORY_BYTES = 1 << 30
_PRELOAD = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "duckdb",
    "sklearn.linear_model",
)


SIMULATED_ROOT = Root()


@dataclass(frozen=True)
class RoomFolder:
    """Where everything of a room lies; see docs/reference/files.md."""

    root: Path

    @property
    def management(self) -> Path:
        """The management node's own folder."""
        return self.root / "management"

    @property
    def store(self) -> Path:
        """The ciphertext store."""
        return self.root / "store"

    @property
    def room(self) -> Path:
        """The signed room file."""
        return self.management / "room"

    def compute(self, number: int = 1) -> Path:
        """The folder of a compute node."""
        return self.root / f"compute-{number}"


def init_room(
    folder: RoomFolder,
    administrator: Identity,
    url: str,
    now: int,
    root: Root = SIMULATED_ROOT,
) -> bytes:
    """Set up a room and return its signed room file.

    Args:
        folder: where its nodes will live.
        administrator: signs the room file.
        url: where parties will find the room.
        now: Unix seconds.
        root: what the monitors of the room's nodes are rooted in.

    Raises:
        Conflict: the folder already holds a room.
        Misconfigured: the machine cannot isolate enclaves, or has no such root.
    """
    if folder.room.exists():
        message = f"{folder.root} already holds a room"
        raise Conflict(message)
    suite_id = administrator.public.suite
    nodes = (folder.management, folder.compute())
    for node in nodes:
        node.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(node / "administrator", administrator.public.to_bytes())
    roots = provision(root, folder.root, nodes, suite_id, now)
    config = BrokerConfig(
        suite=suite_id,
        origin=f"strongroom/{administrator.public.id[:16]}",
        administrator=administrator.public,
        roots=roots,
    )
    write_durably(folder.management / "broker.config", config.to_bytes())
    bundle = broker_bundle(administrator)
    write_durably(folder.management / "broker.bundle", bundle)
    policy = LaunchPolicy(suite_id, 1, (administrator.public.sign.key_id,))
    write_durably(
        folder.management / "launch-policy", sign_record(administrator.signing, policy)
    )
    with monitor_of(folder.management) as monitor:
        room = _describe(folder, monitor, config, administrator.public, url, now)
    signed = sign_record(administrator.signing, room)
    write_durably(folder.room, signed)
    return signed


def broker_bundle(administrator: Identity) -> bytes:
    """Return the broker's bundle: a service whose code the template measures."""
    entry = EntryPoint(
        name="serve",
        function=f"{'strongroom.application.broker.program'}:serve",
        parameters=(),
        output=OutputRule("bytes", (), 1, 1, 0, ""),
    )
    manifest = Manifest(
        suite=administrator.public.suite,
        name="strongroom-broker",
        svn=1,
        kind="service",
        memory_bytes=BROKER_MEMORY_BYTES,
        threads=1,
        processes=0,
        cpu_seconds=0,
        interfaces=(),
        storage=("journal",),
        peers=(),
        entry_points=(entry,),
        files=(),
        encrypted=False,
    )
    return seal_bundle(manifest, {}, administrator.signing).to_bytes()


def monitor_of(node: Path) -> MonitorProcess:
    """Start the monitor of one node's folder.

    Raises:
        Misconfigured: a lock is missing on this machine; names which.
    """
    administrator = PublicIdentity.from_bytes((node / "administrator").read_bytes())
    return start_monitor(
        device=node / DEVICE,
        kind=kind_of(node),
        socket=node / "monitor.sock",
        administrator=administrator.sign,
        program=PROGRAM,
        preload=preload(),
        log=node / GATE_LOG,
    )


def preload() -> tuple[str, ...]:
    """Return the modules that every template loads, of those installed here."""
    return tuple(m for m in _PRELOAD if importlib.util.find_spec(m.partition(".")[0]))


def broker_host(folder: RoomFolder, isolation: Isolation) -> BrokerHost:
    """Return the broker of a room on a running monitor."""
    node = folder.management
    return BrokerHost(
        isolation,
        (node / "broker.bundle").read_bytes(),
        (node / "broker.config").read_bytes(),
        node / "broker.journal",
        (node / "launch-policy").read_bytes,
    )


def _describe(
    folder: RoomFolder,
    monitor: MonitorProcess,
    config: BrokerConfig,
    administrator: PublicIdentity,
    url: str,
    now: int,
) -> Room:
    with (
        Isolation.connect(monitor.socket) as isolation,
        broker_host(folder, isolation) as host,
    ):
        nonce = os.urandom(32)
        hello = host.call(Method.HELLO, {"nonce": nonce})
        public, report = hello["public"], hello["app"]
        if not isinstance(public, bytes) or not isinstance(report, bytes):
            message = "the broker's greeting holds something other than bytes"
            raise Malformed(message)
        evidence = Evidence(
            kind=kind_of(folder.management),
            platform=host.platform_evidence(nonce),
            app=report,
        )
    platform, app = verify_evidence(
        evidence, Trust(Endorsements(config.roots, ())), now=now
    )
    if app is None:
        message = "the broker's evidence has no app layer"
        raise Malformed(message)
    row = suite(config.suite)
    return Room(
        url=url,
        suite=config.suite,
        origin=config.origin,
        administrator=administrator,
        kind=platform.kind,
        roots=config.roots,
        broker=app.measurement.hex(),
        config=row.digest(config.to_bytes()),
        public=public,
        registers=register_values(platform),
        locks=app.locks,
        written_at=now,
    )


def register_values(platform: PlatformClaims) -> dict[str, tuple[bytes, ...]]:
    """Return the reference values that this platform's registers hold."""
    return {register.name: (register.value,) for register in platform.registers}
