# SPDX-License-Identifier: Apache-2.0
"""Where everything of an attestation service lies, and how one is set up and run.

identity        its keys, sealed under the passphrase
public          its public identity: what initiators pin
policies/NAME   what may be asked for, by name (`EnvironmentPolicy`)
references/ID   reference values, by the id of the key that approves them
endorsements/   the store (`management.endorsements`)
log/            the record of its verdicts
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.application.cleanroom.room import Room
from strongroom.core.codec.note import NoteKey
from strongroom.core.rats import AppraisalPolicy, not_checked
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.core.rats.reference_values import SignedReferences, open_references
from strongroom.errors import Conflict, Malformed, NotFound, Stale
from strongroom.management.endorsements import (
    EndorsementStore,
    Incoming,
    StoredTrusts,
)
from strongroom.management.files import write_durably
from strongroom.management.keys import Identity, PublicIdentity
from strongroom.node.attestation import AttestationService
from strongroom.node.verdicts import VerdictLog
from strongroom.services.attestation.request import EnvironmentPolicy

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEY_ID = re.compile(r"[0-9a-f]{64}")
MAX_PLATFORM_AGE_S = 86_400
_APP_LOCKS = "an app's locks are the initiator's to judge"


@dataclass(frozen=True)
class VerifierFolder:
    """The folder of one service."""

    root: Path

    @property
    def store(self) -> EndorsementStore:
        """Its endorsements."""
        return EndorsementStore(self.root / "endorsements")

    @property
    def public(self) -> PublicIdentity:
        """What initiators pin.

        Raises:
            NotFound: no service was set up here.
        """
        try:
            return PublicIdentity.from_bytes((self.root / "public").read_bytes())
        except FileNotFoundError as error:
            message = f"{self.root} holds no attestation service"
            raise NotFound(message) from error

    @property
    def log_key(self) -> NoteKey:
        """What the record of its verdicts is verified with."""
        public = self.public
        return NoteKey(f"strongroom/verifier/{public.id[:16]}", public.verifying)

    def create(self, name: str, suite_id: str, passphrase: bytes) -> PublicIdentity:
        """Set up a service without policies or endorsements.

        Raises:
            Conflict: there is one already.
        """
        if (self.root / "identity").exists():
            message = f"{self.root} already holds an attestation service"
            raise Conflict(message)
        (self.root / "policies").mkdir(parents=True, exist_ok=True, mode=0o700)
        identity = Identity.generate(name, suite_id, os.urandom)
        write_durably(self.root / "public", identity.public.to_bytes(), 0o644)
        locked = identity.lock(passphrase, os.urandom)
        write_durably(self.root / "identity", locked)
        return identity.public

    def set_policy(self, name: str, policy: EnvironmentPolicy) -> None:
        """Write a policy down; a running service reads it when it starts again.

        Raises:
            Malformed: a name that is none.
        """
        if not _NAME.fullmatch(name):
            message = "a policy's name is lower-case-with-dashes, at most 64 long"
            raise Malformed(message)
        write_durably(self.root / "policies" / name, policy.to_bytes())

    def policies(self) -> dict[str, EnvironmentPolicy]:
        """Return what may be asked for."""
        return {
            path.name: EnvironmentPolicy.from_bytes(path.read_bytes())
            for path in sorted((self.root / "policies").iterdir())
            if _NAME.fullmatch(path.name)
        }

    def add_references(self, data: bytes) -> SignedReferences:
        """Take a signed set of reference values in the place of its signer's last.

        A running service reads it when it starts again.

        Raises:
            Malformed: no set.
            Untrusted: not signed by the key that it names.
            Stale: `reference.rollback`, older than the one that is here.
        """
        given = open_references(data)
        file = self.root / "references" / given.signer.hex()
        if file.exists():
            held = open_references(file.read_bytes()).values.version
            if given.values.version < held:
                raise _rollback(held, given)
        file.parent.mkdir(exist_ok=True, mode=0o700)
        write_durably(file, data)
        return given

    def references(self) -> tuple[SignedReferences, ...]:
        """Return the reference values of every signer.

        Raises:
            Untrusted: a set was altered.
        """
        folder = self.root / "references"
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return tuple(
            open_references(file.read_bytes())
            for file in files
            if _KEY_ID.fullmatch(file.name)
        )

    @contextmanager
    def open(
        self, passphrase: bytes, clock: Callable[[], int]
    ) -> Iterator[AttestationService]:
        """Open the service for work.

        Raises:
            NotFound: no service here.
            Refused: a wrong passphrase.
            Tampered: the log of verdicts was altered.
        """
        origin = self.log_key.name
        identity = Identity.unlock((self.root / "identity").read_bytes(), passphrase)
        log = VerdictLog(self.root / "log", origin, identity.signing)
        try:
            trusts = StoredTrusts(self.store)
            yield AttestationService(
                identity, self.policies(), trusts, log, clock, self.references()
            )
        finally:
            log.close()


def _rollback(held: int, given: SignedReferences) -> Stale:
    return Stale.because(
        "reference.rollback",
        "verifier",
        expected=f"version {held} or later of {given.values.owner}",
        got=f"version {given.values.version}",
        remedy="Take the last form of the set; an older one brings back what ended.",
    )


def environment_policy(
    owner: str,
    room: Room | None,
    kinds: tuple[str, ...],
    required: tuple[str, ...],
    validity_s: int,
    ruled: tuple[HardwarePolicy, ...] = (),
) -> EnvironmentPolicy:
    """Return a policy for the platforms of a room, for kinds of hardware, or both.

    Args:
        owner: whose rules these are.
        room: from a room file whose administrator was checked: its reference values.
        kinds: hardware to accept, each kind by name, whatever runs on it.
        required: submodules that must be there.
        validity_s: how long a result is good.
        ruled: policies over hardware, which come before `kinds`.

    Raises:
        Malformed: neither a room nor a kind, or a kind twice.
    """
    named = [*(kind for each in ruled for kind in each.kinds), *kinds]
    if len(set(named)) != len(named):
        message = "each kind of hardware has one policy"
        raise Malformed(message)
    default = (HardwarePolicy.default(owner, kinds),) if kinds else ()
    return EnvironmentPolicy(
        owner=owner,
        required=required,
        platform=_platform_policy(room, owner) if room else None,
        hardware=(*ruled, *default),
        validity_s=validity_s,
    )


def _platform_policy(room: Room, owner: str) -> AppraisalPolicy:
    return AppraisalPolicy(
        owner=owner,
        kinds=(room.kind,),
        registers=room.registers,
        locks=(not_checked(_APP_LOCKS),),
        max_platform_age_s=MAX_PLATFORM_AGE_S,
        min_firmware_svn=1,
        apps=(),
    )


def room_anchors(room: Room) -> tuple[Incoming, ...]:
    """Return the roots of a room's platforms, for the store."""
    source = f"room of {room.administrator.name}"
    return tuple(
        Incoming("trust_anchor", (room.kind,), root, source) for root in room.roots
    )
