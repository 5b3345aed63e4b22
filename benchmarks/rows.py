# SPDX-License-Identifier: Apache-2.0
"""Rows of the table, and the pairing that makes a ratio fair on a noisy machine."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure: value, unit, goal as text ("" for none), the runs behind it."""

    name: str
    value: float
    unit: str
    goal: str
    runs: tuple[float, ...]

    @property
    def met(self) -> str:
        """Whether the goal is met: "yes", "no", or "" where there is none."""
        if not self.goal:
            return ""
        sign, _, limit = self.goal.partition(" ")
        holds = {"<=": self.value <= float(limit), ">=": self.value >= float(limit)}
        return "yes" if holds[sign] else "no"


def ratio(
    name: str, goal: str, ours: Callable[[], float], theirs: Callable[[], float], n: int
) -> Row:
    """Run the two in turn, ours then theirs; the value is the median of the ratios."""
    ours()
    theirs()
    runs = tuple(ours() / theirs() for _ in range(n))
    return Row(name, statistics.median(runs), "ratio", goal, runs)


def median(name: str, unit: str, goal: str, runs: list[float]) -> Row:
    """Return a row whose value is the median of its runs."""
    return Row(name, statistics.median(runs), unit, goal, tuple(runs))


def timed(action: Callable[[], object]) -> float:
    """Return how long an action takes, in seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
