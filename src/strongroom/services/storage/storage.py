# SPDX-License-Identifier: Apache-2.0
"""Opening a storage, and the two functions of the standard's interface (IF-6, IF-7)."""

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from strongroom.core.crypto import Buffer, SecretBuffer
from strongroom.core.rats.stores import BlockStore, MonotonicCounters
from strongroom.errors import Malformed, NotFound, Refused
from strongroom.services.storage import refusals
from strongroom.services.storage.head import FOLDER, Head, head_name
from strongroom.services.storage.objects import Box
from strongroom.services.storage.owner import Owner
from strongroom.services.storage.place import Keys, Place
from strongroom.services.storage.state import State
from strongroom.services.storage.views import Snapshot, Transaction

MAX_ID_BYTES = 1024
_BLOCKS = b"b/"
_HEADS_SHOWN = 16


class Storage:
    """Blocks of one place in a store that is not trusted (STOR).

    Whoever opens a storage is its owner until it is opened again. Safe to share
    between threads.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @classmethod
    def open(
        cls,
        store: BlockStore,
        counters: MonotonicCounters,
        key: SecretBuffer,
        place: Place,
        *,
        create: bool = False,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Self:
        """Open the storage of `place`, as its only owner from now on.

        1. Read the number of the state that counts, and its head record: what is
           refused here leaves the owner alone.
        2. Take a turn: every opening before this one ends. Read the number again, see
           that the turn has not ended meanwhile, and read the head again.
        3. Write the same state twice more, as two new states; so whatever the owner
           before wrote for the next one can never count.
        4. Delete what it wrote for that.

        Args:
            store: where the ciphertext lies.
            counters: the app's monotonic counters; two are used.
            key: the app's sealing key, 32 bytes; the caller's again on return.
            place: suite, application, owner and namespace.
            create: whether to begin an empty storage where none ever was.
            random: returns n random bytes, for nonces.

        Raises:
            NotFound: none was ever made, and `create` is not given.
            Stale: the store is older than the counter (storage.rollback), or the
                counter than the store (storage.counter).
            Untrusted: the store is another's (storage.key, storage.owner).
            Tampered: the head record was altered (storage.head).
            Conflict: another opening came in between.
        """
        keys = Keys(key, place)
        try:
            box = Box(keys, store, random)
            owner = Owner(counters, keys.place_id)
            _find_head(box, owner.state(), create=create)
            owner.begin()
            number = owner.state()
            owner.check()  # so nobody's turn began between taking ours and reading it
            head = _find_head(box, number, create=create)
            state = State(box, owner, head, random)
            for _ in range(2):
                state.advance(head.root, ())
            state.collect()
            _delete_leftovers(box, head.counter + 1)
        except BaseException:
            keys.close()
            raise
        return cls(state)

    def begin(self) -> Transaction:
        """Return a transaction: a context that commits, unless left by an error.

        Raises:
            Conflict: not the owner any more, or of unknown state.
        """
        return Transaction(self._state)

    def snapshot(self) -> Snapshot:
        """Return the state that counts now, to read from at leisure.

        Raises:
            Conflict: not the owner any more, or of unknown state.
        """
        return Snapshot(self._state)

    def write(self, block_id: str, data: Buffer) -> None:
        """Store a block (IF-6); it is durable on return.

        Raises:
            Malformed: not a block id.
            LimitReached: over 64 MiB.
            Conflict: not the owner any more, or of unknown state.
        """
        with self.begin() as transaction:
            transaction.write(block_key(block_id), data)

    def read(self, block_id: str) -> bytes:
        """Return a block (IF-7).

        Raises:
            NotFound: there is none.
            Tampered, Stale: the store did not give what was written.
            Conflict: not the owner any more, or of unknown state.
        """
        with self.snapshot() as snapshot:
            return snapshot.read(block_key(block_id))

    def delete(self, block_id: str) -> None:
        """Delete a block; one that is not there is passed over."""
        with self.begin() as transaction:
            transaction.delete(block_key(block_id))

    def ids(self) -> Iterator[str]:
        """Yield the ids of all blocks, in the order of their UTF-8."""
        with self.snapshot() as snapshot:
            found = [key[len(_BLOCKS) :].decode() for key in snapshot.keys(_BLOCKS)]
        yield from found

    def sweep(self) -> int:
        """Delete every object of this place that no state needs; return how many.

        Needed only after a crash in the middle of several transactions at once.

        Raises:
            Conflict: a snapshot, transaction or file is open.
            Tampered, Stale: the store did not give what was written.
        """
        return self._state.sweep()

    def close(self) -> None:
        """Wipe the keys; nothing works afterwards."""
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def block_key(block_id: str) -> bytes:
    """Return the key of a block in the tree.

    Raises:
        Malformed: the id is empty, over 1024 bytes of UTF-8, or not text.
    """
    try:
        ident = block_id.encode()
    except UnicodeEncodeError as error:
        message = "a block id is Unicode text"
        raise Malformed(message) from error
    if not 0 < len(ident) <= MAX_ID_BYTES:
        message = f"a block id is 1 to {MAX_ID_BYTES} bytes of UTF-8, not {len(ident)}"
        raise Malformed(message)
    return _BLOCKS + ident


def _find_head(box: Box, counter: int, *, create: bool) -> Head:
    """Return the head for `counter`, or the empty state where none ever was."""
    if counter:
        data = box.store.get(box.prefix + head_name(counter))
        if data is not None:
            head = Head.open(box.keys, data)
            if head.counter == counter:
                return head
    newest = _newest(box)
    if newest is not None and newest > counter + 1:
        raise refusals.counter_behind(counter, newest)
    if counter:
        raise refusals.rolled_back(counter, newest)
    if not create:
        message = "no such storage was ever made on this device"
        raise NotFound(message)
    return Head(0, None, ())


def _newest(box: Box) -> int | None:
    """Return the newest counter that any head in the store has, for the refusal."""
    newest = None
    names = box.store.names(box.prefix + FOLDER)
    for _, name in zip(range(_HEADS_SHOWN), names, strict=False):
        try:
            head = Head.open(box.keys, box.store.get(name) or b"")
        except (Refused, Malformed):
            continue
        newest = max(newest or 0, head.counter)
    return newest


def _delete_leftovers(box: Box, version: int) -> None:
    prefix = f"{box.prefix}{version:016x}-"
    box.store.delete([n for n in box.store.names(prefix) if n.startswith(prefix)])
