# SPDX-License-Identifier: Apache-2.0
"""Any life of a ring: what was encrypted opens until its version is shredded."""

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import Refused, Stale
from strongroom.services import crypto
from strongroom.services.crypto import Handle, KeyRing, Policy
from tests.services.crypto.ring_world import NOW

POLICY = Policy("sm")


class RingLife(RuleBasedStateMachine):
    """Makes, rotates, shreds, encrypts and restarts in any order."""

    alive = Bundle("alive")
    shredded = Bundle("shredded")
    texts = Bundle("texts")

    def __init__(self) -> None:
        super().__init__()
        self.root = SecretBuffer(32)
        self.root.fill_random()
        self.ring = KeyRing(self.root, POLICY, clock=lambda: NOW)
        self.gone: set[tuple[bytes, int]] = set()
        self.counter = 0

    def teardown(self) -> None:
        """Give the secret memory back."""
        self.ring.close()
        self.root.close()

    @rule(target=alive, label=st.text("ab", min_size=1, max_size=3))
    def make(self, label: str) -> Handle:
        return self.ring.generate("encrypt", "sm4-gcm", label)

    @rule(handle=alive)
    def rotate(self, handle: Handle) -> None:
        before = self.ring.info(handle).newest.number
        assert self.ring.rotate(handle) == before + 1

    @rule(target=texts, handle=alive, data=st.binary(), bound=st.binary())
    def encrypt(
        self, handle: Handle, data: bytes, bound: bytes
    ) -> tuple[Handle, bytes, bytes, bytes]:
        return handle, crypto.encrypt(self.ring, handle, data, bound), data, bound

    @rule(target=shredded, handle=consumes(alive))
    def shred(self, handle: Handle) -> Handle:
        info = self.ring.info(handle)
        self.gone |= {(info.id, version.number) for version in info.versions}
        self.ring.shred(handle)
        return handle

    @rule(handle=alive)
    def shred_the_oldest(self, handle: Handle) -> None:
        left = [each for each in self.ring.info(handle).versions if not each.shredded]
        if len(left) > 1:
            self.ring.shred(handle, left[0].number)
            self.gone.add((handle, left[0].number))

    @rule(ahead=st.integers(1, 3))
    def restart(self, ahead: int) -> None:
        older, before = self.counter, self.ring.inventory()
        self.counter += ahead
        data = self.ring.export(self.counter)
        self.ring.close()
        with pytest.raises(Stale):
            self._restored(data, older)
        self.ring = self._restored(data, self.counter)
        assert self.ring.inventory() == before

    @rule(text=texts)
    def open(self, text: tuple[Handle, bytes, bytes, bytes]) -> None:
        handle, sealed, data, bound = text
        version = crypto.Ciphertext.from_bytes(sealed).version
        if (handle, version) not in self.gone:
            assert crypto.decrypt(self.ring, handle, sealed, bound) == data
            return
        with pytest.raises(Refused) as caught:
            crypto.decrypt(self.ring, handle, sealed, bound)
        assert caught.value.findings[0].rule == "crypto.shredded"

    @rule(handle=shredded)
    def use_what_is_gone(self, handle: Handle) -> None:
        with pytest.raises(Refused) as caught:
            crypto.encrypt(self.ring, handle, b"")
        assert caught.value.findings[0].rule == "crypto.shredded"

    @invariant()
    def versions_count_up(self) -> None:
        for info in self.ring.inventory():
            numbers = [version.number for version in info.versions]
            assert numbers == [*range(1, len(numbers) + 1)]
            assert not info.newest.shredded

    def _restored(self, data: bytes, counter: int) -> KeyRing:
        return KeyRing.restore(
            data, self.root, POLICY, counter=counter, clock=lambda: NOW
        )


needs_secret_memory = pytest.mark.skipif(
    not SecretBuffer.supported(), reason="no memfd_secret here"
)
TestRingLife = needs_secret_memory(RingLife.TestCase)
TestRingLife.settings = settings(max_examples=20, stateful_step_count=25)
