# SPDX-License-Identifier: Apache-2.0
"""Facts, claims and who may make them; registers and their replay."""

import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import strongroom
from strongroom.core.crypto import suite
from strongroom.core.rats import (
    LOCKS,
    REGISTERS,
    AppClaims,
    AppFacts,
    Endorsements,
    Event,
    Evidence,
    PlatformClaims,
    PlatformFacts,
    Register,
)
from strongroom.core.rats.claims import Proof, vouch
from strongroom.core.rats.eat import Label
from strongroom.core.rats.registers import MAX_EVENTS, initial_value, replay
from strongroom.errors import Malformed

SUITES = ("sm", "intl")


def platform_facts(suite_id: str = "intl") -> PlatformFacts:
    row = suite(suite_id)
    key = row.signing_key(b"\x01" * row.sign_seed_bytes).public
    registers = tuple(
        Register(index, name, initial_value(suite_id), ())
        for index, name in enumerate(REGISTERS)
    )
    return PlatformFacts(
        kind="simulated",
        suite_id=suite_id,
        device_id=b"d" * 32,
        firmware_svn=1,
        boot_count=1,
        debug=False,
        registers=registers,
        monitor_key=key,
        nonce=b"n" * 16,
        issued_at=1000,
        locks=("secret-memory",),
    )


def app_facts(suite_id: str = "intl") -> AppFacts:
    size = suite(suite_id).digest_bytes
    return AppFacts(
        enclave_id=b"e" * 16,
        measurement=b"m" * size,
        signer=b"s" * 32,
        product="app",
        svn=1,
        suite_id=suite_id,
        memory_bytes=1 << 20,
        threads=1,
        processes=0,
        debug=False,
        permissions=("storage:x",),
        locks=LOCKS,
        config=b"c" * size,
        nonce=b"n" * 16,
        user_data=b"",
        issued_at=1000,
    )


def test_only_a_proof_makes_claims() -> None:
    facts = platform_facts()
    claims = PlatformClaims.of(facts, vouch())
    own = {f.name for f in fields(claims)} - {f.name for f in fields(facts)}
    assert own == {"hardware"}
    assert all(getattr(claims, f.name) == getattr(facts, f.name) for f in fields(facts))
    with pytest.raises(TypeError):
        PlatformClaims.of(facts, Proof())
    with pytest.raises(TypeError):
        AppClaims.of(app_facts(), Proof())


def test_claims_cannot_be_changed_or_replaced() -> None:
    claims = PlatformClaims.of(platform_facts(), vouch())
    with pytest.raises(FrozenInstanceError):
        claims.debug = True  # type: ignore[misc]
    with pytest.raises((TypeError, ValueError)):
        replace(claims, debug=True)  # type: ignore[call-arg]


def test_only_verifiers_vouch() -> None:
    root = Path(strongroom.__file__).parent
    callers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"\bvouch\b", path.read_text("utf-8"))
    }
    verifiers = {
        name for name in callers if re.fullmatch(r"hardware/\w+/verify.py", name)
    }
    assert callers - verifiers == {
        "core/rats/claims.py",
        "core/rats/ear.py",
        "core/rats/proof.py",
        "services/attestation/appraise.py",
        "system/monitor/report.py",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"device_id": b"d" * 31},
        {"nonce": b"n" * 7},
        {"nonce": b"n" * 65},
        {"firmware_svn": -1},
        {"issued_at": 2**60},
        {"locks": ("secret-memory", "user-ns")},
        {"locks": ("secret-memory", "secret-memory")},
        {"locks": ("no such lock",)},
        {"suite_id": "sm"},
        {"suite_id": "none"},
    ],
)
def test_platform_facts_of_another_shape(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        replace(platform_facts(), **changes)  # type: ignore[arg-type]


def test_registers_are_named_once_and_in_order() -> None:
    facts = platform_facts()
    with pytest.raises(Malformed):
        replace(facts, registers=facts.registers[::-1])
    with pytest.raises(Malformed):
        replace(facts, registers=facts.registers[:1] * 2)
    assert replace(facts, registers=()).register("monitor") is None
    with pytest.raises(Malformed):
        Register(1, "firmware", b"", ())
    with pytest.raises(Malformed):
        Register(9, "other", b"", ())
    with pytest.raises(Malformed):
        Register(0, "firmware", b"", (Event("e", b""),) * (MAX_EVENTS + 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"enclave_id": b""},
        {"measurement": b"m"},
        {"config": b""},
        {"signer": b""},
        {"nonce": b""},
        {"user_data": b"u" * 65},
        {"svn": -1},
        {"issued_at": -1},
        {"locks": ("nothing",)},
        {"product": "p" * 300},
        {"permissions": ("p",) * 300},
        {"suite_id": "none"},
    ],
)
def test_app_facts_of_another_shape(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        replace(app_facts(), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("suite_id", SUITES)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.binary(max_size=8))))
def test_replay_tells_every_log_from_every_other(
    suite_id: str, rows: list[tuple[str, bytes]]
) -> None:
    row = suite(suite_id)
    events = [Event(name, row.digest(data)) for name, data in rows]
    value = replay(suite_id, events)
    assert len(value) == row.digest_bytes
    more = Event("more", row.digest(b""))
    assert replay(suite_id, [*events, more]) != value
    if events:
        first = events[0]
        renamed = [Event(first.name + "x", first.digest), *events[1:]]
        assert replay(suite_id, renamed) != value
    if events != events[::-1]:
        assert replay(suite_id, events[::-1]) != value


def test_events_have_a_name_and_a_digest_of_the_suite() -> None:
    with pytest.raises(Malformed):
        Event("", b"")
    with pytest.raises(Malformed):
        replay("intl", [Event("e", b"short")])


@given(st.binary(max_size=200))
def test_evidence_parser_is_total(data: bytes) -> None:
    try:
        Evidence.from_bytes(data)
    except Malformed:
        return
    pytest.fail("random bytes were taken for evidence")


def test_evidence_round_trip_and_truncation() -> None:
    evidence = Evidence(kind="simulated", platform=b"p" * 40, app=b"")
    data = evidence.to_bytes()
    assert Evidence.from_bytes(data) == evidence
    for length in range(len(data)):
        with pytest.raises(Malformed):
            Evidence.from_bytes(data[:length])
    with pytest.raises(Malformed):
        Evidence(kind="Not A Kind", platform=b"", app=b"")


def test_endorsements_name_keys_by_id() -> None:
    good = Endorsements(roots=(b"root",), revoked=(b"k" * 32,))
    assert Endorsements.from_bytes(good.to_bytes()) == good
    with pytest.raises(Malformed):
        Endorsements(roots=(), revoked=(b"short",))


def test_the_specification_shows_every_label() -> None:
    spec = Path(__file__).parents[3] / "docs/specs/evidence.md"
    text = spec.read_text("utf-8")
    for label in Label:
        assert re.search(rf"(^|\s|{{){label.value}: ", text, re.MULTILINE), label.name
