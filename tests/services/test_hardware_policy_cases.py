# SPDX-License-Identifier: Apache-2.0
"""The policy language over real evidence: paths are those that verifiers give."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from strongroom.cli.cases import Case, find_cases, read_case
from strongroom.core.rats import HardwareClaims, Trust
from strongroom.core.rats.hardware_policy import (
    CONTAINED,
    LAUNCH,
    ClaimRule,
    HardwarePolicy,
)
from strongroom.hardware.registry import HARDWARE
from strongroom.services.attestation.claim_paths import find, flat, tree
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.hardware_appraise import appraise_hardware
from strongroom.services.attestation.hardware_rules import everything
from strongroom.services.attestation.reference_rules import References


@cache
def verified(folder: Path, kind: str) -> tuple[Case, HardwareClaims]:
    """Return the first valid case of a kind, and its claims."""
    cases = (read_case(each) for each in find_cases(folder / kind))
    case = next(each for each in cases if each.expected == "valid")
    trust = Trust(case.endorsements)
    return case, verify_hardware(case.evidence, trust, now=case.time)


@pytest.fixture(params=HARDWARE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_launch_measurement_is_where_policies_look(shared: Path, kind: str) -> None:
    _, claims = verified(shared / "evidence", kind)
    names = [f"measurements.{name}" for name in claims.measurements]
    wanted = LAUNCH.get(kind, ())
    for path in wanted:
        assert any(name == path or name.startswith(f"{path}.") for name in names), names
    assert {each.kind for each in claims.inner} <= set(CONTAINED.get(kind, ()))


def test_the_default_policy_accepts_and_says_what_it_left_open(
    shared: Path, kind: str
) -> None:
    case, claims = verified(shared / "evidence", kind)
    policy = HardwarePolicy.default("me", (kind,))
    found = appraise_hardware(claims, policy, case.bound, References(now=case.time))
    assert found.findings == ()
    assert any(each.startswith(f"{kind}.measurements: ") for each in found.unchecked)


def test_a_rule_on_every_claim_holds_until_the_claim_differs(
    shared: Path, kind: str
) -> None:
    """Every scalar of every claim can be ruled, inner evidence by its own kind."""
    case, claims = verified(shared / "evidence", kind)
    policy = HardwarePolicy.default("me", (kind,))
    rules = tuple(_rules(claims))
    exact = replace(policy, rules=rules)
    found = appraise_hardware(claims, exact, case.bound, References(now=case.time))
    assert found.findings == ()
    assert len(found.decisions) >= len(rules) > 0
    wrong = replace(
        policy, rules=tuple(replace(each, check="none_of") for each in rules)
    )
    refused = appraise_hardware(claims, wrong, case.bound, References(now=case.time))
    assert {each.rule.split(".")[-1] for each in refused.findings} == {
        each.id for each in rules
    }


def _rules(claims: HardwareClaims) -> list[ClaimRule]:
    found: list[ClaimRule] = []
    first = {each.kind: each for each in reversed(list(everything(claims)))}
    for kind, each in first.items():
        for path, value in flat(tree(each)).items():
            ruled = path.split(".")[0] not in ("kind", "debug") and value != ""
            if ruled and isinstance(value, str | int) and find(each, path) == value:
                found.append(
                    ClaimRule(
                        id=f"r{len(found)}",
                        kinds=(kind,),
                        claim=path,
                        check="is",
                        values=(value,),
                    )
                )
    return found
