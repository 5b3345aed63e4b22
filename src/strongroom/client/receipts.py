# SPDX-License-Identifier: Apache-2.0
"""Verifies a receipt with all that proves it, offline (R-RES, T-5, LOG-3)."""

from dataclasses import dataclass

from strongroom.application.broker import BrokerPublic
from strongroom.application.cleanroom import EnclaveKeys, Receipt, ReceiptBundle
from strongroom.application.cleanroom.room import Room, task_app_rule
from strongroom.client.home import PartyPolicy
from strongroom.core.codec.merkle import tree_hash, verify_inclusion
from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.signed import open_record
from strongroom.core.codec.tlog import Checkpoint
from strongroom.core.crypto import suite
from strongroom.core.rats import AppClaims, AttestationResult, PlatformClaims, Trust
from strongroom.core.rats.destruction import Destruction
from strongroom.errors import Finding, Malformed, Untrusted
from strongroom.management.audit import LogEntry
from strongroom.services.attestation import appraise, verify_evidence


@dataclass(frozen=True)
class VerifiedReceipt:
    """A receipt that holds; only `verify_receipt` makes one."""

    receipt: Receipt
    app: AppClaims
    result: AttestationResult
    destruction: Destruction
    log_entry: LogEntry
    log_index: int
    log_size: int


def log_key(room: Room) -> NoteKey:
    """Return the key that the room's log is verified with."""
    return NoteKey(room.origin, BrokerPublic.from_bytes(room.public).verifying)


def verify_receipt(
    bundle: ReceiptBundle, room: Room, policy: PartyPolicy, owner: str
) -> VerifiedReceipt:
    """Check everything a receipt claims, with the room file alone.

    1. The evidence chains to the room's roots and binds the enclave's keys and the
       broker's challenge; it is appraised as at the time of the attempt.
    2. The receipt is signed by those keys and speaks of that app and attempt.
    3. The monitor that the evidence names signed that the enclave is destroyed.
    4. The broker's log includes the completion of exactly this receipt.

    It does not check that the app is a good one, nor that its inputs were true.

    Raises:
        Refused: names what does not hold.
    """
    keys = EnclaveKeys.from_bytes(bundle.keys)
    row = suite(room.suite)
    receipt = open_record(Receipt, bundle.receipt, row.verifying_key(keys.sign))
    platform, app = verify_evidence(
        bundle.evidence, Trust(room.endorsements), now=receipt.finished_at
    )
    if app is None:
        message = "the receipt's evidence has no app layer"
        raise Malformed(message)
    rule = task_app_rule(room, receipt.app)
    result = appraise(
        platform,
        app,
        room.policy(owner, policy.kinds, rule, policy.max_platform_age_s),
        nonce=bundle.challenge,
        now=receipt.finished_at,
        user_data=row.digest(bundle.keys)[:64],
    )
    _require_same(
        "receipt.attempt", (keys.task, keys.attempt), (receipt.task, receipt.attempt)
    )
    broker = row.digest(room.public)[:32].hex()
    _require_same("receipt.room", broker, receipt.room)
    destruction = _check_destruction(bundle, platform, app)
    entry, size = _check_log(bundle, room)
    return VerifiedReceipt(
        receipt, app, result, destruction, entry, bundle.log_index, size
    )


def _check_destruction(
    bundle: ReceiptBundle, platform: PlatformClaims, app: AppClaims
) -> Destruction:
    destruction = open_record(Destruction, bundle.destruction, platform.monitor_key)
    _require_same("receipt.destruction", app.enclave_id, destruction.enclave_id)
    return destruction


def _check_log(bundle: ReceiptBundle, room: Room) -> tuple[LogEntry, int]:
    checkpoint = Checkpoint.verify(bundle.checkpoint, log_key(room))
    hashing = tree_hash(room.suite)
    verify_inclusion(
        hashing,
        index=bundle.log_index,
        size=checkpoint.size,
        leaf_hash=hashing.leaf(bundle.log_entry),
        proof=bundle.inclusion,
        root=checkpoint.root,
    )
    entry = LogEntry.from_bytes(bundle.log_entry)
    digest = suite(room.suite).digest(bundle.receipt).hex()
    _require_same("receipt.log", digest, entry.detail.get("receipt"))
    return entry, checkpoint.size


def _require_same(rule: str, expected: object, got: object) -> None:
    if expected != got:
        finding = Finding(
            rule,
            "receipt",
            expected=_shown(expected),
            got=_shown(got),
            remedy="The parts of this receipt do not belong together; fetch it again.",
        )
        raise Untrusted(str(finding), [finding])


def _shown(value: object) -> str:
    return value.hex()[:32] if isinstance(value, bytes) else str(value)[:64]
