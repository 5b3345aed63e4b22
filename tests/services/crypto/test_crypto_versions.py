# SPDX-License-Identifier: Apache-2.0
"""Rotation and shredding: old versions serve on, shredded ones never again."""

import pytest

from strongroom.errors import Conflict, LimitReached, NotFound, Refused
from strongroom.services import crypto
from strongroom.services.crypto import KeyRing, shelf
from tests.services.crypto.ring_world import ENVELOPE, MakeRing, first_of, uses


def test_old_versions_still_decrypt_and_verify(ring: KeyRing) -> None:
    cipher = ring.generate("encrypt", "sm4-gcm", "c")
    signer = ring.generate("sign", "sm2-sm3", "s")
    maccer = ring.generate("mac", "hmac-sm3", "m")
    made = []
    for number in range(1, 4):
        assert ring.info(cipher).newest.number == number
        made.append(
            (
                crypto.encrypt(ring, cipher, b"data"),
                crypto.sign(ring, signer, b"data"),
                crypto.mac(ring, maccer, b"data"),
            )
        )
        for handle in (cipher, signer, maccer):
            assert ring.rotate(handle) == number + 1
    for number, (ciphertext, signature, tag) in enumerate(made, 1):
        assert crypto.Ciphertext.from_bytes(ciphertext).version == number
        assert crypto.decrypt(ring, cipher, ciphertext) == b"data"
        assert crypto.verify(ring, signer, b"data", signature).version == number
        crypto.verify_mac(ring, maccer, b"data", tag)
    newest = crypto.encrypt(ring, cipher, b"data")
    assert crypto.Ciphertext.from_bytes(newest).version == 4
    assert len({each.public for each in ring.info(signer).versions}) == 4


def test_a_version_that_is_not_there(ring: KeyRing) -> None:
    handle = ring.generate("sign", "sm2-sm3", "s")
    with pytest.raises(NotFound, match="no version 2"):
        ring.public(handle, 2)


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_envelopes_open_after_rotation(make_ring: MakeRing, suite_id: str) -> None:
    ring = make_ring(suite_id)
    handle = ring.generate("encrypt", ENVELOPE[suite_id], "e")
    box = crypto.seal_envelope(ring, ring.public(handle), b"data", b"info")
    ring.rotate(handle)
    assert crypto.open_envelope(ring, handle, box, b"info") == b"data"
    ring.shred(handle, 1)
    with pytest.raises(Refused):
        crypto.open_envelope(ring, handle, box, b"info")


def test_a_shredded_key_is_refused_as_shredded(ring: KeyRing) -> None:
    for purpose, use in uses("sm").items():
        handle = ring.generate(purpose, first_of("sm", purpose), "gone")
        ring.shred(handle)
        for operation in (use, KeyRing.rotate, KeyRing.shred):
            with pytest.raises(Refused) as caught:
                operation(ring, handle)
            assert caught.value.findings[0].rule == "crypto.shredded"
        info = ring.info(handle)
        assert info.shredded
        assert all(each.shredded for each in info.versions)
        assert info not in ring.inventory()


def test_shredding_wipes_the_bytes(ring: KeyRing) -> None:
    handle = ring.generate("encrypt", "sm4-gcm", "k")
    with ring.lend(handle, "encrypt") as lent:
        window = lent.key[:]
        assert any(window)
    ring.shred(handle)
    assert bytes(window) == bytes(16)


def test_closing_wipes_every_key(ring: KeyRing) -> None:
    windows = []
    for label in ("a", "b"):
        with ring.lend(ring.generate("mac", "hmac-sm3", label), "mac") as lent:
            windows.append(lent.key[:])
    ring.close()
    assert [bytes(window) for window in windows] == [bytes(32)] * 2
    assert ring.inventory() == ()


def test_one_old_version_can_go_alone(ring: KeyRing) -> None:
    handle = ring.generate("encrypt", "sm4-gcm", "k")
    old = crypto.encrypt(ring, handle, b"old")
    with pytest.raises(Conflict):
        ring.shred(handle, 1)
    ring.rotate(handle)
    new = crypto.encrypt(ring, handle, b"new")
    ring.shred(handle, 1)
    assert crypto.decrypt(ring, handle, new) == b"new"
    for attempt in (
        lambda: crypto.decrypt(ring, handle, old),
        lambda: ring.shred(handle, 1),
    ):
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.findings[0].rule == "crypto.shredded"
        assert "version 1" in caught.value.findings[0].got


def test_the_oldest_of_very_many_shredded_keys_are_forgotten(
    ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MAX_SHREDDED", 2)
    gone = [ring.generate("mac", "hmac-sm3", "k") for _ in range(3)]
    for handle in gone:
        ring.shred(handle)
    with pytest.raises(NotFound):
        ring.info(gone[0])
    assert ring.info(gone[1]).shredded


def test_a_full_ring_takes_no_more_and_says_so(
    ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MAX_SECRETS", 2)
    first = ring.generate("mac", "hmac-sm3", "k")
    ring.rotate(first)
    for attempt in (
        lambda: ring.generate("mac", "hmac-sm3", "k"),
        lambda: ring.rotate(first),
    ):
        with pytest.raises(LimitReached, match="2 keys"):
            attempt()
    assert len(ring.info(first).versions) == 2
    ring.shred(first)
    ring.generate("mac", "hmac-sm3", "k")
