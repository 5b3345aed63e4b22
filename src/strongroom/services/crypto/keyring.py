# SPDX-License-Identifier: Apache-2.0
"""The ring of keys: made inside, named by handles, one purpose each (KM-1 to KM-3).

Keys are random, derived, agreed on, or, where the policy allows it, taken from
outside and marked so. Nothing here gives a key's bytes away.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, Self

from strongroom.core.crypto import SecretBuffer, suite
from strongroom.errors import Conflict, Malformed
from strongroom.hardware.parts.rng import Generator
from strongroom.services.crypto import refusals
from strongroom.services.crypto.derivation import KEYRING_SALT_BYTES, derive_key, made
from strongroom.services.crypto.kinds import Algorithm, Kdf
from strongroom.services.crypto.policy import Policy
from strongroom.services.crypto.records import (
    HANDLE_BYTES,
    ROOT,
    Handle,
    KeyInfo,
    KeySpec,
    KeyVersion,
    Origin,
    Purpose,
    Source,
)
from strongroom.services.crypto.shelf import version_of
from strongroom.services.crypto.snapshot import RestingShelf

MAX_SALT_BYTES = 1024


class Entropy(Protocol):
    """A random generator, such as a device's (C-RNG)."""

    def bytes(self, n: int) -> bytes:
        """Return `n` random bytes."""

    def fill(self, secret: SecretBuffer) -> None:
        """Fill `secret` with random bytes that nobody else sees."""


class KeyRing(RestingShelf):
    """The keys of one app; safe to share between threads.

    Args:
        root: the app root key, 32 bytes, which the caller keeps and closes.
        policy: what keys there may be.
        clock: returns Unix seconds; it only says when a key was made.
        entropy: the kernel's generator under health tests unless the device has one.

    Raises:
        Malformed: the root is not 32 bytes.
    """

    def __init__(
        self,
        root: SecretBuffer,
        policy: Policy,
        *,
        clock: Callable[[], int],
        entropy: Entropy | None = None,
    ) -> None:
        super().__init__(policy, root)
        self.entropy: Entropy = entropy or Generator()
        self._clock = clock
        self._counter = 0
        self._unsaved: set[tuple[Handle, int | None]] = set()

    @classmethod
    def restore(
        cls,
        data: bytes,
        root: SecretBuffer,
        policy: Policy,
        *,
        counter: int,
        clock: Callable[[], int],
        entropy: Entropy | None = None,
    ) -> Self:
        """Return the ring that `export` wrote under `counter`.

        Args:
            data: what `export` returned.
            root: the same app root key.
            policy: what keys there may be now; others stay, and are refused.
            counter: the value that the newest keyring was exported under.
            clock: as for a new ring.
            entropy: as for a new ring.

        Raises:
            Malformed: not a keyring.
            Refused: it is of another suite.
            Tampered: altered, or of another root.
            Stale: it is of another counter, so not the newest.
            LimitReached: it has more keys than a ring may have.
        """
        ring = cls(root, policy, clock=clock, entropy=entropy)
        try:
            ring._take_up(data, counter)
            ring._counter = counter
        except BaseException:
            ring.close()
            raise
        return ring

    def export(self, counter: int) -> bytes:
        """Return this ring as it rests (snapshot.py); `restore` is the inverse.

        Args:
            counter: higher than that of every earlier export, or the older ones
                could be put back unnoticed.

        Raises:
            Malformed: the counter is none.
        """
        return self.rest(counter, self.entropy.bytes(KEYRING_SALT_BYTES))

    def keep(self, save: Callable[[bytes], None]) -> None:
        """Have every change saved from now on, before whoever made it is answered.

        A key that could not be saved is not made. Numbers of messages are rounded up
        to what the last saving stands for (`count_message`).

        Args:
            save: takes an export and returns once it is durable. The place must give
                the newest one back and nothing else; the counter in it only counts.
        """
        self._round_up_counts()

        def changed() -> None:
            self._counter += 1
            save(self.export(self._counter))

        self._changed = changed

    def generate(
        self, purpose: Purpose, algorithm: str, label: str, *, extractable: bool = False
    ) -> Handle:
        """Make a key of random bytes (IF-9).

        Raises:
            Malformed: no such algorithm, or a label that is none.
            Refused: the policy does not allow it, or it does not serve the purpose.
            LimitReached: the ring is full.
        """
        spec = KeySpec(purpose, algorithm, label, extractable)
        row = self.policy.require(spec)
        key, handle = self._random_key(row)
        return self._new(spec, row, key, "generated", handle=handle)

    def derive(self, spec: KeySpec, source: Handle = ROOT, salt: bytes = b"") -> Handle:
        """Make a key from the app root key, or from a key that is there to derive.

        The same root, salt and spec give the same key, here and after a restart;
        one that was shredded here is not derived again.

        Raises:
            Malformed: no such algorithm, or a salt that is too long.
            Refused: the policy does not allow it, or `source` is not to derive from.
            LimitReached: the ring is full.
        """
        if len(salt) > MAX_SALT_BYTES:
            message = f"a salt is at most {MAX_SALT_BYTES} bytes"
            raise Malformed(message)
        row = self.policy.require(spec)
        with self._lock:
            version = 1 if source == ROOT else self.info(source).newest.number
            origin = Source(source, version, salt)
            self._require_not_shredded(spec, origin, 1)
            key = self._derived_key(spec, row, origin, 1)
            return self._new(spec, row, key, "derived", origin)

    def adopt(self, spec: KeySpec, key: SecretBuffer) -> Handle:
        """Take a key from outside, marked as imported; closes `key` (KM-2).

        Raises:
            Malformed: the bytes are not a key of the algorithm.
            Refused: the policy allows no keys from outside, or not this one.
            LimitReached: the ring is full.
        """
        with key:
            self.policy.require_imports(spec.label)
            row = self.policy.require(spec)
            if len(key) != row.key_bytes:
                message = f"a key of {row.name} is {row.key_bytes} bytes"
                raise Malformed(message)
            copy = SecretBuffer(row.key_bytes)
            copy.view[:] = key.view
            return self._new(spec, row, copy, "imported")

    def agreed(self, spec: KeySpec, key: SecretBuffer) -> Handle:
        """Take a key that was agreed on in here; only agreement.py calls this."""
        return self._new(spec, self.policy.require(spec), key, "derived")

    def rotate(self, handle: Handle) -> int:
        """Make the next version of a key and return its number.

        New operations use it; the old versions still decrypt and verify. A derived
        key is derived again, from the same source and salt; any other is generated.

        Raises:
            NotFound: no such key.
            Refused: it is shredded, or was agreed on with somebody else; or the next
                version was shredded under another handle of the same derivation.
            LimitReached: the ring is full.
        """
        with self._lock:
            info = self._present(handle)
            row = self.policy.require(info.spec)
            last, number = info.newest, info.newest.number + 1
            origin: Origin = "generated"
            if last.source is not None:
                self._require_not_shredded(info.spec, last.source, number)
                key = self._derived_key(info.spec, row, last.source, number)
                origin = "derived"
            elif last.origin == "derived":
                raise refusals.no_rotation(info, "which was agreed on with a peer")
            else:
                key, _ = self._random_key(row)
            version = self._version(number, row, key, origin, last.source)
            versions = (*info.versions, version)
            self._add(replace(info, versions=versions), number, key)
            return number

    def shred(self, handle: Handle, version: int | None = None) -> None:
        """Wipe a key, or one old version of it, for good.

        Where a ring is kept and that could not be saved, the bytes are gone from here
        and not from the place: ask again until it is saved.

        Raises:
            NotFound: no such key or version.
            Refused: it is shredded already.
            Conflict: `version` is the one in use.
        """
        with self._lock:
            if (handle, version) not in self._unsaved:
                self._shred(self._present(handle), version)
            self._unsaved.add((handle, version))
            self._changed()
            self._unsaved.remove((handle, version))

    def _shred(self, info: KeyInfo, version: int | None) -> None:
        if version is None:
            gone = self._wipe(info, {each.number for each in info.versions})
            self._remember(replace(gone, shredded=True))
            return
        chosen = version_of(info, version)
        if chosen.shredded:
            raise refusals.shredded(info, version)
        if chosen is info.newest:
            message = "the version in use is not shredded alone: rotate first"
            raise Conflict(message)
        self._keys[info.id] = self._wipe(info, {version})

    def _require_not_shredded(self, spec: KeySpec, source: Source, number: int) -> None:
        for info in (*self._keys.values(), *self._shredded.values()):
            for version in info.versions if info.spec == spec else ():
                same = version.number == number and version.source == source
                if same and version.shredded:
                    raise refusals.shredded(info, number)

    def _random_key(self, row: Algorithm) -> tuple[SecretBuffer, Handle]:
        """Draw a key and a handle for it, at once: a device may be far away."""
        with SecretBuffer(row.draw_bytes + HANDLE_BYTES) as drawn:
            self.entropy.fill(drawn)
            handle = bytes(drawn.view[row.draw_bytes :])
            return made(row, drawn.view[: row.draw_bytes]), handle

    def _derived_key(
        self, spec: KeySpec, row: Algorithm, source: Source, number: int
    ) -> SecretBuffer:
        if source.key == ROOT:
            hashing = suite(self.policy.suite).hashing
            return derive_key(hashing, self._root.view, source.salt, spec, number, row)
        with self.lend(source.key, "derive", source.version) as lent:
            if not isinstance(lent.row, Kdf):
                raise refusals.wrong_algorithm(lent.info, "a key to derive from")
            return derive_key(
                lent.row.hashing, lent.key, source.salt, spec, number, row
            )

    def _new(
        self,
        spec: KeySpec,
        row: Algorithm,
        key: SecretBuffer,
        origin: Origin,
        source: Source | None = None,
        *,
        handle: Handle = b"",
    ) -> Handle:
        version = self._version(1, row, key, origin, source)
        handle = handle or self.entropy.bytes(HANDLE_BYTES)
        info = KeyInfo(handle, spec, (version,))
        with self._lock:
            self._add(info, version.number, key)
        return info.id

    def _version(
        self,
        number: int,
        row: Algorithm,
        key: SecretBuffer,
        origin: Origin,
        source: Source | None,
    ) -> KeyVersion:
        try:
            public = row.public(key.view)
        except BaseException:
            key.close()
            raise
        return KeyVersion(number, self._clock(), origin, public, source=source)
