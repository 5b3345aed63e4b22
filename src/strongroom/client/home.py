# SPDX-License-Identifier: Apache-2.0
"""A party's home: the folder with its identity, its room and its data keys.

identity        the keystore, sealed under the passphrase
room            the room file this party joined, signed by the administrator
policy          which kinds of platform the party accepts, by name
keys/ID         the data key of the dataset ID, sealed to the party itself
"""

import os
from dataclasses import dataclass
from pathlib import Path

from strongroom.application.cleanroom.room import Room
from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record, peek_record
from strongroom.core.rats import HARDWARE_KINDS
from strongroom.errors import Conflict, NotFound, Untrusted
from strongroom.management.endorsements import EndorsementStore
from strongroom.management.keys import Identity, PublicIdentity
from strongroom.management.keys.identity import Keystore

_KEY_INFO = b"strongroom/data-key/v1:"


@dataclass(frozen=True)
class PartyPolicy(Record):
    """What a party accepts: kinds of platform by name, and how old evidence may be."""

    TYPE = "strongroom/party-policy/v1"

    kinds: tuple[str, ...]
    max_platform_age_s: int


ENDORSEMENTS = "endorsements"
"""The folder in a home that its endorsement store is."""

DEFAULT_POLICY = PartyPolicy(
    kinds=HARDWARE_KINDS,
    max_platform_age_s=86_400,
)
"""Hardware that shields memory; simulated platforms and plain TPMs are accepted only
where a party names them."""


class Home:
    """One party's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create_identity(
        self, name: str, suite_id: str, passphrase: bytes
    ) -> PublicIdentity:
        """Make the party's identity.

        Raises:
            Conflict: there is one already.
        """
        path = self.root / "identity"
        if path.exists():
            message = f"{self.root} already holds an identity"
            raise Conflict(message)
        identity = Identity.generate(name, suite_id, os.urandom)
        self.write("identity", identity.lock(passphrase, os.urandom))
        self.write("policy", DEFAULT_POLICY.to_bytes())
        return identity.public

    def public_identity(self) -> PublicIdentity:
        """Return what others know of the party; needs no passphrase."""
        return Keystore.from_bytes(self.read("identity")).public

    def unlock(self, passphrase: bytes) -> Identity:
        """Return the party's identity.

        Raises:
            NotFound: no identity here.
            Refused: a wrong passphrase.
        """
        return Identity.unlock(self.read("identity"), passphrase)

    def join(self, signed_room: bytes, administrator_id: str | None = None) -> Room:
        """Take a room file as this party's room.

        Args:
            signed_room: as the administrator gave it.
            administrator_id: the administrator's id, known from elsewhere; None
                takes the one in the file, which proves only that it is whole.

        Raises:
            Untrusted: signed by someone else than it names, or another id.
        """
        claimed, _ = peek_record(Room, signed_room)
        room = open_record(Room, signed_room, claimed.administrator.verifying)
        if administrator_id not in (None, room.administrator.id):
            raise Untrusted.because(
                "room.administrator",
                "party",
                expected=f"a room of administrator {administrator_id}",
                got=room.administrator.id,
                remedy="Get the room file from the administrator that you know.",
            )
        self.write("room", signed_room)
        return room

    def room(self) -> Room:
        """Return the room that the party joined.

        Raises:
            NotFound: it joined none.
        """
        signed = self.read("room")
        claimed, _ = peek_record(Room, signed)
        return open_record(Room, signed, claimed.administrator.verifying)

    def revoked(self, kind: str) -> tuple[bytes, ...]:
        """Return the ids of the keys that the party has revoked for a kind of platform.

        They are in its endorsement store, under the role `revoked`.
        """
        store = EndorsementStore(self.root / ENDORSEMENTS)
        return store.endorsements(kind).revoked

    def policy(self) -> PartyPolicy:
        """Return what the party accepts."""
        return PartyPolicy.from_bytes(self.read("policy"))

    def set_policy(self, policy: PartyPolicy) -> None:
        """Write down what the party accepts."""
        self.write("policy", policy.to_bytes())

    def keep_key(self, dataset: str, key: bytes) -> None:
        """Keep a data key, sealed to the party itself."""
        box = self.public_identity().recipient.seal(key, _KEY_INFO + dataset.encode())
        self.write(f"keys/{dataset}", box)

    def data_key(self, dataset: str, identity: Identity) -> bytes:
        """Return the data key of one of the party's own datasets.

        Raises:
            NotFound: the party did not seal that dataset here.
        """
        return identity.kem.open(
            self.read(f"keys/{dataset}"), _KEY_INFO + dataset.encode()
        )

    def read(self, name: str) -> bytes:
        """Return one of the home's files.

        Raises:
            NotFound: it has none.
        """
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError as error:
            message = f"{self.root} has no {name}"
            raise NotFound(message) from error

    def write(self, name: str, data: bytes) -> None:
        """Write one of the home's files durably, for its owner only."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.new")
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
