# SPDX-License-Identifier: Apache-2.0
"""A word that is compared byte by byte ends as one that is judged claim by claim."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec import cose
from strongroom.core.rats import LOCKS, Evidence
from strongroom.errors import StrongroomError
from strongroom.services.channel.verifying import AcceptedEnclave
from strongroom.system.monitor.known_report import KnownReport
from strongroom.system.monitor.report import TYPE, encode_app_evidence
from tests.services.channel.judging import appraisal
from tests.services.ra_world import NOW, World, signing_key

NONCE, DATA = bytes(range(32)), bytes(range(48))
_OTHER_ID = b"another enclave, of the same app"


def accepted(world: World) -> AcceptedEnclave:
    evidence = world.platform.evidence(b"certificate nonce", user_data=b"key")
    return appraisal(world).judge(evidence, b"certificate nonce", b"key")


def in_full(peer: AcceptedEnclave) -> AcceptedEnclave:
    """Return one that knows no word beforehand."""
    full = replace(peer)
    vars(full)["_known"] = None
    return full


def end(peer: AcceptedEnclave, word: bytes) -> tuple[type | None, list[str], str]:
    try:
        peer(word, NONCE, DATA)
    except StrongroomError as error:
        rules = [each.rule for each in error.findings]
        return type(error), rules, error.message
    return None, [], ""


def known(peer: AcceptedEnclave, world: World, word: bytes) -> bool:
    assert peer._known is not None
    return peer._known.verify(word, peer.platform, world.now, NONCE, DATA)


def test_a_word_with_other_nonce_data_and_time_is_known(world: World) -> None:
    peer = accepted(world)
    for nonce, data, time in ((NONCE, DATA, NOW), (NONCE, DATA, NOW + 299)):
        word = world.platform.app(nonce, user_data=data, issued_at=time)
        assert known(peer, world, word)
        assert end(peer, word) == (None, [], "")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"nonce": b"n" * 32}, "app.nonce"),
        ({"nonce": NONCE[:31]}, "app.nonce"),
        ({"user_data": b""}, "app.user_data"),
        ({"user_data": DATA[:-1] + b"x"}, "app.user_data"),
        ({"enclave_id": _OTHER_ID}, "channel.enclave"),
        ({"debug": True}, "app.debug"),
        ({"locks": LOCKS[:-1]}, "locks.secret-memory"),
        ({"config": "other"}, "app.config"),
        ({"measurement": "other"}, "app.measurement"),
        ({"issued_at": NOW + 301}, "evidence.time"),
    ],
)
def test_a_word_that_says_anything_else_ends_the_same(
    world: World, changes: dict[str, object], rule: str
) -> None:
    size = len(world.platform.facts.measurement)
    changed = {name: b"o" * size if v == "other" else v for name, v in changes.items()}
    word = world.platform.app(**{"nonce": NONCE, "user_data": DATA, **changed})  # type: ignore[arg-type]
    peer = accepted(world)
    assert end(peer, word) == end(in_full(peer), word)
    assert end(peer, word)[1] == [rule]


@pytest.mark.parametrize(
    "changes",
    [{"svn": 9}, {"memory_bytes": 1}, {"permissions": ("read",)}, {"issued_at": 3}],
)
def test_what_the_policy_leaves_open_may_differ(
    world: World, changes: dict[str, object]
) -> None:
    word = world.platform.app(NONCE, user_data=DATA, **changes)
    peer = accepted(world)
    assert not known(peer, world, word)
    assert end(peer, word) == end(in_full(peer), word) == (None, [], "")


def test_a_known_word_by_another_monitor(world: World) -> None:
    facts = replace(world.platform.facts, nonce=NONCE, user_data=DATA)
    word = encode_app_evidence(signing_key(world.suite_id, 8), facts)
    peer = accepted(world)
    assert end(peer, word) == end(in_full(peer), word)
    assert end(peer, word)[1] == ["app.signature"]


def test_a_known_word_of_another_type(world: World) -> None:
    payload = cose.Sign1.parse(world.platform.app(NONCE, user_data=DATA)).payload
    word = cose.sign1(world.platform.monitor, TYPE + "x", payload)
    peer = accepted(world)
    assert end(peer, word) == end(in_full(peer), word)
    assert end(peer, word)[1] == ["app.signature"]


def test_no_byte_of_a_known_word_may_be_altered(world: World) -> None:
    word, peer = world.platform.app(NONCE, user_data=DATA), accepted(world)
    full = in_full(peer)
    for position in range(len(word)):
        altered = bytearray(word)
        altered[position] ^= 1 << position % 8
        assert end(peer, bytes(altered))[0] is not None
        assert end(peer, bytes(altered))[:2] == end(full, bytes(altered))[:2]
    for length in range(0, len(word), 7):
        assert end(peer, word[:length])[:2] == end(full, word[:length])[:2]


@given(time=st.integers(0, NOW + 300))
def test_a_word_of_any_time(world: World, time: int) -> None:
    word = world.platform.app(NONCE, user_data=DATA, issued_at=time)
    peer = accepted(world)
    assert known(peer, world, word) == (time >= 1 << 16)
    assert end(peer, word) == (None, [], "")


@pytest.mark.parametrize("time", [0, 23, 24, 256, (1 << 16) - 1, 1 << 16])
def test_an_app_that_was_accepted_at_any_time(world: World, time: int) -> None:
    report = KnownReport(replace(world.platform.facts, issued_at=time, user_data=b""))
    word = world.platform.app(NONCE, user_data=DATA)
    assert report.verify(word, accepted(world).platform, NOW, NONCE, DATA)


def test_a_platform_that_has_grown_old(world: World) -> None:
    word = world.platform.app(NONCE, user_data=DATA)
    peer = replace(accepted(world), clock=lambda: NOW + 3601)
    assert known(peer, world, word)
    assert end(peer, word)[1] == ["platform.age"]
    assert end(peer, word) == end(in_full(peer), word)


def test_no_word_is_known_of_an_app_that_the_policy_does_not_accept(
    world: World,
) -> None:
    peer = accepted(world)
    strict = replace(peer.policy, min_firmware_svn=9)
    other = AcceptedEnclave(peer.platform, peer.app, strict, peer.clock)
    assert other._known is None
    word = world.platform.app(NONCE, user_data=DATA)
    assert end(other, word)[1] == ["platform.firmware"]


def test_a_platform_of_another_suite_knows_no_word(world: World) -> None:
    peer = accepted(world)
    report = KnownReport(replace(world.platform.facts))
    other = "sm" if world.suite_id == "intl" else "intl"

    class Elsewhere:
        monitor_key, suite_id = world.platform.monitor.public, other

    word = world.platform.app(NONCE, user_data=DATA)
    assert report.verify(word, peer.platform, NOW, NONCE, DATA)
    assert not report.verify(word, Elsewhere(), NOW, NONCE, DATA)


def test_evidence_is_not_a_word(world: World) -> None:
    whole = Evidence("simulated", world.platform.platform(NONCE), b"").to_bytes()
    peer = accepted(world)
    assert end(peer, whole) == end(in_full(peer), whole)
