# SPDX-License-Identifier: Apache-2.0
"""Endorsements at work: read once, verified once, remembered while they are valid.

A verifier reads its roots, collateral and revocation lists from a `Trust`. What was
verified of ENDORSEMENTS and certificate chains may be remembered under a key that
covers every byte it depends on; signatures over evidence, and decisions about it, are
made anew each time. A result is the same with and without memory.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar, cast

from strongroom.core.rats.endorsements import Endorsements

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)

FOREVER = 2**63
_MAX_REMEMBERED = 4096


class Verified(NamedTuple, Generic[T]):
    """A value that holds from `not_before` to `not_after`, Unix seconds, inclusive."""

    value: T
    not_before: int = 0
    not_after: int = FOREVER


class Trust:
    """Endorsements of one verifier, with what is known to hold of them.

    Attributes:
        endorsements: as configured; a `Trust` never changes them.
    """

    def __init__(self, endorsements: Endorsements, *, remember: bool = True) -> None:
        """Begin with nothing verified; with `remember` False it stays so."""
        self.endorsements = endorsements
        self._remember = remember
        self._known: OrderedDict[Hashable, Verified[object]] = OrderedDict()

    @property
    def roots(self) -> tuple[bytes, ...]:
        """The trust anchors, as configured."""
        return self.endorsements.roots

    def documents(self, role: str) -> tuple[bytes, ...]:
        """Return the endorsements of a role, or none."""
        return self.endorsements.collateral.get(role, ())

    def read(self, reader: Callable[[H], T], data: H) -> T:
        """Return what `reader` makes of `data`, read once."""
        key = ("read", reader, data)
        known = self._known.get(key)
        if known is not None:
            return cast("T", known.value)
        made = Verified(reader(data))
        self._keep(key, made)
        return made.value

    def once(self, key: Hashable, now: int, make: Callable[[], Verified[T]]) -> T:
        """Return what `make` gives, made at most once while it is valid at `now`.

        `make` raises where something does not hold; that is never remembered. `key`
        names the function and every input of `make` but `now` and these endorsements.
        """
        known = self._known.get(key)
        if known is not None and known.not_before <= now <= known.not_after:
            return cast("T", known.value)
        made = make()
        self._keep(key, made)
        return made.value

    def _keep(self, key: Hashable, made: Verified[T]) -> None:
        if self._remember:
            self._known[key] = cast("Verified[object]", made)
            if len(self._known) > _MAX_REMEMBERED:
                self._known.popitem(last=False)
