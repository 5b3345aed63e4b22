# SPDX-License-Identifier: Apache-2.0
"""Tests of runs: GB/T 32915-2016, their number, distribution, the longest in blocks."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from strongroom.client.randomness.sample import (
    Bits,
    Values,
    fit,
    require,
    signed,
    squared,
)

LONGEST = {
    8: (1, (0.2148, 0.3672, 0.2305, 0.1875)),
    128: (4, (0.1174, 0.2430, 0.2494, 0.1752, 0.1027, 0.1124)),
    10_000: (
        10,
        (0.086632, 0.208201, 0.248419, 0.193913, 0.121458, 0.068011, 0.073366),
    ),
}
"""For each block size the shortest length that is told apart, and probabilities."""


def runs(bits: Bits) -> tuple[Values, ...]:
    """Test that there are as many runs as the share of ones lets expect (2.3).

    Raises:
        Malformed: no bits.
    """
    require(bits, 1, "runs")
    n = len(bits)
    spread = float(bits.mean()) * (1 - float(bits.mean()))
    if not spread:
        return (Values(0.0, 1.0),)  # one run, fewer than any sound generator has
    found = 1 + int(np.count_nonzero(bits[1:] != bits[:-1]))
    return (signed((found - 2 * n * spread) / (2 * sqrt(n) * spread)),)


def runs_distribution(bits: Bits) -> tuple[Values, ...]:
    """Test that half of the runs are of length 1, a quarter of length 2, and so on.

    The longest that is expected five times is taken with all beyond it, and runs are
    expected by how many there are (GM/T 0005-2021 section 5.6).

    Raises:
        Malformed: fewer than 100 bits.
    """
    require(bits, 100, "runs distribution")
    n, longest = len(bits), 1
    while (n - longest + 2) / 2 ** (longest + 3) >= 5:  # noqa: PLR2004
        longest += 1
    lengths = np.minimum(run_lengths(bits), longest)
    ones, zeros = (
        np.bincount(lengths[start::2], minlength=longest + 1)[1:]
        for start in (1 - int(bits[0]), int(bits[0]))
    )
    shares = 0.5 ** np.minimum(np.arange(2, longest + 2), longest)
    expected = len(lengths) * shares
    chi = ((ones - expected) ** 2 + (zeros - expected) ** 2) / expected
    return (squared(float(chi.sum()), 2 * longest - 2),)


def run_lengths(bits: Bits) -> NDArray[np.int64]:
    """Return the lengths of all runs in order; they are of ones and zeros in turn."""
    ends = np.flatnonzero(bits[1:] != bits[:-1]) + 1
    return np.diff(np.concatenate(([0], ends, [len(bits)])))


def longest_run(
    bits: Bits, m: int = 10_000, probabilities: tuple[float, ...] = ()
) -> tuple[Values, ...]:
    """Test the longest run in each block of `m` bits, of ones and of zeros (2.4).

    Args:
        bits: the sample.
        m: a block size of `LONGEST`.
        probabilities: other ones than those of GM/T 0005-2021.

    Raises:
        Malformed: less than one block.
    """
    require(bits, m, "longest run")
    shortest, known = LONGEST[m]
    expected = probabilities or known
    found = []
    for value in (1, 0):
        lengths = longest_in_blocks(bits == value, m) - shortest
        classes = np.clip(lengths, 0, len(expected) - 1)
        counts = np.bincount(classes, minlength=len(expected))
        found.append(fit(counts.tolist(), expected))
    return tuple(found)


def longest_in_blocks(wanted: NDArray[np.bool_], m: int) -> NDArray[np.int64]:
    """Return the length of the longest run of true in each block of `m`."""
    blocks = len(wanted) // m
    fenced = np.zeros((blocks, m + 2), np.bool_)
    fenced[:, 1:-1] = wanted[: blocks * m].reshape(blocks, m)
    fences = np.flatnonzero(~fenced.ravel())
    gaps = np.diff(fences) - 1  # between two blocks: none
    starts = np.searchsorted(fences, np.arange(blocks) * (m + 2))
    longest: NDArray[np.int64] = np.maximum.reduceat(gaps, starts)
    return longest
