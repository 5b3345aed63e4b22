# SPDX-License-Identifier: Apache-2.0
"""Where keys are kept: bytes in secret memory, the rest in records, found by handle.

A key is lent for one operation under the shelf's lock, so that nobody wipes it under
a library's hands. What is long (a bulk encryption) loads the key while it is lent and
works on when it is not.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import LimitReached, NotFound
from strongroom.services.crypto import refusals
from strongroom.services.crypto.kinds import Algorithm
from strongroom.services.crypto.policy import Policy
from strongroom.services.crypto.records import (
    Handle,
    KeyInfo,
    KeyVersion,
    PublicKey,
    Purpose,
)

MAX_SECRETS = 1024
"""Versions with bytes; each takes a page of locked memory."""
COUNTED_AT_ONCE = 1 << 16
"""Messages under a key between two notices that their number has changed."""
MAX_SHREDDED = 4096
"""Shredded keys that are remembered as such; older ones become unknown."""


class Lent(NamedTuple):
    """A key for the length of one operation.

    Attributes:
        info: what is known of it.
        version: the version that is lent.
        row: its algorithm.
        key: its bytes.
    """

    info: KeyInfo
    version: KeyVersion
    row: Algorithm
    key: memoryview


class Shelf:
    """The keys that are there, and the names of those that were.

    Attributes:
        policy: asked at every use, so that a stricter one also stops older keys.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._lock = threading.RLock()
        self._keys: dict[Handle, KeyInfo] = {}
        self._shredded: dict[Handle, KeyInfo] = {}
        self._secrets: dict[tuple[Handle, int], SecretBuffer] = {}
        self._messages: dict[tuple[Handle, int], int] = {}
        self._changed: Callable[[], None] = _nobody

    def info(self, handle: Handle) -> KeyInfo:
        """Return everything about a key but the key.

        Raises:
            NotFound: no such key.
        """
        with self._lock:
            return self._counted(self._find(handle))

    def inventory(self) -> tuple[KeyInfo, ...]:
        """Return the keys that are there, in the order they were made."""
        with self._lock:
            return tuple(map(self._counted, self._keys.values()))

    def public(self, handle: Handle, version: int | None = None) -> PublicKey:
        """Return the public half of a key, of its newest version unless told.

        Raises:
            NotFound: no such key or version.
            Refused: it has none, or is shredded.
        """
        info = self._present(handle)
        chosen = version_of(info, version)
        if not chosen.public:
            raise refusals.wrong_algorithm(info, "a key with a public half")
        return PublicKey(info.spec.algorithm, chosen.public)

    @contextmanager
    def lend(
        self, handle: Handle, purpose: Purpose, version: int | None = None
    ) -> Iterator[Lent]:
        """Lend a key for one operation; nobody shreds it meanwhile.

        Raises:
            NotFound: no such key or version.
            Refused: shredded, meant for something else, or not allowed any more.
        """
        with self._lock:
            info = self.usable(handle, purpose)
            row = self.policy.require(info.spec)
            chosen = version_of(info, version)
            if chosen.shredded:
                raise refusals.shredded(info, chosen.number)
            yield Lent(info, chosen, row, self._secrets[info.id, chosen.number].view)

    def usable(self, handle: Handle, purpose: Purpose) -> KeyInfo:
        """Return what is known of a key that is there for a purpose.

        Raises:
            NotFound: no such key.
            Refused: shredded, or meant for something else.
        """
        with self._lock:
            info = self._present(handle)
            if info.spec.purpose != purpose:
                raise refusals.wrong_purpose(info, purpose)
            return info

    def count_message(self, lent: Lent, limit: int) -> None:
        """Count one more message under a key.

        The first of every `COUNTED_AT_ONCE` is told of before it is encrypted: it
        stands for all of them, so that no crash makes the number smaller.

        Raises:
            LimitReached: it has had `limit`; rotate it.
        """
        name = lent.info.id, lent.version.number
        with self._lock:
            count = self._messages.get(name, 0) + 1
            if count > limit:
                message = f"{limit} messages under one key are the limit: rotate it"
                raise LimitReached(message)
            self._messages[name] = count
            if count % COUNTED_AT_ONCE == 1:
                try:
                    self._changed()
                except BaseException:
                    self._messages[name] = count - 1
                    raise

    def close(self) -> None:
        """Wipe every key; the shelf is empty afterwards."""
        with self._lock:
            for identity, number in list(self._secrets):
                self._drop(identity, number)
            self._keys.clear()
            self._shredded.clear()

    def _find(self, handle: Handle) -> KeyInfo:
        info = self._keys.get(handle) or self._shredded.get(handle)
        if info is None:
            raise NotFound(refusals.unknown(handle))
        return info

    def _present(self, handle: Handle) -> KeyInfo:
        info = self._find(handle)
        if info.shredded:
            raise refusals.shredded(info)
        return info

    def _add(self, info: KeyInfo, number: int, key: SecretBuffer) -> None:
        """Put a version and tell of it; as if it had never been where that fails."""
        before = self._keys.get(info.id)
        self._put(info, number, key)
        try:
            self._changed()
        except BaseException:
            self._drop(info.id, number)
            if before is None:
                del self._keys[info.id]
            else:
                self._keys[info.id] = before
            raise

    def _put(self, info: KeyInfo, number: int, key: SecretBuffer) -> None:
        """Keep a version's bytes; closes them where there is no room."""
        if len(self._secrets) >= MAX_SECRETS:
            key.close()
            message = f"the ring has {MAX_SECRETS} keys with their versions: shred some"
            raise LimitReached(message)
        self._keys[info.id] = info
        self._secrets[info.id, number] = key

    def _wipe(self, info: KeyInfo, numbers: set[int]) -> KeyInfo:
        """Wipe versions of a key and return what is known of it then."""
        for number in numbers:
            self._drop(info.id, number)
        versions = tuple(
            replace(each, shredded=True) if each.number in numbers else each
            for each in info.versions
        )
        return replace(info, versions=versions)

    def _remember(self, info: KeyInfo) -> None:
        """Remember a key as shredded, and forget the oldest where there are many."""
        self._keys.pop(info.id, None)
        self._shredded[info.id] = info
        while len(self._shredded) > MAX_SHREDDED:
            del self._shredded[next(iter(self._shredded))]

    def _round_up_counts(self) -> None:
        """Count what the last notice of a change stands for (`count_message`)."""
        with self._lock:
            for name, count in self._messages.items():
                notices = -(-count // COUNTED_AT_ONCE)
                self._messages[name] = notices * COUNTED_AT_ONCE

    def _drop(self, identity: Handle, number: int) -> None:
        secret = self._secrets.pop((identity, number), None)
        if secret is not None:
            secret.close()
        self._messages.pop((identity, number), None)

    def _counted(self, info: KeyInfo) -> KeyInfo:
        return replace(
            info,
            versions=tuple(
                replace(each, messages=self._messages.get((info.id, each.number), 0))
                for each in info.versions
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _nobody() -> None:
    """Tell nobody of a change."""


def version_of(info: KeyInfo, number: int | None) -> KeyVersion:
    """Return a version of a key, the newest where `number` is None.

    Raises:
        NotFound: it has no such version.
    """
    if number is None:
        return info.newest
    for version in info.versions:
        if version.number == number:
            return version
    name = f"{refusals.short(info.id)} ({info.spec.label})"
    message = f"key {name} has no version {number}"
    raise NotFound(message)
