# SPDX-License-Identifier: Apache-2.0
"""Tests that count ones: GB/T 32915-2016, single-bit, in-block, cumulative sums."""

from math import ceil, erf, sqrt

import numpy as np

from strongroom.client.randomness.sample import Bits, Values, require, signed, squared


def monobit(bits: Bits) -> tuple[Values, ...]:
    """Test that ones and zeros are equally many (SP 800-22 section 2.1).

    Raises:
        Malformed: no bits.
    """
    require(bits, 1, "monobit frequency")
    ones = int(np.count_nonzero(bits))
    return (signed((2 * ones - len(bits)) / sqrt(len(bits))),)


def block_frequency(bits: Bits, m: int = 10_000) -> tuple[Values, ...]:
    """Test that they are in every block of `m` bits (SP 800-22 section 2.2).

    Raises:
        Malformed: less than one block.
    """
    require(bits, m, "block frequency")
    blocks = len(bits) // m
    ones = bits[: blocks * m].reshape(blocks, m).sum(axis=1, dtype=np.int64)
    chi = 4 * m * float(((ones / m - 0.5) ** 2).sum())
    return (squared(chi, blocks),)


def cumulative_sums(bits: Bits) -> tuple[Values, ...]:
    """Test how far a walk of +1 and -1 strays, forward and backward (section 2.13).

    Raises:
        Malformed: no bits.
    """
    require(bits, 1, "cumulative sums")
    steps = 2 * bits.astype(np.int8) - 1
    walk = np.zeros(len(bits) + 1, np.int32)
    np.cumsum(steps, dtype=np.int32, out=walk[1:])
    forward = max(int(walk.max()), -int(walk.min()))
    before, end = walk[:-1], int(walk[-1])
    backward = max(end - int(before.min()), int(before.max()) - end)
    return tuple(_excursion(z, len(bits)) for z in (forward, backward))


def _excursion(z: int, n: int) -> Values:
    """Return the chance that the farthest of `n` steps is `z` or farther.

    Terms beyond ten deviations are left out: they are zero.
    """
    root = sqrt(n)
    most = ceil(min(n, 10 * root) / (4 * z))
    p = 1.0
    for k in range(-most, most + 1):
        p -= _normal((4 * k + 1) * z / root) - _normal((4 * k - 1) * z / root)
    for k in range(-most - 1, most + 1):
        p += _normal((4 * k + 3) * z / root) - _normal((4 * k + 1) * z / root)
    p = min(1.0, max(0.0, p))
    return Values(p, p)


def _normal(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2
