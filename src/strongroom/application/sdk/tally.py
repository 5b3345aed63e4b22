# SPDX-License-Identifier: Apache-2.0
"""Which of the fifteen functions an app used in a call, for the log (LOG-2).

Numbers, outcomes and rules alone: no argument and no result. They go with the answer
of the call, so they are logged before anybody has it, and cost no crossing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from strongroom.application.sdk.interface import NUMBERS
from strongroom.errors import Refused, StrongroomError
from strongroom.system.monitor.events import MAX_CALLS, outcome_of

P = ParamSpec("P")
R = TypeVar("R")
Row = tuple[int, int, str, str]
"""Number of the interface, count, outcome, rule."""


class Tally:
    """What was called since it was last asked; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[int, str, str]] = Counter()

    def note(self, number: int, code: str, rule: str) -> None:
        """Count a call."""
        with self._lock:
            self._counts[number, code, rule] += 1

    def take(self, own: int = 0) -> list[Row]:
        """Return what was called, and begin anew.

        Args:
            own: the interface that the call itself was of, which the monitor logs: it
                counts once less.
        """
        with self._lock:
            counts, self._counts = self._counts, Counter()
        for key in counts:
            if key[0] == own:
                counts[key] -= 1
                break
        rows = [(at, count, code, rule) for (at, code, rule), count in counts.items()]
        return [row for row in rows if row[1]][:MAX_CALLS]

    @contextmanager
    def refusals(self, name: str) -> Iterator[None]:
        """Count what a rule refuses on a way beside the function of that name."""
        try:
            yield
        except Refused as error:
            self.note(NUMBERS[name], *outcome_of(error))
            raise


class Tallied(Protocol):
    """Something whose functions are counted."""

    @property
    def tally(self) -> Tally:
        """Where they are counted."""


S = TypeVar("S", bound=Tallied)


def tallied(
    function: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], R]:
    """Have a function of the interface counted, however it ends."""
    number = NUMBERS[function.__name__]

    @wraps(function)
    def counted(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        error: StrongroomError | None = None
        try:
            return function(self, *args, **kwargs)
        except StrongroomError as raised:
            error = raised
            raise
        finally:
            self.tally.note(number, *outcome_of(error))

    return cast("Callable[Concatenate[S, P], R]", counted)
