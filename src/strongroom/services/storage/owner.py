# SPDX-License-Identifier: Apache-2.0
"""Who owns a storage, and which state of it counts: two monotonic counters.

`turns` counts openings: the value that an opening was given is its turn, and a later
one ends it. `states` counts states. docs/specs/storage.md shows why both are needed.
"""

from strongroom.core.rats.stores import MonotonicCounters
from strongroom.services.storage import refusals


class Owner:
    """One turn at a storage; there is none before `begin`."""

    def __init__(self, counters: MonotonicCounters, place_id: bytes) -> None:
        self._counters = counters
        self._turns = f"storage/{place_id.hex()}/turns"
        self._states = f"storage/{place_id.hex()}/states"
        self._turn = 0

    def begin(self) -> None:
        """Take a turn, which ends the one before."""
        self._turn = self._counters.increment(self._turns)

    def check(self) -> None:
        """See that the turn has not ended.

        Raises:
            Conflict: the storage was opened again since (storage.superseded).
        """
        if self._counters.counter(self._turns) != self._turn:
            raise refusals.superseded()

    def state(self) -> int:
        """Return the number of the state that counts."""
        return self._counters.counter(self._states)

    def next_state(self) -> int:
        """Let the next state count; return its number.

        Raises:
            Conflict: the turn has ended, before it or meanwhile. Nothing may be
                acknowledged then, whatever the number has become.
        """
        self.check()
        number = self._counters.increment(self._states)
        self.check()
        return number
