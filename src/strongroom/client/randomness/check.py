# SPDX-License-Identifier: Apache-2.0
"""The battery over many samples of one source, on all cores, twice where it must.

A sound generator fails some row of one round now and then (`false_alarm`): 27 rows are
looked at. So a round that fails is repeated once with fresh samples, and a row has
failed when it failed both times. To repeat is the advice of SP 800-22 section 4.2; the
rule of one repetition is ours.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from strongroom.client.randomness.battery import Label, evaluate
from strongroom.client.randomness.judgement import Row, judge
from strongroom.client.randomness.sample import Values
from strongroom.client.randomness.sources import Source
from strongroom.errors import Malformed

Told = Callable[[int], None]
_BYTE = 8


@dataclass(frozen=True)
class Plan:
    """How much is tested: samples in a round, bits in a sample; in how many processes.

    `bits` is a multiple of 8, at least `battery.SAMPLE_BITS`.
    """

    samples: int
    bits: int
    jobs: int

    @property
    def sample_bytes(self) -> int:
        """The size of a sample."""
        return self.bits // _BYTE


@dataclass(frozen=True)
class Report:
    """The rows of each round, one round or two."""

    rounds: tuple[tuple[Row, ...], ...]

    @property
    def failed(self) -> tuple[Label, ...]:
        """What failed in every round."""
        return tuple(
            rows[0].label
            for rows in zip(*self.rounds, strict=True)
            if not any(row.ok for row in rows)
        )


def check(source: Source, plan: Plan, told: Told = lambda _: None) -> Report:
    """Test a source; a round that fails is repeated where the source has more bits.

    Args:
        source: what is tested.
        plan: how much of it.
        told: is told how many bytes of the current round have been tested.

    Raises:
        Malformed: the source ends within the first round.
        Unavailable: the source failed.
    """
    with _pool(plan.jobs) as pool:
        first = _round(source, plan, pool, told)
        if first is None:
            message = (
                f"{source.name} ends too early: {plan.samples} samples of "
                f"{plan.bits} bits are {plan.samples * plan.sample_bytes} bytes"
            )
            raise Malformed(message)
        if all(row.ok for row in first):
            return Report((first,))
        second = _round(source, plan, pool, told)
    return Report((first,) if second is None else (first, second))


@contextmanager
def _pool(jobs: int) -> Iterator[Executor | None]:
    """Make processes; none where this one suffices."""
    if jobs == 1:
        yield None
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield pool


def _round(
    source: Source, plan: Plan, pool: Executor | None, told: Told
) -> tuple[Row, ...] | None:
    """Return the rows of a round, or None where the source ends before its end."""
    found: list[tuple[Values, ...]] = []
    waiting: deque[Future[tuple[Values, ...]]] = deque()
    for _ in range(plan.samples):
        data = source.take(plan.sample_bytes)
        if len(data) < plan.sample_bytes:
            return None
        waiting.append(_submit(pool, data))
        if len(waiting) > 2 * plan.jobs:
            found.append(waiting.popleft().result())
            told(len(found) * plan.sample_bytes)
    for each in waiting:
        found.append(each.result())
        told(len(found) * plan.sample_bytes)
    return judge(found)


def _submit(pool: Executor | None, data: bytes) -> Future[tuple[Values, ...]]:
    if pool is not None:
        return pool.submit(evaluate, data)
    done: Future[tuple[Values, ...]] = Future()
    done.set_result(evaluate(data))
    return done
