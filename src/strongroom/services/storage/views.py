# SPDX-License-Identifier: Apache-2.0
"""Snapshots, which read one state, and transactions, which make the next one."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from strongroom.core.crypto import Buffer
from strongroom.errors import Conflict, Malformed, NotFound
from strongroom.services.storage.nodes import MAX_KEY_BYTES
from strongroom.services.storage.objects import Ref
from strongroom.services.storage.place import BLOCK
from strongroom.services.storage.refusals import CHANGED
from strongroom.services.storage.state import State


class Snapshot:
    """One state of a storage, which stays readable as it is until this is closed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._root = state.pin()
        self._open = True

    def length(self, key: bytes) -> int | None:
        """Return how many bytes a block has, or None if there is none.

        Raises:
            Tampered, Stale: the store did not give what was written.
        """
        ref = self._find(key)
        return None if ref is None else ref.length

    def version(self, key: bytes) -> int:
        """Return the state that a block was written for; a later one has a higher.

        Raises:
            NotFound: there is none.
            Tampered, Stale: the store did not give what was written.
        """
        return self._require(key).version

    def read(self, key: bytes) -> bytes:
        """Return a block.

        Raises:
            NotFound: there is none.
            Tampered, Stale: the store did not give what was written.
        """
        return self._state.box.get(BLOCK, key, self._require(key))

    def read_into(self, key: bytes, out: bytearray | memoryview) -> None:
        """Write a block into `out`, which has exactly its length.

        Raises:
            NotFound: there is none.
            Malformed: `out` has another length.
            Tampered, Stale: the store did not give what was written.
        """
        self._state.box.get_into(BLOCK, key, self._require(key), out)

    def read_start(self, key: bytes, out: memoryview) -> int:
        """Write a block into the start of `out`; return its length, 0 if there is none.

        Raises:
            Malformed: `out` is shorter than the block.
            Tampered, Stale: the store did not give what was written.
        """
        ref = self._find(key)
        if ref is None:
            return 0
        if ref.length > len(out):
            message = f"a block of {ref.length} bytes is over the {len(out)} expected"
            raise Malformed(message)
        self._state.box.get_into(BLOCK, key, ref, out[: ref.length])
        return ref.length

    def keys(self, prefix: bytes = b"") -> Iterator[bytes]:
        """Yield the keys that begin with `prefix`, in order.

        Raises:
            Tampered, Stale: the store did not give what was written.
        """
        stop = prefix + b"\xff" * (MAX_KEY_BYTES + 1 - len(prefix))
        with self._state.lock:
            self._require_open()
            found = [key for key, _ in self._state.tree.items(self._root, prefix, stop)]
        yield from found

    def close(self) -> None:
        """Let go of the state; closing twice is harmless."""
        if self._open:
            self._open = False
            self._state.unpin()

    def _find(self, key: bytes) -> Ref | None:
        with self._state.lock:
            self._require_open()
            return self._state.tree.find(self._root, key)

    def _require(self, key: bytes) -> Ref:
        ref = self._find(key)
        if ref is None:
            message = "there is no such block"
            raise NotFound(message)
        return ref

    def _require_open(self) -> None:
        if not self._open:
            message = "this view of the storage is closed"
            raise Conflict(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Transaction(Snapshot):
    """Any number of writes that come to count together, or not at all.

    It reads the state in which it began, and its own writes. Leaving it as a context
    commits, unless by an error. Blocks go to the store at once, so a transaction may
    be larger than memory.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._changes: dict[bytes, Ref | None] = {}

    def write(self, key: bytes, data: Buffer) -> None:
        """Write a block (IF-6).

        Raises:
            Malformed: `key` is empty or over `MAX_KEY_BYTES`.
            LimitReached: `data` is over `MAX_OBJECT_BYTES`.
            Conflict: the transaction has ended.
        """
        if not 0 < len(key) <= MAX_KEY_BYTES:
            message = f"a block id is 1 to {MAX_KEY_BYTES} bytes, not {len(key)}"
            raise Malformed(message)
        state = self._state
        with state.lock:
            if not self._open:
                self._require_open()
            ref = state.box.put(BLOCK, key, state.counter + 1, data)
            self._change(key, ref)

    def delete(self, key: bytes) -> None:
        """Delete a block; one that is not there is passed over.

        Raises:
            Conflict: the transaction has ended.
        """
        with self._state.lock:
            self._require_open()
            self._change(key, None)

    def keys(self, prefix: bytes = b"") -> Iterator[bytes]:
        """Yield the keys that begin with `prefix`, in order."""
        found = set(super().keys(prefix))
        for key, ref in self._changes.items():
            if key.startswith(prefix):
                (found.discard if ref is None else found.add)(key)
        yield from sorted(found)

    def commit(self) -> None:
        """Make the writes count; they are durable on return.

        Raises:
            Conflict: see `State.commit`. After storage.changed, and only then, the
                writes are known not to count.
        """
        self._require_open()
        changes, self._changes = self._changes, {}
        written = [ref for ref in changes.values() if ref is not None]
        try:
            self._state.commit(self._root, changes)
        except Conflict as error:
            if error.findings and error.findings[0].rule == CHANGED:
                self._state.drop(written)
            raise
        finally:
            super().close()

    def close(self) -> None:
        """End without a commit; what was written is deleted."""
        written = [ref for ref in self._changes.values() if ref is not None]
        self._changes = {}
        if written:
            self._state.drop(written)
        super().close()

    def _change(self, key: bytes, ref: Ref | None) -> None:
        old = self._changes.get(key)
        self._changes[key] = ref
        if old is not None:
            self._state.drop([old])

    def _find(self, key: bytes) -> Ref | None:
        with self._state.lock:
            self._require_open()
            if key in self._changes:
                return self._changes[key]
        return super()._find(key)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._open:
            self.commit()
        else:
            self.close()
