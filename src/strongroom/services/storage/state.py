# SPDX-License-Identifier: Apache-2.0
"""The state of an open storage: which tree counts, and how another comes to count.

A new state is written beside the old one, made durable, and counts from the moment
that the device's counter moves on. What only the old one needed goes afterwards.
"""

import threading
from collections.abc import Callable, Iterable

from strongroom.errors import Conflict, StrongroomError
from strongroom.services.storage import refusals
from strongroom.services.storage.head import FOLDER, Head
from strongroom.services.storage.objects import Box, Ref
from strongroom.services.storage.owner import Owner
from strongroom.services.storage.tree import Changes, Tree

_TRIES = 8


class State:
    """What all snapshots and transactions of one opening share.

    Attributes:
        lock: held by whoever uses the tree or changes the state.
        box, tree: the objects and the tree over them.
    """

    def __init__(
        self, box: Box, owner: Owner, head: Head, random: Callable[[int], bytes]
    ) -> None:
        self.lock = threading.RLock()
        self.box, self.tree = box, Tree(box)
        self._owner, self._head, self._random = owner, head, random
        self._readers = 0
        self._old_heads = self._heads()
        self._unusable: Callable[[], Conflict] | None = None

    @property
    def counter(self) -> int:
        """The number of the state that counts."""
        return self._head.counter

    def pin(self) -> Ref | None:
        """Return the root, whose objects all stay until `unpin` is called.

        Raises:
            Conflict: not the owner any more, or of unknown state.
        """
        with self.lock:
            self._require_usable()
            self._owner.check()
            self._readers += 1
            return self._head.root

    def unpin(self) -> None:
        """Let go of a root."""
        with self.lock:
            self._readers -= 1
            if self._unusable is None:
                self.collect()

    def commit(self, base: Ref | None, changes: Changes) -> None:
        """Make a state with these changes count.

        Args:
            base: the root that the changes were made from.
            changes: keys and the blocks that they refer to from now on.

        Raises:
            Conflict: one of the keys was changed since `base` (storage.changed),
                the storage was opened by another (storage.superseded), or a commit
                before ended in an error (storage.unknown).
            Tampered, Stale: the store did not give what was written.
        """
        with self.lock:
            self._require_usable()
            self._owner.check()
            root = self._head.root
            if root != base:
                self._require_unchanged(base, changes)
            new, dead = self.tree.update(root, changes, self.counter + 1)
            if new != root:
                self.advance(new, dead)
                self.collect()

    def advance(self, root: Ref | None, dead: Iterable[Ref]) -> None:
        """Make `root` count; `dead` is what only older states need.

        An increment that a paused and superseded owner got in between costs another
        round, since no head is bound to the number that it took.
        """
        forget = (*self._head.forget, *dead)
        number = self.counter
        self._unusable = refusals.broken
        try:
            for _ in range(_TRIES):
                head = Head(number + 1, root, forget)
                name = self.box.prefix + head.name
                self.box.store.put(name, head.seal(self.box.keys, self._random))
                self.box.store.sync()
                number = self._owner.next_state()
                if number == head.counter:
                    self._old_heads.add(self.box.prefix + self._head.name)
                    self._old_heads.discard(name)
                    self._head, self._unusable = head, None
                    return
                self._old_heads.add(name)
        except Conflict as error:
            if error.findings and error.findings[0].rule == refusals.SUPERSEDED:
                self._unusable = refusals.superseded
            raise
        raise refusals.broken()

    def collect(self) -> None:
        """Delete what no state and no reader needs; what fails is tried again later."""
        forget = self._head.forget
        if self._readers or not (forget or self._old_heads):
            return
        try:
            self.box.delete(list(forget))
            self.box.store.delete(sorted(self._old_heads))
        except StrongroomError:
            return
        self._head = Head(self.counter, self._head.root, ())
        self._old_heads = set()

    def drop(self, refs: list[Ref]) -> None:
        """Delete what was written and never came to count, as far as that works."""
        try:
            self.box.delete(refs)
        except StrongroomError:
            return

    def sweep(self) -> int:
        """Delete every object of the place that no state needs; return how many.

        Raises:
            Conflict: somebody reads or writes, or this is not the owner any more.
            Tampered, Stale: the store did not give what was written.
        """
        with self.lock:
            if self._readers:
                message = "a sweep needs a storage that nobody reads or writes"
                raise Conflict(message)
            root, prefix, store = self.pin(), self.box.prefix, self.box.store
            try:
                used = {prefix + ref.name for ref in self.tree.objects(root)}
            finally:
                self.unpin()
            heads = prefix + FOLDER
            lost = [
                name
                for name in store.names(prefix)
                if name not in used and not name.startswith(heads)
            ]
            store.delete(lost)
        return len(lost)

    def close(self) -> None:
        """End: nothing works afterwards."""
        with self.lock:
            self._unusable = refusals.closed
            self.box.keys.close()

    def _heads(self) -> set[str]:
        """Return the names of the heads in the store, as far as it tells."""
        inside = self.box.prefix + FOLDER
        return {
            name for name in self.box.store.names(inside) if name.startswith(inside)
        }

    def _require_usable(self) -> None:
        if self._unusable is not None:
            raise self._unusable()

    def _require_unchanged(self, base: Ref | None, changes: Changes) -> None:
        for key in changes:
            if self.tree.find(base, key) != self.tree.find(self._head.root, key):
                raise refusals.changed("a block")
