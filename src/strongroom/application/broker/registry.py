# SPDX-License-Identifier: Apache-2.0
"""Who is a member, which datasets and which apps there are (WL-1, R-DATA, R-ALG)."""

from dataclasses import dataclass
from typing import ClassVar

from strongroom.application.broker.events import (
    AppRegistered,
    DatasetRegistered,
    ListPublished,
)
from strongroom.application.broker.ledger import Ledger
from strongroom.application.broker.operation import Operation, Outcome
from strongroom.application.broker.policy import check_policy
from strongroom.application.cleanroom import AppRegistration, DatasetRegistration
from strongroom.core.codec.floe import HEADER_BYTES, Opener
from strongroom.core.codec.sealed import Prefix, dataset_id
from strongroom.core.codec.signed import open_record
from strongroom.core.crypto import Suite
from strongroom.errors import Conflict, Malformed, Refused
from strongroom.management.keys import PublicIdentity
from strongroom.management.trusted_list import Role, open_trusted_list


def require_administrator(ledger: Ledger, sender: str, rule: str) -> None:
    """Let the administrator of the broker's configuration pass, and nobody else.

    Raises:
        Refused: somebody else asked.
    """
    administrator = ledger.config.administrator
    if sender != administrator.id:
        raise Refused.because(
            rule=rule,
            owner="administrator",
            expected=f"a request of {administrator.name}",
            got=f"one of {ledger.state.name(sender)}",
            remedy="Ask the administrator to do it.",
        )


@dataclass(frozen=True)
class PublishList(Operation):
    """trusted-list.publish: the administrator's newer list (WL-1).

    The administrator is the one of the configuration, so no list can change who
    may publish the next one.
    """

    list: bytes

    @classmethod
    def authorise(cls, ledger: Ledger, sender: str) -> None:
        """Let the administrator of the configuration pass, and nobody else."""
        require_administrator(ledger, sender, "trusted-list.administrator")

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check signature, version and suites."""
        known = ledger.state.members
        newest = known.version + 1 if known else 1
        members = open_trusted_list(self.list, sender.verifying, newest_version=newest)
        suites = {members.suite, *(m.identity.suite for m in members.members)}
        if suites != {ledger.row.id}:
            message = f"every member of this room has keys of suite {ledger.row.id}"
            raise Malformed(message)
        version = members.version
        return Outcome({"version": version}, str(version), ListPublished(members))


@dataclass(frozen=True)
class RegisterDataset(Operation):
    """dataset.register: a sealed dataset, its key and its owner's policy (R-DATA)."""

    ROLE: ClassVar[Role | None] = "data"

    registration: bytes
    key: bytes

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check that all of it fits together.

        1. The owner is the sender, signed it, and is who the description names.
        2. The id is that of the description, the FLOE header and the length.
        3. The key opens the header: a wrong key is found now, not in a task.
        4. The policy can be evaluated.
        5. A dataset keeps its owner, and an older registration never returns.
        """
        said = open_record(DatasetRegistration, self.registration, sender.verifying)
        prefix = _open_header(ledger.row, said, self.key)
        _require_owner(sender, said.owner, prefix.header.owner)
        check_policy(said.policy)
        old = ledger.state.datasets.get(said.dataset)
        if old is not None:
            _require_newer(old.registration, said)
        event = DatasetRegistered(said, self.key)
        return Outcome({"dataset": said.dataset}, said.dataset, event)


@dataclass(frozen=True)
class RegisterApp(Operation):
    """app.register: an app's manifest; its code key where the code is secret (T-2b)."""

    ROLE: ClassVar[Role | None] = "algorithm"

    registration: bytes
    code_key: bytes

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check owner, signer, manifest, and what encrypted code needs."""
        said = open_record(AppRegistration, self.registration, sender.verifying)
        _require_owner(sender, said.owner)
        manifest = said.manifest
        if manifest.kind != "task" or manifest.suite != ledger.row.id:
            message = f"this room takes task apps of suite {ledger.row.id}"
            raise Malformed(message)
        if said.signer != sender.sign.key_id:
            raise Refused.because(
                rule="app.signer",
                owner="administrator",
                expected=f"a bundle signed by {sender.name}, who registers it (T-4)",
                got=f"key {said.signer.hex()[:16]}",
                remedy="Sign the bundle with the key of the registering party.",
            )
        expected = ledger.row.aead_key_bytes if manifest.encrypted else 0
        if len(self.code_key) != expected or bool(said.policy) != manifest.encrypted:
            message = "encrypted code comes with a code key and a policy, other without"
            raise Malformed(message)
        if manifest.encrypted:
            check_policy(said.policy)
        app = manifest.measurement.hex()
        old = ledger.state.apps.get(app)
        if old is not None:
            _require_newer(old.registration, said)
        return Outcome({"app": app}, app, AppRegistered(said, self.code_key))


def _open_header(row: Suite, said: DatasetRegistration, key: bytes) -> Prefix:
    head = said.header
    if len(head) < HEADER_BYTES or dataset_id(row, head, said.length) != said.dataset:
        message = "the dataset's id is not that of its header and length"
        raise Malformed(message)
    prefix = Prefix.parse(head[:-HEADER_BYTES])
    if prefix.header.suite != row.id:
        message = f"this room takes datasets of suite {row.id}"
        raise Malformed(message)
    opener = Opener(row, key, prefix.raw, head[-HEADER_BYTES:])
    opener.segment_count(said.length - len(prefix.raw))
    return prefix


def _require_owner(sender: PublicIdentity, *owners: str) -> None:
    for owner in owners:
        if owner != sender.id:
            raise Refused.because(
                rule="registration.owner",
                owner="administrator",
                expected=f"{sender.name}, who asks, as the owner",
                got=f"party {owner[:16]}",
                remedy="The owner itself has to register it.",
            )


def _require_newer(
    old: DatasetRegistration | AppRegistration,
    new: DatasetRegistration | AppRegistration,
) -> None:
    if old.owner != new.owner:
        raise Refused.because(
            rule="registration.owner",
            owner="administrator",
            expected="the party that registered it first",
            got="another party",
            remedy="Register another dataset or app.",
        )
    if new.registered_at <= old.registered_at:
        message = "this was already registered, at the same time or later"
        raise Conflict(message)
