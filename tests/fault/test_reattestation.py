# SPDX-License-Identifier: Apache-2.0
"""A running node that stops proving itself loses its attempt within one period."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from strongroom.application.cleanroom import TaskStatus
from strongroom.application.cleanroom.node_rules import NodesStatus
from strongroom.client import admin, tasks
from tests.fault.processes import until
from tests.fault.rig import Rig

PERIOD_S = 3
SLACK_S = 3.0
"""What else may take time: a tick of the management node, a slow machine."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Return a room whose nodes must attest every few seconds."""
    with Rig(tmp_path_factory.mktemp("reattest"), "intl") as made:
        change(made, period_s=PERIOD_S)
        made.kill("compute", "service")
        made.supervise()
        yield made


def nodes(rig: Rig) -> NodesStatus:
    """Return what the administrator is shown."""
    return rig.insist(lambda: admin.nodes(rig.admin))


def change(rig: Rig, /, **changes: object) -> None:
    """Publish newer node rules."""
    old = nodes(rig).rules
    new = replace(old, version=old.version + 1, **changes)  # type: ignore[arg-type]  # any
    admin.publish_node_rules(rig.admin, new)


def in_service(rig: Rig) -> bool:
    """Whether the one compute node serves."""
    return bool(nodes(rig).serving)


def running(rig: Rig) -> str:
    """Return a task whose attempt has its keys and goes on for long."""
    until(lambda: in_service(rig), "a node in service")
    task = rig.ask(rig.used, "5", "slow")
    until(lambda: status(rig, task).state == "released", "a release")
    return task


def status(rig: Rig, task: str) -> TaskStatus:
    """Return how a task stands."""
    return rig.insist(lambda: tasks.status(rig.parties["insurer"], task))


def test_a_node_that_attests_keeps_serving_for_many_periods(rig: Rig) -> None:
    until(lambda: in_service(rig), "a node in service")
    begun = nodes(rig).serving[0].attested_at
    until(lambda: nodes(rig).serving[0].attested_at > begun + PERIOD_S, "it attests")
    assert not nodes(rig).withdrawn


def test_a_stopped_node_is_withdrawn_within_a_period(rig: Rig) -> None:
    task = running(rig)
    agent = rig.nodes["compute"].pid
    os.kill(agent, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        until(lambda: not in_service(rig), "a withdrawal")
        assert time.monotonic() - begun < PERIOD_S + SLACK_S
        assert nodes(rig).withdrawn[0].rules == "node.period"
        assert status(rig, task).attempts == 2
    finally:
        os.kill(agent, signal.SIGCONT)
    until(lambda: in_service(rig), "its return")


def test_a_revoked_device_loses_its_attempt_and_comes_back_reinstated(
    rig: Rig,
) -> None:
    task = running(rig)
    attempts = status(rig, task).attempts
    device = bytes.fromhex(nodes(rig).serving[0].device)
    change(rig, revoked_devices=(device,))
    begun = time.monotonic()
    until(lambda: status(rig, task).attempts > attempts, "its attempt withdrawn")
    assert time.monotonic() - begun < PERIOD_S + SLACK_S
    assert not in_service(rig)
    change(rig, revoked_devices=())
    until(lambda: in_service(rig), "its return")


def test_an_outdated_tcb_takes_the_node_out_of_service(rig: Rig) -> None:
    until(lambda: in_service(rig), "a node in service")
    change(rig, min_firmware_svn=2**20)
    until(lambda: not in_service(rig), "a withdrawal", PERIOD_S + SLACK_S)
    assert nodes(rig).withdrawn[0].rules == "platform.firmware"
    with pytest.raises(AssertionError):
        until(lambda: in_service(rig), "nothing", 2 * PERIOD_S)
    change(rig, min_firmware_svn=0)
    until(lambda: in_service(rig), "its return")
