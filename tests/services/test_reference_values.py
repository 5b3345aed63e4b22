# SPDX-License-Identifier: Apache-2.0
"""Reference values: who approved them, from when until when, and how they end."""

from dataclasses import replace

import pytest

from strongroom.core.codec.keys import PublicKey
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.core.rats.reference_values import (
    ReferenceValueSet,
    SignedReferences,
    Withdrawal,
    add,
    open_references,
    sign_references,
    supersede,
    withdraw,
)
from strongroom.errors import Conflict, Malformed, NotFound, Untrusted
from strongroom.services.attestation.hardware_rules import hardware_findings
from strongroom.services.attestation.reference_rules import References
from tests.services.hardware_claims import (
    DAY,
    NEW,
    NONCE,
    NOW,
    OLD,
    OTHER,
    claims,
    key,
    policy,
    rule,
    rules_broken,
    signed,
    value,
    values,
)

WANTED = policy(
    rule("measurements.mr_td", "reference", "payroll"),
    reference_signers=(key().public.key_id,),
    not_checked=(),
)
BROKEN = ["tdx.measurement.it"]


def broken(*sets: SignedReferences, now: int = NOW, td: str = OLD) -> list[str]:
    measured = claims(measurements={"mr_td": bytes.fromhex(td)})
    return rules_broken(measured, WANTED, References(sets, now))


def told(
    *sets: SignedReferences, now: int = NOW, wanted: HardwarePolicy = WANTED
) -> str:
    """Return what the one finding says was got."""
    (finding,) = hardware_findings(claims(), wanted, NONCE, References(sets, now))
    return finding.got


def test_a_value_counts_while_it_is_valid() -> None:
    held = signed(values(value(valid_from=NOW, valid_until=NOW + DAY)))
    assert broken(held) == []
    assert broken(held, now=NOW + DAY - 1) == []
    assert broken(held, now=NOW - 1) == BROKEN
    assert broken(held, now=NOW + DAY) == BROKEN
    assert broken(held, td=NEW) == BROKEN


def test_without_values_or_a_time_nothing_passes() -> None:
    assert broken() == BROKEN
    measured = claims()
    held = (signed(values(value())),)
    assert rules_broken(measured, WANTED, References(held)) == BROKEN
    other = value(name="other"), value(NEW, claim="measurements.rtmr.0")
    assert broken(signed(values(*other))) == BROKEN


def test_a_value_is_for_its_kinds() -> None:
    assert broken(signed(values(value(kinds=("sgx",))))) == BROKEN
    assert broken(signed(values(value(kinds=("sgx", "tdx"))))) == []


def test_numbers_are_no_text() -> None:
    wanted = policy(
        rule("svns.tee_tcb_svn", "reference", "svn"),
        reference_signers=WANTED.reference_signers,
    )
    for number, holds in ((5, True), (6, False), ("05", False)):
        held = signed(values(value(name="svn", claim="svns.tee_tcb_svn", value=number)))
        found = rules_broken(claims(), wanted, References((held,), NOW))
        assert (found == []) == holds


def test_old_and_new_side_by_side_during_an_upgrade() -> None:
    first = values(value(OLD))
    second = supersede(first, value(NEW, valid_from=NOW), NOW + DAY, NOW)
    held = signed(second)
    assert second.version == 2
    assert broken(held, td=OLD) == broken(held, td=NEW) == []
    assert broken(held, td=OLD, now=NOW + DAY) == BROKEN
    assert broken(held, td=NEW, now=NOW + DAY) == []
    text = told(held, now=NOW + DAY)
    assert "expired at" in text
    assert "release board" in text


def test_superseding_lengthens_no_life() -> None:
    ends = value(OLD, valid_until=NOW + 10)
    gone = value(
        OTHER, withdrawn=Withdrawal(by=key().public.key_id, at=NOW, reason="bad")
    )
    made = supersede(values(ends, gone), value(NEW), NOW + DAY, NOW)
    assert [each.valid_until for each in made.values] == [NOW + 10, None, None]
    with pytest.raises(NotFound):
        supersede(values(ends), value(NEW, name="unheard-of"), NOW + DAY, NOW)
    with pytest.raises(NotFound):
        supersede(values(ends), value(NEW, kinds=("sgx",)), NOW + DAY, NOW)
    with pytest.raises(Conflict, match="begins after"):
        supersede(values(value(valid_from=NOW + 2 * DAY)), value(NEW), NOW + DAY, NOW)
    with pytest.raises(Conflict, match="already"):
        supersede(values(value(OLD)), value(OLD), NOW + DAY, NOW)


def test_a_withdrawal_takes_effect_at_once_and_says_why() -> None:
    first = values(value(OLD), value(NEW, artefact="payroll 1.1"))
    second = withdraw(first, "payroll", OLD, "CVE-2026-1", NOW)
    held = signed(second)
    assert broken(held, td=NEW) == []
    assert broken(held) == broken(held, now=NOW - 1) == BROKEN
    text = told(held)
    for part in ("withdrawn at 20", "release board", "CVE-2026-1", "payroll 1.0"):
        assert part in text
    (finding,) = hardware_findings(claims(), WANTED, NONCE, References((held,), NOW))
    assert NEW in finding.expected, "what is valid instead"
    assert "payroll 1.1" in finding.expected


def test_what_one_set_withdrew_no_other_brings_back() -> None:
    other = key(2)
    wanted = replace(
        WANTED, reference_signers=(key().public.key_id, other.public.key_id)
    )
    gone = signed(withdraw(values(value()), "payroll", None, "bad", NOW))
    there = signed(values(value(by=other), by=other), other)
    for sets in ((gone, there), (there, gone)):
        found = rules_broken(claims(), wanted, References(sets, NOW))
        assert found == BROKEN
    assert rules_broken(claims(), wanted, References((there,), NOW)) == []


def test_withdrawn_is_for_good() -> None:
    gone = withdraw(values(value()), "payroll", OLD, "bad", NOW)
    with pytest.raises(Conflict, match="withdrawn"):
        add(gone, value(valid_from=NOW), NOW)
    with pytest.raises(NotFound):
        withdraw(gone, "payroll", OLD, "again", NOW)
    with pytest.raises(NotFound):
        withdraw(values(value()), "payroll", NEW, "bad", NOW)


def test_only_signers_of_the_policy_count_and_only_from_a_version_on() -> None:
    other = key(2)
    strange = signed(values(value(by=other), by=other), other)
    assert broken(strange) == BROKEN
    assert other.public.key_id.hex()[:16] in told(strange)
    assert key().public.key_id.hex()[:16] in told(strange)
    newer = replace(WANTED, min_reference_version=2)
    first = values(value())
    old, new = signed(first), signed(add(first, value(NEW), NOW))
    assert "version 1" in told(old, wanted=newer)
    assert rules_broken(claims(), newer, References((new,), NOW)) == []


def test_versions_are_chained() -> None:
    first = values(value())
    second = add(first, value(NEW), NOW + 1)
    third = withdraw(second, "payroll", None, "all", NOW)
    assert [each.version for each in (first, second, third)] == [1, 2, 3]
    assert first.previous == b""
    assert len({second.previous, third.previous}) == 2
    assert third.issued_at == NOW + 1, "time does not go back"
    assert all(each.withdrawn for each in third.values)
    superseded = supersede(first, value(NEW), NOW + DAY, NOW)
    assert superseded.previous == second.previous, "what was signed before"


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_a_signed_set_is_read_back(suite_id: str) -> None:
    mine = key(1, suite_id)
    made = values(value(by=mine), by=mine)
    data = sign_references(mine, made)
    found = open_references(data)
    assert (found.values, found.signer) == (made, mine.public.key_id)
    with pytest.raises(Untrusted):
        open_references(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Malformed):
        open_references(data + b"\0")
    with pytest.raises(Malformed):
        sign_references(key(2, suite_id), made)


def test_a_set_names_another_signer_in_vain() -> None:
    """Signed by one key, with the name of another that a policy counts."""
    mine, thief = key(1), key(2)
    data = sign_references(thief, values(value(by=thief), by=thief))
    good = sign_references(mine, values(value()))
    assert open_references(data).signer == thief.public.key_id
    with pytest.raises(Untrusted):
        open_references(good[:-64] + data[-64:])


def test_who_approves_signs() -> None:
    with pytest.raises(Malformed, match="signs the set"):
        values(value(by=key(2)))
    gone = Withdrawal(by=key(2).public.key_id, at=NOW, reason="bad")
    with pytest.raises(Malformed, match="signs the set"):
        values(value(withdrawn=gone))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Payroll VM"},
        {"claim": ""},
        {"value": "AA"},
        {"provider": ""},
        {"approved_by": b"short"},
        {"valid_until": NOW - DAY},
        {"valid_from": -1},
        {"valid_until": 2**50},
    ],
)
def test_a_value_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        value(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": ""},
        {"version": 0},
        {"version": 2},
        {"previous": b"x"},
        {"values": (value(), value())},
    ],
)
def test_a_set_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        replace(values(value()), **changes)  # type: ignore[arg-type]


def test_a_withdrawal_that_cannot_be() -> None:
    good = Withdrawal(by=bytes(32), at=NOW, reason="bad")
    for changes in ({"by": b""}, {"at": -1}, {"reason": " "}):
        with pytest.raises(Malformed):
            replace(good, **changes)


def test_true_and_one_are_two_values() -> None:
    held = ReferenceValueSet(
        owner="x",
        signer=PublicKey.of(key().public),
        version=1,
        previous=b"",
        issued_at=NOW,
        values=(value(value=True), value(value=1)),
    )
    assert len(held.values) == 2
