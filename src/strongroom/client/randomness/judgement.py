# SPDX-License-Identifier: Apache-2.0
"""From the values of many samples to a verdict: GM/T 0005-2021 section 6."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb, sqrt

from strongroom.client.randomness.battery import LABELS, Label
from strongroom.client.randomness.sample import Values
from strongroom.client.randomness.special import igamc

ALPHA = 0.01
"""A sample passes a test whose P-value is at least this."""
ALPHA_T = 0.0001
"""Q-values are uniform enough where their own P-value is at least this."""
BINS = 10


@dataclass(frozen=True)
class Row:
    """What all samples say of one value of one test."""

    label: Label
    passed: int
    samples: int
    uniformity: float

    @property
    def needed(self) -> int:
        """How many samples have to pass."""
        return needed(self.samples)

    @property
    def ok(self) -> bool:
        """Whether enough samples pass and the Q-values are uniform."""
        return self.passed >= self.needed and self.uniformity >= ALPHA_T


def judge(samples: Sequence[tuple[Values, ...]]) -> tuple[Row, ...]:
    """Return a row for each value of the battery, over samples of one generator."""
    return tuple(
        Row(
            label,
            sum(each.p >= ALPHA for each in column),
            len(samples),
            uniformity([each.q for each in column]),
        )
        for label, column in zip(LABELS, zip(*samples, strict=True), strict=True)
    )


def needed(samples: int) -> int:
    """Return how many of `samples` have to pass: 981 of 1000 (section 6.2)."""
    return ceil(samples * (1 - ALPHA - 3 * sqrt(ALPHA * (1 - ALPHA) / samples)))


def uniformity(q_values: Sequence[float]) -> float:
    """Return the P-value of a chi-square of Q-values over ten bins (section 6.3)."""
    bins = Counter(min(int(q * BINS), BINS - 1) for q in q_values)
    expected = len(q_values) / BINS
    chi = sum((bins[i] - expected) ** 2 / expected for i in range(BINS))
    return igamc((BINS - 1) / 2, chi / 2)


def false_alarm(samples: int) -> tuple[float, float]:
    """Return how probably a sound generator fails one round, and both, at most.

    A row fails with what the binomial distribution leaves below `needed`, or by its
    uniformity; the sum over all rows bounds what they have together, which is less
    because tests depend on one another.
    """
    row = ALPHA_T + sum(
        comb(samples, lost) * ALPHA**lost * (1 - ALPHA) ** (samples - lost)
        for lost in range(samples - needed(samples) + 1, samples + 1)
    )
    return min(1.0, len(LABELS) * row), min(1.0, len(LABELS) * row**2)
