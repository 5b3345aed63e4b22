# SPDX-License-Identifier: Apache-2.0
"""One machine with a monitor for service apps, on any root of trust."""

import os
from collections.abc import Mapping, Sequence

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
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import Trust
from strongroom.node.workbench import Workbench
from strongroom.services.isolation import Isolation

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


class Machine(Workbench):
    """A workbench with apps to try on it."""

    @property
    def trust(self) -> Trust:
        """Whom its verifiers trust, with nothing remembered."""
        return Trust(self.endorsements)

    def key(self) -> SigningKey:
        """Return a fresh signing key."""
        row = suite(self.suite_id)
        return row.signing_key(os.urandom(row.sign_seed_bytes))

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
        return seal_bundle(
            Manifest.from_value(value), files, signer or self.provider.signing
        )

    def fresh(self, isolation: Isolation, bundle: Bundle) -> OutsideServices:
        """Return the services of a fresh enclave of `bundle`, which the caller ends."""
        outside = OutsideServices(isolation, self.policy(), self.objects)
        outside.create(bundle.to_bytes())
        return outside
