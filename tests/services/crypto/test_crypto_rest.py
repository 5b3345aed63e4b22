# SPDX-License-Identifier: Apache-2.0
"""A keyring at rest: survives a restart, shows nothing, and cannot be rolled back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import (
    LimitReached,
    Malformed,
    Refused,
    Stale,
    StrongroomError,
    Tampered,
)
from strongroom.services import crypto
from strongroom.services.crypto import KeyRing, KeySpec, Policy, shelf
from strongroom.services.crypto.snapshot import Keyring
from tests.services.crypto.ring_world import NOW, MakeRing


def restore(
    data: bytes, root: SecretBuffer, counter: int, policy: Policy | None = None
) -> KeyRing:
    """Return the ring of an export."""
    return KeyRing.restore(
        data, root, policy or Policy("sm"), counter=counter, clock=lambda: NOW
    )


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_every_key_survives_a_restart(
    make_ring: MakeRing, root: SecretBuffer, suite_id: str
) -> None:
    ring = make_ring(suite_id)
    handles = [
        ring.generate(crypto.ALGORITHMS[name].purposes[0], name, name)
        for name in ring.policy.allowed
    ]
    ring.rotate(handles[0])
    ring.derive(KeySpec("derive", handles_kdf(suite_id), "derived"), salt=b"salt")
    sealed = crypto.encrypt(ring, handles[0], b"data", b"bound")
    gone = ring.generate("encrypt", ring.policy.allowed[0], "gone")
    ring.shred(gone)
    with restore(ring.export(1), root, 1, Policy(suite_id)) as again:
        assert again.inventory() == ring.inventory()
        assert crypto.decrypt(again, handles[0], sealed, b"bound") == b"data"
        for info in ring.inventory():
            for version in info.versions:
                assert held(ring, info.id, version.number) == held(
                    again, info.id, version.number
                )
        with pytest.raises(Refused, match="shredded"):
            crypto.encrypt(again, gone, b"data")


def handles_kdf(suite_id: str) -> str:
    """Return the KDF of a suite."""
    return "hkdf-sm3" if suite_id == "sm" else "hkdf-sha384"


def held(ring: KeyRing, handle: bytes, number: int) -> bytes:
    """Return a key's bytes, which only a test can."""
    with ring.lend(handle, ring.info(handle).spec.purpose, number) as lent:
        return bytes(lent.key)


def test_an_empty_ring_rests_too(ring: KeyRing, root: SecretBuffer) -> None:
    with restore(ring.export(0), root, 0) as again:
        assert again.inventory() == ()


def test_the_message_count_survives(ring: KeyRing, root: SecretBuffer) -> None:
    handle = ring.generate("encrypt", "sm4-gcm", "k")
    crypto.encrypt(ring, handle, b"")
    with restore(ring.export(1), root, 1) as again:
        crypto.encrypt(again, handle, b"")
        assert again.info(handle).newest.messages == 2


def test_an_older_keyring_is_refused_and_so_is_one_from_the_future(
    ring: KeyRing, root: SecretBuffer
) -> None:
    handle = ring.generate("mac", "hmac-sm3", "k")
    older = ring.export(6)
    ring.shred(handle)
    assert ring.export(7) != ring.export(7)
    for counter, data in ((7, older), (5, older)):
        with pytest.raises(Stale) as caught:
            restore(data, root, counter)
        finding = caught.value.findings[0]
        assert finding.rule == "crypto.keyring-counter"
        assert str(counter) in finding.expected
        assert "counter 6" in finding.got


def test_the_counter_in_a_keyring_cannot_be_rewritten(
    ring: KeyRing, root: SecretBuffer
) -> None:
    older = Keyring.from_bytes(ring.export(6))
    with pytest.raises(Tampered):
        restore(replace(older, counter=7).to_bytes(), root, 7)


def test_no_changed_byte_goes_unnoticed(ring: KeyRing, root: SecretBuffer) -> None:
    ring.generate("mac", "hmac-sm3", "k")
    data = ring.export(1)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises((Malformed, Tampered)):
            restore(bytes(changed), root, 1)
    for length in range(0, len(data), 7):
        with pytest.raises(Malformed):
            restore(data[:length], root, 1)


def test_parts_of_two_keyrings_do_not_mix(ring: KeyRing, root: SecretBuffer) -> None:
    ring.generate("mac", "hmac-sm3", "k")
    one, two = (Keyring.from_bytes(ring.export(1)) for _ in range(2))
    for mixed in (
        replace(one, secrets=two.secrets),
        replace(one, state=two.state),
        replace(one, salt=two.salt),
        replace(one, secrets=one.secrets[:-1]),
        replace(one, secrets=b""),
    ):
        with pytest.raises(Tampered):
            restore(mixed.to_bytes(), root, 1)


def test_another_root_opens_nothing(ring: KeyRing) -> None:
    with SecretBuffer(32) as other:
        other.fill_random()
        with pytest.raises(Tampered):
            restore(ring.export(1), other, 1)


def test_a_keyring_is_of_one_suite(ring: KeyRing, root: SecretBuffer) -> None:
    with pytest.raises(Refused) as caught:
        restore(ring.export(1), root, 1, Policy("intl"))
    assert caught.value.findings[0].rule == "crypto.keyring-suite"


def test_a_keyring_shows_neither_keys_nor_labels(ring: KeyRing) -> None:
    handle = ring.generate("mac", "hmac-sm3", "merger with acme")
    data = ring.export(1)
    assert b"merger" not in data
    assert held(ring, handle, 1) not in data
    assert handle.hex().encode() not in data


def test_a_stricter_policy_stops_older_keys(
    make_ring: MakeRing, root: SecretBuffer
) -> None:
    ring = make_ring("sm", {"ed25519": "for a while"})
    handle = ring.generate("sign", "ed25519", "k")
    with restore(ring.export(1), root, 1) as again, pytest.raises(Refused) as caught:
        crypto.sign(again, handle, b"message")
    assert caught.value.findings[0].rule == "crypto.algorithm"


def test_a_keyring_with_more_keys_than_a_ring_takes(
    ring: KeyRing, root: SecretBuffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        ring.generate("mac", "hmac-sm3", "k")
    data = ring.export(1)
    monkeypatch.setattr(shelf, "MAX_SECRETS", 2)
    with pytest.raises(LimitReached):
        restore(data, root, 1)


@pytest.mark.parametrize("counter", [-1, 2**63])
def test_counters_that_no_device_has(
    ring: KeyRing, root: SecretBuffer, counter: int
) -> None:
    with pytest.raises(Malformed, match="counter"):
        ring.export(counter)
    with pytest.raises(Malformed, match="counter"):
        restore(ring.export(1), root, counter)


@settings(max_examples=50)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused(root: SecretBuffer, data: bytes) -> None:
    with pytest.raises(StrongroomError):
        restore(data, root, 1)
