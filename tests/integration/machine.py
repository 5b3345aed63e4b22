# SPDX-License-Identifier: Apache-2.0
"""One machine with a monitor for service apps, on any root of trust."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.application.sdk.interface import INTERFACES
from strongroom.application.sdk.outside import OutsideServices
from strongroom.core.codec.bundle import (
    Bundle,
    EntryPoint,
    FileEntry,
    Manifest,
    OutputRule,
    Parameter,
    seal_bundle,
)
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import Endorsements
from strongroom.core.rats.stores import ObjectStore
from strongroom.management.keys import Identity
from strongroom.node.objects import FolderObjects
from strongroom.node.provision import PROGRAM
from strongroom.node.roots import DEVICE, Root, kind_of, provision
from strongroom.services.isolation import Isolation, MonitorProcess, start_monitor

EVERY = tuple(row.name for row in INTERFACES.values())
SOURCE = b"""
def echo(services, text):
    return text

def keep(services, text):
    return services.seal(text.encode())

def give_back(services, text):
    return services.unseal(bytes.fromhex(text)).decode()

def boom(services):
    raise ValueError("a planted secret")
"""
_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
_TEXT = (Parameter("text", "text", many=False),)
ENTRIES = (
    EntryPoint("boom", "main:boom", (), _OUTPUT),
    EntryPoint("echo", "main:echo", _TEXT, _OUTPUT),
    EntryPoint("give_back", "main:give_back", _TEXT, _OUTPUT),
    EntryPoint("keep", "main:keep", _TEXT, _OUTPUT),
)


@dataclass
class Machine:
    """A device, its administrator, a provider of apps; `start` runs the monitor."""

    folder: Path
    suite_id: str
    root: Root

    stores: dict[str, ObjectStore] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700)
        node = self.folder / "node"
        node.mkdir(mode=0o700)
        self.administrator = Identity.generate("office", self.suite_id, os.urandom)
        self.provider = self.key()
        now = int(time.time())
        self.roots = provision(self.root, self.folder, (node,), self.suite_id, now)

    @property
    def endorsements(self) -> Endorsements:
        """What verifiers of this machine trust."""
        return Endorsements(self.roots, ())

    def key(self) -> SigningKey:
        """Return a fresh signing key."""
        row = suite(self.suite_id)
        return row.signing_key(os.urandom(row.sign_seed_bytes))

    def start(self) -> MonitorProcess:
        """Start the monitor."""
        node = self.folder / "node"
        return start_monitor(
            device=node / DEVICE,
            kind=kind_of(node),
            socket=node / "monitor.sock",
            administrator=self.administrator.public.sign,
            program=PROGRAM,
        )

    def policy(self, *signers: SigningKey) -> bytes:
        """Return a launch policy with the provider, or `signers`, on it."""
        ids = tuple(key.public.key_id for key in signers or (self.provider,))
        policy = LaunchPolicy(self.suite_id, 1, ids)
        return sign_record(self.administrator.signing, policy)

    def bundle(
        self,
        source: bytes = SOURCE,
        interfaces: Sequence[str] = EVERY,
        signer: SigningKey | None = None,
        **changes: object,
    ) -> Bundle:
        """Return a signed service app of one file, its manifest changed as told."""
        files: Mapping[str, bytes] = {"main.py": source}
        row = suite(self.suite_id)
        manifest = Manifest(
            suite=self.suite_id,
            name="teller",
            svn=1,
            kind="service",
            memory_bytes=256 << 20,
            threads=1,
            processes=0,
            cpu_seconds=0,
            interfaces=tuple(interfaces),
            storage=("ledger",),
            peers=(),
            entry_points=ENTRIES,
            files=tuple(
                FileEntry(path, len(data), row.digest(data))
                for path, data in files.items()
            ),
            encrypted=False,
        )
        value = {**manifest.to_value(), **changes}
        return seal_bundle(Manifest.from_value(value), files, signer or self.provider)

    def connect(self) -> Isolation:
        """Connect to the running monitor."""
        return Isolation.connect(self.folder / "node" / "monitor.sock")

    def objects(self, namespace: str) -> ObjectStore:
        """Return the untrusted store of a namespace."""
        if namespace not in self.stores:
            folder = self.folder / "objects" / namespace
            self.stores[namespace] = FolderObjects(folder)
        return self.stores[namespace]

    def services(self, isolation: Isolation, bundle: Bundle) -> OutsideServices:
        """Return the services of a fresh enclave of `bundle`."""
        signer = self.policy(self.provider)
        outside = OutsideServices(isolation, signer, self.objects)
        outside.create(bundle.to_bytes())
        return outside
