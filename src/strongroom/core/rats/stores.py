# SPDX-License-Identifier: Apache-2.0
"""What protected storage asks of others: a store it distrusts, counters it trusts."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from strongroom.core.crypto import Buffer


class BlockStore(Protocol):
    """Named bytes in the ordinary world: the database of STOR, step f.

    Nothing here is trusted: every byte that comes back is checked, and a store that
    forgets, repeats or makes things up is found out. No atomicity is asked for either:
    all that counts on an honest store is `sync`. A name is lower-case hex, "-" and "/"
    and is written again only before anything refers to it. Errors are `Unavailable`
    (may work later) or `Misconfigured`.
    """

    def get(self, name: str) -> bytes | None:
        """Return the bytes under `name` as private memory, or None if there are none.

        What was put in this process is seen at once, synced or not.
        """

    def put(self, name: str, data: Buffer) -> None:
        """Take `data` under `name`; the buffer is the caller's again on return."""

    def sync(self) -> None:
        """Return once everything that was put cannot be lost any more."""

    def delete(self, names: Iterable[str]) -> None:
        """Forget these names; one that is not there is passed over."""

    def names(self, prefix: str) -> Iterator[str]:
        """Return the names that begin with `prefix`, in any order."""


class MonotonicCounters(Protocol):
    """The part of `EnclaveGate` that freshness stands on."""

    def counter(self, label: str) -> int:
        """Return the counter for `label`; one never incremented is 0."""

    def increment(self, label: str) -> int:
        """Add one durably and return the new value, which nobody else is given."""
