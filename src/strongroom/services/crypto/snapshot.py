# SPDX-License-Identifier: Apache-2.0
"""A keyring at rest: authenticated, encrypted, and of one counter (KM-1).

    Keyring { suite, counter, salt, state, secrets }       deterministic CBOR

`state` is what is known of the keys, `secrets` their bytes in the same order, each
under the AEAD of the suite. The key is derived from the app root key, a fresh salt
and the counter, and seals these two only, with the nonces 0 and 1. Everything before
`state` is bound to it, and `state` to `secrets`.

Rollback is detected by the counter, which the caller keeps where it cannot be set
back (a device's monotonic counter): export under the next value, make that durable,
then increment. Older keyrings still hold what has been shredded since, under a key
that the same root gives: the counter alone keeps them shut.
"""

from dataclasses import dataclass
from typing import ClassVar

from strongroom.core.codec import cbor
from strongroom.core.codec.record import Record
from strongroom.core.crypto import Aead, SecretBuffer, suite
from strongroom.core.crypto.aead import NONCE_BYTES, TAG_BYTES, tampered
from strongroom.errors import Malformed
from strongroom.services.crypto import refusals
from strongroom.services.crypto.algorithms import algorithm
from strongroom.services.crypto.derivation import KEYRING_SALT_BYTES, keyring_key
from strongroom.services.crypto.policy import Policy
from strongroom.services.crypto.records import Handle, KeyInfo
from strongroom.services.crypto.shelf import Shelf

ROOT_BYTES = 32
MAX_COUNTER = 2**63 - 1

_STATE_NONCE = bytes(NONCE_BYTES)
_SECRETS_NONCE = (1).to_bytes(NONCE_BYTES, "big")


@dataclass(frozen=True)
class Keyring(Record):
    """The bytes that a ring rests in."""

    TYPE: ClassVar[str] = "strongroom/keyring/v1"

    suite: str
    counter: int
    salt: bytes
    state: bytes
    secrets: bytes

    def __post_init__(self) -> None:
        """Refuse what no ring wrote."""
        suite(self.suite)
        check_counter(self.counter)
        if len(self.salt) != KEYRING_SALT_BYTES:
            message = "a keyring's salt has another length"
            raise Malformed(message)

    @property
    def bound(self) -> bytes:
        """What is authenticated besides the state."""
        return cbor.encode([self.TYPE, self.suite, self.counter, self.salt])


@dataclass(frozen=True)
class State(Record):
    """Everything of a ring but its keys' bytes."""

    TYPE: ClassVar[str] = "strongroom/keyring-state/v1"

    keys: tuple[KeyInfo, ...]
    shredded: tuple[KeyInfo, ...]

    @property
    def places(self) -> tuple[tuple[Handle, int, int], ...]:
        """Id, version and length of every key's bytes, in their order."""
        return tuple(
            (info.id, version.number, algorithm(info.spec.algorithm).key_bytes)
            for info in self.keys
            for version in info.versions
            if not version.shredded
        )

    @property
    def secret_bytes(self) -> int:
        """How long all keys are together."""
        return sum(length for _, _, length in self.places)


class RestingShelf(Shelf):
    """A shelf that can be put to rest and taken up again.

    Args:
        policy: what keys there may be.
        root: the app root key, 32 bytes, which the caller keeps and closes.

    Raises:
        Malformed: the root is not 32 bytes.
    """

    def __init__(self, policy: Policy, root: SecretBuffer) -> None:
        if len(root) != ROOT_BYTES:
            message = f"the app root key is {len(root)} bytes, not {ROOT_BYTES}"
            raise Malformed(message)
        super().__init__(policy)
        self._root = root

    def rest(self, counter: int, salt: bytes) -> bytes:
        """Return the `Keyring` of all keys as they stand.

        Args:
            counter: of this state and no other.
            salt: 32 fresh random bytes.

        Raises:
            Malformed: the counter is none, or the salt has another length.
        """
        blank = Keyring(self.policy.suite, counter, salt, b"", b"")
        with self._lock:
            state = State(self.inventory(), tuple(self._shredded.values()))
            aead = self._aead(blank)
            sealed = aead.encrypt(_STATE_NONCE, state.to_bytes(), blank.bound)
            total = state.secret_bytes
            secrets = bytearray(total + TAG_BYTES)
            with SecretBuffer(max(1, total)) as all_of_them:
                at = 0
                for identity, number, length in state.places:
                    key = self._secrets[identity, number].view
                    all_of_them.view[at : at + length] = key
                    at += length
                aead.encrypt_into(
                    _SECRETS_NONCE, all_of_them.view[:total], sealed, secrets
                )
        return Keyring(blank.suite, counter, salt, sealed, bytes(secrets)).to_bytes()

    def _take_up(self, data: bytes, counter: int) -> None:
        """Fill this empty shelf with a `Keyring`; raises as `KeyRing.restore`."""
        check_counter(counter)
        ring = Keyring.from_bytes(data)
        if ring.suite != self.policy.suite:
            raise refusals.other_suite(self.policy.suite, ring.suite)
        aead = self._aead(ring)
        state = State.from_bytes(aead.decrypt(_STATE_NONCE, ring.state, ring.bound))
        total = state.secret_bytes
        if len(ring.secrets) != total + TAG_BYTES:
            raise tampered()
        with SecretBuffer(max(1, total)) as all_of_them:
            aead.decrypt_into(
                _SECRETS_NONCE, ring.secrets, ring.state, all_of_them.view[:total]
            )
            if ring.counter != counter:
                raise refusals.wrong_counter(counter, ring.counter)
            self._fill(state, all_of_them.view)

    def _fill(self, state: State, secrets: memoryview) -> None:
        infos = {info.id: info for info in state.keys}
        self._shredded.update({info.id: info for info in state.shredded})
        self._keys.update(infos)
        for info in state.keys:
            for version in info.versions:
                self._messages[info.id, version.number] = version.messages
        at = 0
        for identity, number, length in state.places:
            key = SecretBuffer(length)
            key.view[:] = secrets[at : at + length]
            self._put(infos[identity], number, key)
            at += length

    def _aead(self, ring: Keyring) -> Aead:
        row = suite(ring.suite)
        with keyring_key(
            row.hashing, self._root.view, ring.salt, ring.counter, row.aead_key_bytes
        ) as key:
            return row.aead(key.view)


def counter_of(data: bytes) -> int:
    """Return the counter that a keyring says it is of, before anything is checked.

    Raises:
        Malformed: not a keyring.
    """
    return Keyring.from_bytes(data).counter


def check_counter(counter: int) -> None:
    """Refuse a counter that no device has.

    Raises:
        Malformed: negative, or over 2^63 - 1.
    """
    if not 0 <= counter <= MAX_COUNTER:
        message = f"a keyring's counter is 0 to {MAX_COUNTER}"
        raise Malformed(message)
