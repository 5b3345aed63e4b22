# SPDX-License-Identifier: Apache-2.0
"""The main job as the broker sees it: register, agree, release, receipt (DESIGN 3)."""

import pytest

from strongroom.application.broker.config import Method
from strongroom.application.cleanroom import (
    AgreementStatus,
    Receipt,
    ReceiptBundle,
    TaskStatus,
)
from strongroom.core.codec.merkle import tree_hash, verify_inclusion
from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.signed import open_record
from strongroom.core.codec.tlog import Checkpoint
from strongroom.core.rats import Endorsements, Trust
from strongroom.errors import Conflict, Stale, Unavailable
from strongroom.management.audit import LogEntry
from strongroom.services.attestation import verify_evidence
from tests.application.broker.world import World, terms


def status(world: World, task: str) -> TaskStatus:
    return TaskStatus.from_value(
        world.ask("insurer", "task.status", task=task)["status"]
    )


def test_keys_go_to_the_appraised_enclave_and_the_receipt_comes_back(
    world: World, agreement: str, data: list[str]
) -> None:
    task = world.task(agreement)
    attempt = world.attempt(world.ticket(task))
    release = world.release(attempt)
    assert [item.dataset for item in release.inputs] == data
    assert all(len(i.key) == world.row.aead_key_bytes for i in release.inputs)
    assert release.recipient == world.parties["insurer"].public
    assert release.entry_point.output.fields == ("total", "count")
    receipt = world.receipt(attempt, release)
    gone = world.machine.destroy(attempt.enclave)
    world.complete(attempt, receipt, gone)
    world.complete(attempt, receipt, gone)
    done = status(world, task)
    assert (done.state, done.attempts, done.receipt) == ("done", 1, receipt)


def test_a_receipt_bundle_proves_everything_offline(
    world: World, agreement: str
) -> None:
    task = world.task(agreement)
    attempt = world.run(task)
    answer = world.ask("insurer", "task.result", task=task)
    bundle = ReceiptBundle.from_bytes(world.bytes_of(answer, "receipt"))
    receipt = open_record(Receipt, bundle.receipt, attempt.signing.public)
    assert receipt.task == task
    roots = Trust(Endorsements((world.machine.root,), ()))
    _, app = verify_evidence(bundle.evidence, roots, now=world.clock())
    assert app is not None
    assert app.nonce == bundle.challenge
    key = NoteKey(world.config.origin, world.public.verifying)
    checkpoint = Checkpoint.verify(bundle.checkpoint, key)
    hashing = tree_hash(world.row.id)
    verify_inclusion(
        hashing,
        index=bundle.log_index,
        size=checkpoint.size,
        leaf_hash=hashing.leaf(bundle.log_entry),
        proof=bundle.inclusion,
        root=checkpoint.root,
    )
    entry = LogEntry.from_bytes(bundle.log_entry)
    assert entry.detail["receipt"] == world.row.digest(bundle.receipt).hex()
    assert (entry.category, entry.action) == ("task", "task.complete")


def test_encrypted_code_is_released_with_its_key(world: World, data: list[str]) -> None:
    made = world.agreement(world.app("secret", terms()), data)
    release = world.release(world.attempt(world.ticket(world.task(made))))
    assert len(release.code_key) == world.row.aead_key_bytes


def test_the_agreement_narrows_the_output_rule(
    world: World, app: str, data: list[str]
) -> None:
    made = world.agreement(app, data, fields=("count",), min_group=20)
    rule = world.release(
        world.attempt(world.ticket(world.task(made)))
    ).entry_point.output
    assert (rule.fields, rule.min_group) == (("count",), 20)


def test_a_failed_node_leads_to_the_next_attempt_and_counts_one_use(
    world: World, app: str
) -> None:
    data = world.dataset("hospital", terms(max_uses=1))
    made = world.agreement(app, [data], max_uses=1)
    task = world.task(made)
    first = world.attempt(world.ticket(task))
    world.release(first)
    world.fail(first.ticket, Unavailable("the node fell silent"))
    second = world.ticket(task)
    assert second.attempt == 2
    assert second.challenge != first.ticket.challenge
    with pytest.raises(Conflict):
        world.complete(first, b"", b"")
    world.run(task)
    shown = world.ask("insurer", "agreement.show", agreement=made)["status"]
    assert AgreementStatus.from_value(shown).uses == 1


def test_a_task_has_three_attempts(world: World, agreement: str) -> None:
    task = world.task(agreement)
    ticket = world.ticket(task)
    for number in (1, 2, 3):
        ticket = world.ticket(task)
        assert ticket.attempt == number
        world.fail(ticket, Unavailable("no machine"))
    failed = status(world, task)
    assert (failed.state, failed.error["error"]) == ("failed", "unavailable")
    with pytest.raises(StopIteration):
        world.ticket(task)
    with pytest.raises(Conflict):
        world.fail(ticket, Unavailable("no machine"))


def test_running_attempts_are_told_so_that_a_restarted_node_can_watch_them(
    world: World, agreement: str
) -> None:
    attempt = world.attempt(world.ticket(world.task(agreement)))
    world.release(attempt)
    answer = world.call(Method.TICKETS, {})
    assert attempt.ticket.to_bytes() in answer["released"]  # type: ignore[operator]


def test_everything_is_there_again_after_a_restart(
    world: World, agreement: str
) -> None:
    task = world.task(agreement)
    world.run(task)
    waiting = world.task(agreement)
    before = world.broker._ledger
    assert before is not None
    ticket = world.ticket(waiting)
    world.start()
    after = world.broker._ledger
    assert after is not None
    for name in ("members", "datasets", "apps", "contracts", "tasks", "marks"):
        assert getattr(after.state, name) == getattr(before.state, name), name
    assert after.log.size == before.log.size + 1
    after.log.consistency_proof(before.log.size)
    assert world.ticket(waiting) == ticket
    world.run(waiting)


def test_hello_binds_the_keys_and_the_log_is_served(world: World) -> None:
    answer = world.call(Method.HELLO, {"nonce": b"n" * 32})
    assert answer["public"] == world.public.to_bytes()
    key = NoteKey(world.config.origin, world.public.verifying)
    head = Checkpoint.verify(world.bytes_of(answer, "checkpoint"), key)
    path = {"path": f"tile/entries/000.p/{head.size % 256}"}
    if head.size < 256:
        assert world.call(Method.LOG, path)["data"]
    latest = world.bytes_of(world.call(Method.LOG, {"path": "checkpoint"}), "data")
    assert Checkpoint.verify(latest, key) == head


def test_time_never_goes_back(world: World, app: str, data: list[str]) -> None:
    made = world.agreement(app, data, expires_at=world.clock() + 100)
    task = world.task(made)
    world.clock.time += 200
    world.dataset("hospital")
    world.clock.time -= 200
    with pytest.raises(Exception, match=r"agreement\.expired"):
        world.release(world.attempt(world.ticket(task)))
    world.start()
    world.clock.time += 200
    assert status(world, task).state == "failed"


def test_a_host_that_turns_its_clock_back_makes_no_request_look_fresh(
    world: World,
) -> None:
    box = world.box(world.parties["insurer"], "agreement.list")
    world.clock.time += 601
    with pytest.raises(Stale, match=r"request\.time"):
        world.send(box)
    world.clock.time -= 601
    with pytest.raises(Stale, match=r"request\.time"):
        world.send(box)
    world.clock.time += 601
