# SPDX-License-Identifier: Apache-2.0
"""A sample of bits, and the two values that a test gives for it."""

from collections.abc import Sequence
from math import erfc, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from strongroom.client.randomness.special import igamc
from strongroom.errors import Malformed

Bits = NDArray[np.uint8]
"""One bit an element, 0 or 1, in the order in which they were drawn."""


class Values(NamedTuple):
    """What a test says of a sample.

    `p` is small for a sample that a sound generator hardly gives; `q` is uniform over
    samples of a sound generator (GM/T 0005-2021 section 6.3). For statistics with a
    sign q tells the two sides apart; for the others it is p.
    """

    p: float
    q: float


def bits_of(data: bytes) -> Bits:
    """Return the bits of `data`, the highest of each byte first."""
    return np.unpackbits(np.frombuffer(data, np.uint8))


def require(bits: Bits, least: int, test: str) -> None:
    """Require a sample of at least that many bits.

    Raises:
        Malformed: it is shorter.
    """
    if len(bits) < least:
        message = f"{test} needs {least} bits or more, this sample has {len(bits)}"
        raise Malformed(message)


def signed(statistic: float) -> Values:
    """Return the values of a statistic that is normal, mean 0, variance 1."""
    scaled = statistic / sqrt(2)
    return Values(erfc(abs(scaled)), erfc(scaled) / 2)


def squared(chi: float, degrees: int) -> Values:
    """Return the values of a chi-square statistic."""
    p = igamc(degrees / 2, chi / 2)
    return Values(p, p)


def fit(counts: Sequence[int], probabilities: Sequence[float]) -> Values:
    """Return how well counts fit their probabilities: Pearson's chi-square."""
    total = sum(counts)
    chi = sum(
        (count - total * p) ** 2 / (total * p)
        for count, p in zip(counts, probabilities, strict=True)
    )
    return squared(chi, len(counts) - 1)
