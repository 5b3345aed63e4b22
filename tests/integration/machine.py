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
from strongroom.services import crypto

AGREED = {}

def echo(services, text):
    return text

def keep(services, text):
    return services.seal(text.encode())

def give_back(services, text):
    return services.unseal(bytes.fromhex(text)).decode()

def public_half(services, text):
    return services.keys.public(bytes.fromhex(text)).to_bytes().hex()

def agree(services, mine, theirs, is_first):
    own = [bytes.fromhex(each) for each in mine]
    peer = [crypto.PublicKey.from_bytes(bytes.fromhex(each)) for each in theirs]
    if len(own) == 1:
        return crypto.agree(services.keys, own[0], peer[0], "session").hex()
    side = crypto.Sm2Side(*peer)
    agreed = crypto.agree_sm2(services.keys, *own, side, "session", initiator=is_first)
    AGREED[agreed.key] = agreed
    return agreed.key.hex() + agreed.send.hex()

def confirm(services, key, shown):
    agreed = AGREED.pop(bytes.fromhex(key))
    return crypto.confirm(services.keys, agreed, bytes.fromhex(shown)).hex()

def encapsulate(services, text):
    public = crypto.PublicKey.from_bytes(bytes.fromhex(text))
    key, box = crypto.encapsulate(services.keys, public, "session")
    return [key.hex(), box.hex()]

def decapsulate(services, key, shown):
    opened = map(bytes.fromhex, (key, shown))
    return crypto.decapsulate(services.keys, *opened, "session").hex()

def derive(services, text):
    source = bytes.fromhex(text)
    row = services.keys.info(source).spec.algorithm.replace("hkdf", "hmac")
    return services.keys.derive(crypto.KeySpec("mac", row, "session"), source).hex()

def rotate(services, text):
    return services.keys.rotate(bytes.fromhex(text))

def shred(services, text):
    services.keys.shred(bytes.fromhex(text))

def wrap(services, under, key):
    return crypto.wrap(services.keys, *map(bytes.fromhex, (under, key))).hex()

def make(services, text):
    return services.create(bytes.fromhex(text)).hex()

def end(services, text):
    return services.destroy(bytes.fromhex(text)).hex()

def boom(services):
    raise ValueError("a planted secret")
"""
_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
_TEXT = (Parameter("text", "text", many=False),)
_AGREE = (
    Parameter("mine", "json", many=False),
    Parameter("theirs", "json", many=False),
    Parameter("is_first", "boolean", many=False),
)
_CONFIRM = tuple(Parameter(name, "text", many=False) for name in ("key", "shown"))
_WRAP = tuple(Parameter(name, "text", many=False) for name in ("under", "key"))
ENTRIES = (
    EntryPoint("agree", "main:agree", _AGREE, _OUTPUT),
    EntryPoint("boom", "main:boom", (), _OUTPUT),
    EntryPoint("confirm", "main:confirm", _CONFIRM, _OUTPUT),
    EntryPoint("decapsulate", "main:decapsulate", _CONFIRM, _OUTPUT),
    EntryPoint("derive", "main:derive", _TEXT, _OUTPUT),
    EntryPoint("echo", "main:echo", _TEXT, _OUTPUT),
    EntryPoint("encapsulate", "main:encapsulate", _TEXT, _OUTPUT),
    EntryPoint("end", "main:end", _TEXT, _OUTPUT),
    EntryPoint("give_back", "main:give_back", _TEXT, _OUTPUT),
    EntryPoint("keep", "main:keep", _TEXT, _OUTPUT),
    EntryPoint("make", "main:make", _TEXT, _OUTPUT),
    EntryPoint("public_half", "main:public_half", _TEXT, _OUTPUT),
    EntryPoint("rotate", "main:rotate", _TEXT, _OUTPUT),
    EntryPoint("shred", "main:shred", _TEXT, _OUTPUT),
    EntryPoint("wrap", "main:wrap", _WRAP, _OUTPUT),
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
