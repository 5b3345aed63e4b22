# SPDX-License-Identifier: Apache-2.0
"""A machine of one's own: a device, an administrator, a monitor, for service apps.

For development, tests and single machines. The administrator's key lives in memory
and ends with the program, unless the machine is `kept`; a room (`room init`) keeps it
under a passphrase.
"""

import os
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.application.sdk.outside import OutsideServices
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import VerifyingKey
from strongroom.core.rats import Endorsements
from strongroom.core.rats.stores import BlockStore
from strongroom.errors import Conflict
from strongroom.management.keys import Identity
from strongroom.node.files import write_durably
from strongroom.node.provision import GATE_LOG, PROGRAM
from strongroom.node.roots import DEVICE, Root, kind_of, provision
from strongroom.node.stores import open_store
from strongroom.services.isolation import Isolation, MonitorProcess, start_monitor


class Workbench:
    """A folder with one device; a context manager that runs its monitor.

    Attributes:
        administrator: says whose apps may start.
        provider: signs apps of one's own.
        endorsements: what verifiers of this machine trust.
        store: where protected storage is kept, as `open_store` takes it; folders
            beside the device if empty.
    """

    def __init__(
        self,
        folder: Path,
        suite_id: str = "intl",
        root: Root | None = None,
        known: tuple[Identity, Endorsements] | None = None,
    ) -> None:
        """Make the device.

        Args:
            folder: made if there is none.
            suite_id: of the device.
            root: what it is; simulated if not given.
            known: administrator and endorsements of a device that is there.

        Raises:
            Conflict: there is one in the folder.
            Misconfigured: this machine has no such root of trust.
        """
        self.folder, self.suite_id = folder, suite_id
        self.root = root or Root()
        node = folder / "node"
        folder.mkdir(mode=0o700, exist_ok=True)
        node.mkdir(mode=0o700, exist_ok=True)
        self.provider = Identity.generate("provider", suite_id, os.urandom)
        if known is None:
            administrator = Identity.generate("workbench", suite_id, os.urandom)
            roots = provision(self.root, folder, (node,), suite_id, int(time.time()))
            known = administrator, Endorsements(roots, ())
        self.administrator, self.endorsements = known
        self.store = ""
        self._stores: dict[str, BlockStore] = {}
        self._open = ExitStack()

    @classmethod
    def kept(cls, folder: Path, suite_id: str, root: Root | None = None) -> Self:
        """Return the machine of a folder; make it if there is none.

        Its administrator's key is kept there too, without a passphrase: whoever has
        the folder says which apps start.

        Raises:
            Conflict: the folder's machine is of another suite.
        """
        key, roots = folder / "administrator", folder / "endorsements"
        if not roots.exists():
            made = cls(folder, suite_id, root)
            write_durably(key, made.administrator.lock(b"", os.urandom))
            write_durably(roots, made.endorsements.to_bytes())
            return made
        administrator = Identity.unlock(key.read_bytes(), b"")
        if administrator.public.suite != suite_id:
            message = (
                f"the machine in {folder} is of suite {administrator.public.suite}, "
                f"the app of {suite_id}: give another folder"
            )
            raise Conflict(message)
        endorsements = Endorsements.from_bytes(roots.read_bytes())
        return cls(folder, suite_id, root, (administrator, endorsements))

    def start(self) -> MonitorProcess:
        """Start the monitor; who starts it ends it."""
        node = self.folder / "node"
        return start_monitor(
            device=node / DEVICE,
            kind=kind_of(node),
            socket=node / "monitor.sock",
            administrator=self.administrator.public.sign,
            program=PROGRAM,
            preload=("strongroom.application.runtime.service",),
            log=node / GATE_LOG,
        )

    def connect(self) -> Isolation:
        """Connect to the running monitor."""
        return Isolation.connect(self.folder / "node" / "monitor.sock")

    def policy(self, *signers: VerifyingKey) -> bytes:
        """Return a launch policy for apps of `signers`, or of the provider."""
        ids = (each.key_id for each in signers or (self.provider.signing.public,))
        policy = LaunchPolicy(self.suite_id, 1, tuple(ids))
        return sign_record(self.administrator.signing, policy)

    def objects(self, namespace: str) -> BlockStore:
        """Return the distrusted store of a namespace.

        It is a folder beside the device. Where `store` names another one, that has
        all namespaces: what protected storage keeps there names its place.
        """
        url = self.store or f"folder:{self.folder.resolve() / 'objects' / namespace}"
        if url not in self._stores:
            opened = open_store(url)
            self._open.callback(opened.close)
            self._stores[url] = opened
        return self._stores[url]

    def services(self, bundle: bytes) -> OutsideServices:
        """Return the services of a fresh enclave of an app; it ends with the bench."""
        isolation = self._open.enter_context(self.connect())
        made = OutsideServices(isolation, self.policy(), self.objects)
        self._open.enter_context(made)
        made.create(bundle)
        return made

    def open(self) -> None:
        """Start the monitor, for as long as the bench is open."""
        self._open.enter_context(self.start())

    def close(self) -> None:
        """End every enclave and the monitor."""
        self._open.close()
        self._stores = {}

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
