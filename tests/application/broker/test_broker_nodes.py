# SPDX-License-Identifier: Apache-2.0
"""Re-attestation: nodes prove themselves on a period, and newer rules count at once."""

import os
from dataclasses import replace

import pytest

from strongroom.application.broker.config import Method
from strongroom.application.cleanroom import TaskStatus
from strongroom.application.cleanroom.node_rules import (
    DEFAULT_PERIOD_S,
    NodeRules,
    NodesStatus,
    WithdrawnNode,
)
from strongroom.core.codec import cwt
from strongroom.core.codec.segment import origin_of
from strongroom.core.codec.signed import sign_record
from strongroom.core.rats import Evidence
from strongroom.errors import (
    Conflict,
    Malformed,
    Refused,
    Stale,
    StrongroomError,
    Untrusted,
)
from strongroom.hardware.simulated.abi import SimulatedEvidence
from strongroom.management.audit import HEAD_ACTION, LogEntry
from tests.application.broker.gate_heads import head_of
from tests.application.broker.world import Attempt, World


@pytest.fixture
def world(fresh: World) -> World:
    """Return a room of the test's own: nodes leave and return in it."""
    fresh.publish()
    return fresh


@pytest.fixture
def agreement(world: World) -> str:
    """Return an active agreement."""
    data = [world.dataset("hospital"), world.dataset("clinic")]
    return world.agreement(world.app(), data)


def publish(world: World, version: int, /, **changes: object) -> None:
    """Publish node rules as the administrator."""
    rules = replace(NodeRules.initial(world.row.id), version=version)
    rules = replace(rules, **changes)  # type: ignore[arg-type]  # tests vary any
    signed = sign_record(world.admin.signing, rules)
    world.ask("administrator", "nodes.rules", rules=signed)


def evidence(world: World, nonce: bytes) -> bytes:
    """Return the platform's fresh evidence, as a node's agent does."""
    platform = world.machine.device.attest(
        nonce=nonce, monitor_key=world.machine.monitor.public, now=world.clock()
    )
    return Evidence("simulated", platform, b"").to_bytes()


def head(world: World, entries: int, segment: int = 0) -> bytes:
    """Return a head of the node's own log."""
    machine = world.machine
    return head_of(machine.monitor, machine.device.device_id, entries, segment)


def check_in(world: World, shown: bytes = b"") -> dict[str, object]:
    """Attest to a fresh challenge, and show a head of the node's log."""
    nonce = world.bytes_of(world.call(Method.CHALLENGE, {}), "nonce")
    said = {
        "nonce": nonce,
        "evidence": evidence(world, nonce),
        "head": shown or head(world, 1),
    }
    return world.call(Method.CHECK_IN, said)


def heads(world: World) -> list[tuple[str, str]]:
    """Return the heads of nodes' logs in the room's log: origin and size."""
    return [
        (each.detail["origin"], each.detail["entries"])
        for each in records(world)
        if each.action == HEAD_ACTION
    ]


def records(world: World) -> list[LogEntry]:
    """Return the room's log."""
    log = world.broker._open_ledger.log
    return [LogEntry.from_bytes(log.entry(n)) for n in range(log.size)]


def started(world: World, agreement: str) -> Attempt:
    """Return an attempt that has its keys."""
    attempt = world.attempt(world.ticket(world.task(agreement)))
    world.release(attempt)
    return attempt


def status(world: World, attempt: Attempt) -> TaskStatus:
    """Return how the demander sees the attempt's task."""
    answer = world.ask("insurer", "task.status", task=attempt.ticket.task)
    return TaskStatus.from_value(answer["status"])


def rules_of(error: StrongroomError) -> set[str]:
    """Return the ids of the rules in a refusal."""
    return {finding.rule for finding in error.findings}


def attestation_key(world: World) -> bytes:
    """Return the id of the key that signs the device's evidence."""
    said = Evidence.from_bytes(evidence(world, os.urandom(32))).platform
    chain = SimulatedEvidence.from_bytes(said).chain
    roots = (world.machine.root,)
    return cwt.verify_chain(chain, roots, world.clock()).public_key.key_id


def test_a_node_that_checks_in_keeps_its_attempt(world: World, agreement: str) -> None:
    attempt = started(world, agreement)
    for _ in range(3):
        world.clock.time += DEFAULT_PERIOD_S - 1
        assert check_in(world)["device"] == world.machine.device.device_id
    world.call(Method.TICKETS, {})
    assert status(world, attempt).state == "released"


def test_a_silent_node_is_withdrawn_after_one_period(
    world: World, agreement: str
) -> None:
    attempt = started(world, agreement)
    world.clock.time += DEFAULT_PERIOD_S + 1
    world.call(Method.TICKETS, {})
    again = status(world, attempt)
    assert (again.state, again.attempts) == ("waiting", 2)
    with pytest.raises(Conflict):
        world.fail(attempt.ticket, Stale("too late"))


def test_a_withdrawn_node_gets_no_keys_until_it_attests_anew(
    world: World, agreement: str
) -> None:
    started(world, agreement)
    world.clock.time += DEFAULT_PERIOD_S + 1
    attempt = world.attempt(world.ticket(world.task(agreement)))
    with pytest.raises(Refused) as refused:
        world.release(attempt)
    assert rules_of(refused.value) == {"node.in-service"}
    check_in(world)
    assert world.release(attempt).task == attempt.ticket.task


@pytest.mark.parametrize("how", ["firmware", "device", "key"])
def test_newer_rules_withdraw_a_node_and_its_attempt_at_once(
    world: World, agreement: str, how: str
) -> None:
    attempt = started(world, agreement)
    changes: dict[str, dict[str, object]] = {
        "firmware": {"min_firmware_svn": 2**20},
        "device": {"revoked_devices": (world.machine.device.device_id,)},
        "key": {"revoked_keys": (attestation_key(world),)},
    }
    publish(world, 1, **changes[how])
    world.call(Method.TICKETS, {})
    assert status(world, attempt).attempts == 2
    with pytest.raises(Refused):
        check_in(world)
    with pytest.raises(Refused):
        world.release(world.attempt(world.ticket(attempt.ticket.task)))
    publish(world, 2)
    check_in(world)
    world.release(world.attempt(world.ticket(attempt.ticket.task)))


def test_a_check_in_below_the_rules_names_the_rule_and_withdraws(
    world: World, agreement: str
) -> None:
    attempt = started(world, agreement)
    publish(world, 1, min_firmware_svn=2**20)
    with pytest.raises(Refused) as refused:
        check_in(world)
    assert rules_of(refused.value) == {"platform.firmware"}
    assert status(world, attempt).state == "waiting"


@pytest.mark.parametrize("flaw", ["used", "foreign", "old", "other"])
def test_a_challenge_is_answered_once_and_in_time(world: World, flaw: str) -> None:
    nonce = world.bytes_of(world.call(Method.CHALLENGE, {}), "nonce")
    said = {"nonce": nonce, "evidence": evidence(world, nonce), "head": head(world, 1)}
    if flaw == "used":
        world.call(Method.CHECK_IN, said)
    elif flaw == "foreign":
        said["nonce"] = os.urandom(32)
    elif flaw == "old":
        world.clock.time += DEFAULT_PERIOD_S + 1
    else:
        said["evidence"] = evidence(world, os.urandom(32))
    with pytest.raises(Refused) as refused:
        world.call(Method.CHECK_IN, said)
    expected = "platform.nonce" if flaw == "other" else "node.nonce"
    assert rules_of(refused.value) == {expected}


def test_withdrawals_and_rules_survive_a_restart(world: World, agreement: str) -> None:
    attempt = started(world, agreement)
    device = world.machine.device.device_id
    publish(world, 1, revoked_devices=(device,))
    world.call(Method.TICKETS, {})
    world.start()
    answer = world.ask("administrator", "nodes.show")
    shown = NodesStatus.from_value(answer["status"])
    assert shown.withdrawn == (WithdrawnNode(device.hex(), "node.revoked"),)
    with pytest.raises(Refused):
        world.release(world.attempt(world.ticket(attempt.ticket.task)))


def test_after_a_restart_a_running_node_has_one_period_to_attest(
    world: World, agreement: str
) -> None:
    attempt = started(world, agreement)
    world.start()
    world.clock.time += DEFAULT_PERIOD_S
    world.call(Method.TICKETS, {})
    assert status(world, attempt).state == "released"
    world.clock.time += 1
    world.call(Method.TICKETS, {})
    assert status(world, attempt).state == "waiting"


def test_only_the_administrator_makes_rules_and_never_older_ones(world: World) -> None:
    signed = world.sign("hospital", NodeRules.initial(world.row.id))
    with pytest.raises(Refused) as refused:
        world.ask("hospital", "nodes.rules", rules=signed)
    assert rules_of(refused.value) == {"nodes.administrator"}
    publish(world, 5)
    with pytest.raises(Stale) as stale:
        publish(world, 5)
    assert rules_of(stale.value) == {"nodes.version"}


def test_the_log_tells_of_withdrawal_and_return(world: World, agreement: str) -> None:
    started(world, agreement)
    world.clock.time += DEFAULT_PERIOD_S + 1
    check_in(world)
    told = [each for each in records(world) if each.action.startswith("node.")]
    assert [each.action for each in told] == ["node.withdrawn", "node.returned"]
    assert {each.object for each in told} == {world.machine.device.device_id.hex()}
    assert told[0].detail["rules"] == "node.period"


def test_the_room_takes_a_head_of_a_nodes_own_log_once_a_period(world: World) -> None:
    before = heads(world)
    check_in(world, head(world, 5))
    check_in(world, head(world, 6))
    world.clock.time += DEFAULT_PERIOD_S
    check_in(world, head(world, 7))
    check_in(world, head(world, 2, segment=1))
    origin = origin_of(world.machine.device.device_id, 0)
    assert heads(world)[len(before) :] == [(origin, "5"), (origin, "7")]


def test_a_node_whose_log_was_rolled_back_is_withdrawn(world: World) -> None:
    check_in(world, head(world, 5, segment=1))
    for shrunk in (head(world, 4, segment=1), head(world, 9)):
        with pytest.raises(Stale) as refusal:
            check_in(world, shrunk)
        assert rules_of(refusal.value) == {"node.log"}


def test_a_head_of_another_log_or_by_another_key_is_refused(world: World) -> None:
    machine = world.machine
    other = world.row.signing_key(os.urandom(world.row.sign_seed_bytes))
    for wrong in (
        head_of(other, machine.device.device_id, 1),
        head_of(machine.monitor, bytes(32), 1),
        b"no note",
    ):
        with pytest.raises((Malformed, Untrusted)):
            check_in(world, wrong)
