# SPDX-License-Identifier: Apache-2.0
"""A ring that is kept: every change is saved before whoever made it is answered."""

from typing import TYPE_CHECKING

import pytest

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import LimitReached, NotFound, Refused, Unavailable
from strongroom.services import crypto
from strongroom.services.crypto import KeyRing, Policy, ciphers, shelf
from tests.services.crypto.ring_world import NOW, MakeRing

if TYPE_CHECKING:
    from collections.abc import Callable


class Place:
    """Keeps the newest export; it can be full."""

    def __init__(self) -> None:
        self.saved: list[bytes] = []
        self.is_full = False

    def save(self, export: bytes) -> None:
        """Keep an export."""
        if self.is_full:
            message = "the disk is full"
            raise Unavailable(message)
        self.saved.append(export)

    def again(self, root: SecretBuffer) -> KeyRing:
        """Return the ring after a restart."""
        newest = self.saved[-1]
        ring = KeyRing.restore(
            newest,
            root,
            Policy("sm"),
            counter=crypto.counter_of(newest),
            clock=lambda: NOW,
        )
        ring.keep(self.save)
        return ring


@pytest.fixture
def place() -> Place:
    """Return an empty place."""
    return Place()


@pytest.fixture
def kept(ring: KeyRing, place: Place) -> KeyRing:
    """Return an empty ring that is kept."""
    ring.keep(place.save)
    return ring


def test_a_key_outlives_a_crash_right_after_it_was_made(
    kept: KeyRing, place: Place, root: SecretBuffer
) -> None:
    handle = kept.generate("encrypt", "sm4-gcm", "k")
    sealed = crypto.encrypt(kept, handle, b"data")
    with place.again(root) as again:
        assert crypto.decrypt(again, handle, sealed) == b"data"
        again.rotate(handle)
        newer = crypto.encrypt(again, handle, b"more")
    with place.again(root) as again:
        assert crypto.decrypt(again, handle, newer) == b"more"
        again.shred(handle, 1)
    with place.again(root) as again:
        with pytest.raises(Refused, match="shredded"):
            crypto.decrypt(again, handle, sealed)
        again.shred(handle)
    with place.again(root) as again, pytest.raises(Refused, match="shredded"):
        crypto.decrypt(again, handle, newer)


def test_each_saving_has_a_higher_counter(
    kept: KeyRing, place: Place, root: SecretBuffer
) -> None:
    kept.generate("mac", "hmac-sm3", "k")
    kept.derive(crypto.KeySpec("mac", "hmac-sm3", "k"))
    with place.again(root) as again:
        again.generate("mac", "hmac-sm3", "k")
    counters = [crypto.counter_of(each) for each in place.saved]
    assert counters == [1, 2, 3]


def test_a_key_that_could_not_be_saved_is_not_made(kept: KeyRing, place: Place) -> None:
    handle = kept.generate("encrypt", "sm4-gcm", "k")
    before = kept.inventory()
    place.is_full = True
    changes: tuple[Callable[[], object], ...] = (
        lambda: kept.generate("mac", "hmac-sm3", "k"),
        lambda: kept.derive(crypto.KeySpec("mac", "hmac-sm3", "k")),
        lambda: kept.rotate(handle),
    )
    for change in changes:
        with pytest.raises(Unavailable):
            change()
        assert kept.inventory() == before
    place.is_full = False
    assert kept.rotate(handle) == 2


def test_a_key_is_wiped_even_where_that_cannot_be_saved(
    kept: KeyRing, place: Place
) -> None:
    handle = kept.generate("encrypt", "sm4-gcm", "k")
    place.is_full = True
    with pytest.raises(Unavailable):
        kept.shred(handle)
    with pytest.raises(Refused, match="shredded"):
        crypto.encrypt(kept, handle, b"data")


@pytest.mark.parametrize("version", [None, 1])
def test_a_shredding_that_could_not_be_saved_is_done_by_asking_again(
    kept: KeyRing, place: Place, root: SecretBuffer, version: int | None
) -> None:
    handle = kept.generate("encrypt", "sm4-gcm", "k")
    sealed = crypto.encrypt(kept, handle, b"data")
    kept.rotate(handle)
    place.is_full = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            kept.shred(handle, version)
    place.is_full = False
    kept.shred(handle, version)
    with pytest.raises(Refused, match="shredded"):
        kept.shred(handle, version)
    with place.again(root) as again, pytest.raises(Refused, match="shredded"):
        crypto.decrypt(again, handle, sealed)


def test_after_a_crash_a_key_has_encrypted_at_least_what_it_had(
    kept: KeyRing, place: Place, root: SecretBuffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "COUNTED_AT_ONCE", 4)
    monkeypatch.setattr(ciphers, "MAX_MESSAGES", 8)
    handle = kept.generate("encrypt", "sm4-gcm", "k")
    for _ in range(5):
        crypto.encrypt(kept, handle, b"data")
    with place.again(root) as again:
        assert again.info(handle).newest.messages == 8
        with pytest.raises(LimitReached, match="rotate"):
            crypto.encrypt(again, handle, b"data")


def test_crash_after_crash_a_key_encrypts_no_more_than_its_limit(
    kept: KeyRing, place: Place, root: SecretBuffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "COUNTED_AT_ONCE", 4)
    monkeypatch.setattr(ciphers, "MAX_MESSAGES", 16)
    handle = kept.generate("encrypt", "sm4-gcm", "k")
    messages = 0
    with pytest.raises(LimitReached):  # noqa: PT012 - each life is a short one
        while messages <= 16:
            with place.again(root) as again:
                for _ in range(3):
                    crypto.encrypt(again, handle, b"data")
                    messages += 1
    assert 0 < messages <= 16


def test_a_message_that_could_not_be_counted_is_not_encrypted(
    kept: KeyRing, place: Place
) -> None:
    handle = kept.generate("encrypt", "sm4-gcm", "k")
    place.is_full = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            crypto.encrypt(kept, handle, b"data")
    assert kept.info(handle).newest.messages == 0
    place.is_full = False
    crypto.encrypt(kept, handle, b"data")
    assert kept.info(handle).newest.messages == 1


def test_keeping_begins_when_it_is_asked_for(make_ring: MakeRing, place: Place) -> None:
    ring = make_ring()
    ring.generate("mac", "hmac-sm3", "before")
    assert place.saved == []
    ring.keep(place.save)
    with pytest.raises(NotFound):
        ring.shred(bytes(16))
    assert place.saved == []
