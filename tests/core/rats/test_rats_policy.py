# SPDX-License-Identifier: Apache-2.0
"""Policies say everything: what is not checked is written down with its reason."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from strongroom.core.rats import (
    HARDWARE_KINDS,
    LOCKS,
    REGISTERS,
    AppraisalPolicy,
    AppRule,
    ReferenceValues,
    not_checked,
    not_checked_bytes,
)
from strongroom.core.rats.policy import why_not_checked
from strongroom.errors import Malformed

RULE = AppRule.measured(b"m" * 48, config=b"c" * 48)


def policy() -> AppraisalPolicy:
    return AppraisalPolicy(
        owner="hospital",
        registers=dict.fromkeys(REGISTERS, (b"v" * 48,)),
        locks=LOCKS,
        max_platform_age_s=3600,
        min_firmware_svn=1,
        apps=(RULE,),
    )


def test_default_kinds_exclude_the_simulated_one() -> None:
    assert policy().kinds == HARDWARE_KINDS
    assert "simulated" not in HARDWARE_KINDS


def test_round_trip() -> None:
    assert AppraisalPolicy.from_bytes(policy().to_bytes()) == policy()
    values = ReferenceValues("vendor", "intl", {"monitor": (b"v",)})
    assert ReferenceValues.from_bytes(values.to_bytes()) == values


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": ""},
        {"kinds": ()},
        {"registers": {}},
        {"registers": dict.fromkeys(REGISTERS, ())},
        {"registers": {**dict.fromkeys(REGISTERS, (b"v",)), "other": (b"v",)}},
        {"locks": ()},
        {"locks": ("unknown",)},
        {"max_platform_age_s": 0},
        {"min_firmware_svn": -1},
    ],
)
def test_nothing_is_left_open_by_leaving_it_out(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        replace(policy(), **changes)  # type: ignore[arg-type]


def test_what_is_open_is_listed_with_its_reason() -> None:
    assert policy().unchecked == ()
    registers = {**policy().registers, "template": (not_checked_bytes("own image"),)}
    rule = AppRule.signed(b"s" * 32, "app", 3, config=not_checked_bytes("no secrets"))
    opened = replace(
        policy(),
        registers=registers,
        locks=(not_checked("old kernel"),),
        apps=(RULE, rule),
    )
    assert opened.unchecked == (
        "register.template: own image",
        "locks: old kernel",
        "app.config of rule 1: no secrets",
    )


def test_a_reason_is_needed() -> None:
    with pytest.raises(Malformed):
        not_checked(" ")
    with pytest.raises(Malformed):
        not_checked_bytes("")


@given(st.binary(max_size=48))
def test_no_digest_is_taken_for_not_checked(value: bytes) -> None:
    assert why_not_checked(value) is None or value.startswith(b"not checked: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"measurement": b""},
        {"signer": b""},
        {"product": ""},
        {"config": b""},
        {"min_svn": -1},
        {"measurement": not_checked_bytes("whatever runs")},
    ],
)
def test_an_app_rule_names_an_app(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        replace(RULE, **changes)  # type: ignore[arg-type]
