# SPDX-License-Identifier: Apache-2.0
"""Nodes on hardware: its debug state and TCB count at every check-in, by newest rules.

No platform of this version stands on TDX: the one here is a test's, with the forge's
quotes under a statement of the simulated device.
"""

from dataclasses import replace

import pytest

from strongroom.application.broker.config import Method
from strongroom.application.cleanroom.node_rules import (
    DEFAULT_PERIOD_S,
    NodesStatus,
    WithdrawnNode,
)
from strongroom.core.codec import cose
from strongroom.core.rats import Evidence, PlatformClaims, Trust
from strongroom.core.rats.statement import Profile, RootedEvidence, binding
from strongroom.errors import Refused, Stale
from strongroom.hardware.registry import hardware_verifier
from strongroom.hardware.rooted.verify import Rooting, verify as verify_rooted
from strongroom.hardware.simulated.abi import SimulatedEvidence, decode
from tests.application.broker.gate_heads import head_of
from tests.application.broker.test_broker_nodes import evidence, publish, rules_of
from tests.application.broker.world import World
from tests.hardware.dcap import forge as intel

TDX = Profile("tdx", "urn:x-strongroom:eat:test:1", b"a test's machine", hwmodel=None)


class TdxNode:
    """A node whose platform a TD's quote vouches for, and what Intel says of it."""

    def __init__(self, world: World) -> None:
        self.world, self.intel = world, intel.world("tdx v4")
        world.config = replace(world.config, roots=(self.intel.root.certificate.der,))
        world.journal.unlink()
        world.memory.counters.clear()
        world.start()

    def publish(self, version: int, status: str) -> None:
        """Publish rules with what Intel says now."""
        self.intel.status = status
        collateral = self.intel.endorsements().collateral
        publish(self.world, version, collateral=collateral)

    def check_in(self, *, debug: bool = False) -> bytes:
        """Attest to a fresh challenge; return what the broker calls the device."""
        nonce = self.world.bytes_of(self.world.call(Method.CHALLENGE, {}), "nonce")
        simulated = Evidence.from_bytes(evidence(self.world, nonce)).platform
        token = SimulatedEvidence.from_bytes(simulated).token
        facts = decode(cose.Sign1.parse(token).payload)
        statement = TDX.encode(replace(facts, kind="tdx", debug=debug))
        self.intel.debug = debug
        self.intel.report_data = binding(statement).ljust(64, b"\0")
        rooted = RootedEvidence(statement, self.intel.evidence()).to_bytes()
        said = Evidence("tdx", rooted, b"").to_bytes()
        key, device = self.world.machine.monitor, self.world.machine.device.device_id
        head = head_of(key, device, 1)
        answer = self.world.call(
            Method.CHECK_IN, {"nonce": nonce, "evidence": said, "head": head}
        )
        return self.world.bytes_of(answer, "device")

    def status(self) -> NodesStatus:
        """Return what the administrator is shown."""
        answer = self.world.ask("administrator", "nodes.show")
        return NodesStatus.from_value(answer["status"])


@pytest.fixture
def tdx(fresh: World, monkeypatch: pytest.MonkeyPatch) -> TdxNode:
    """Return a node on TDX, which roots no platform of this version but here."""

    def verify(evidence: bytes, trust: Trust, now: int) -> PlatformClaims:
        return verify_rooted("tdx", hardware_verifier("tdx"), evidence, trust, now)

    rooting = Rooting(TDX, lambda _, trust: trust, lambda *_: None)
    monkeypatch.setattr("strongroom.hardware.rooted.verify.ROOTINGS", {"tdx": rooting})
    monkeypatch.setattr("strongroom.hardware.registry.VERIFIERS", {"tdx": verify})
    return TdxNode(fresh)


@pytest.mark.parametrize(
    ("status", "rule"),
    [("Revoked", "tdx.tcb_revoked"), ("OutOfDate", "tdx.tcb_out_of_date")],
)
def test_a_node_leaves_service_with_its_hardware_s_tcb(
    tdx: TdxNode, status: str, rule: str
) -> None:
    tdx.publish(1, "UpToDate")
    device = tdx.check_in()
    assert [each.device for each in tdx.status().serving] == [device.hex()]
    tdx.publish(2, status)
    tdx.world.call(Method.TICKETS, {})
    assert tdx.status().withdrawn == (WithdrawnNode(device.hex(), rule),)
    with pytest.raises(Refused) as refused:
        tdx.check_in()
    assert rules_of(refused.value) == {rule}
    tdx.publish(3, "UpToDate")
    assert tdx.check_in() == device


def test_a_node_whose_tcb_info_has_ended_is_silent_within_a_period(
    tdx: TdxNode,
) -> None:
    tdx.intel.next_update = tdx.world.clock() + DEFAULT_PERIOD_S // 2
    tdx.publish(1, "UpToDate")
    device = tdx.check_in()
    tdx.world.clock.time += DEFAULT_PERIOD_S
    with pytest.raises(Stale) as stale:
        tdx.check_in()
    assert rules_of(stale.value) == {"tdx.expired.tcb_info"}
    tdx.world.clock.time += 1
    tdx.world.call(Method.TICKETS, {})
    assert tdx.status().withdrawn == (WithdrawnNode(device.hex(), "node.period"),)


def test_debug_enabled_hardware_does_not_serve(tdx: TdxNode) -> None:
    tdx.publish(1, "UpToDate")
    with pytest.raises(Refused) as refused:
        tdx.check_in(debug=True)
    assert rules_of(refused.value) == {"platform.debug", "tdx.debug"}
    assert not tdx.status().serving
