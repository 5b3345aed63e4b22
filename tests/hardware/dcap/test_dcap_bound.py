# SPDX-License-Identifier: Apache-2.0
"""What report data are compared with: a field that zeros fill up, not a prefix."""

import pytest

from strongroom.core.rats import Trust
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.hardware_rules import hardware_findings
from tests.hardware.dcap.forge import KINDS, IntelWorld, world
from tests.hardware.pki import NOW

each_kind = pytest.mark.parametrize("kind", KINDS)
SHORT = b"a digest of 32 bytes, more or no"


def rules(made: IntelWorld, bound: bytes) -> list[str]:
    trust = Trust(made.endorsements())
    claims = verify_hardware(made.evidence(), trust, now=NOW)
    policy = HardwarePolicy.default("test", (made.tee,))
    return [each.rule for each in hardware_findings(claims, policy, bound)]


@each_kind
def test_report_data_are_filled_up_with_zeros(kind: str) -> None:
    made = world(kind, report_data=SHORT + bytes(32))
    assert rules(made, SHORT) == []
    assert rules(made, SHORT + bytes(32)) == []
    for wrong in (SHORT[:-1], SHORT + bytes(33), b"", SHORT + b"\1"):
        assert rules(made, wrong) == [f"{made.tee}.report_data"]


@each_kind
def test_a_beginning_of_report_data_is_not_all(kind: str) -> None:
    made = world(kind, report_data=SHORT + SHORT)
    assert rules(made, SHORT) == [f"{made.tee}.report_data"]
    assert rules(made, SHORT + SHORT) == []


@each_kind
def test_nothing_is_not_zeros(kind: str) -> None:
    made = world(kind, report_data=bytes(64))
    assert rules(made, b"") == [f"{made.tee}.report_data"]
    assert rules(made, bytes(1)) == []
