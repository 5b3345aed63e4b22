# SPDX-License-Identifier: Apache-2.0
"""Tests of a sample against itself, shifted, derived, transformed or compressed.

GB/T 32915-2016: binary derivative, autocorrelation, discrete Fourier, Maurer's
universal statistical test.
"""

from math import log, sqrt

import numpy as np

from strongroom.client.randomness.patterns import codes
from strongroom.client.randomness.sample import Bits, Values, require, signed

VARIANCE_DIVISOR = 3.8
"""GM/T 0005-2021 section 5.15; SP 800-22 rev. 1a section 2.6 has 4."""
BLOCK_BITS, FIRST_BLOCKS = 7, 1280
_MEAN, _VARIANCE = 6.1962507, 3.125
"""Of the universal test for blocks of 7 bits (SP 800-22 section 2.9)."""


def binary_derivative(bits: Bits, k: int) -> tuple[Values, ...]:
    """Test that ones and zeros are equally many after `k` sums of neighbours.

    Raises:
        Malformed: nothing is left of the sample.
    """
    require(bits, k + 1, "binary derivative")
    for _ in range(k):
        bits = bits[1:] ^ bits[:-1]
    ones = int(np.count_nonzero(bits))
    return (signed((2 * ones - len(bits)) / sqrt(len(bits))),)


def autocorrelation(bits: Bits, d: int) -> tuple[Values, ...]:
    """Test that a bit and the one `d` later are equal half of the time.

    Raises:
        Malformed: nothing is left of the sample.
    """
    require(bits, d + 1, "autocorrelation")
    differ = int(np.count_nonzero(bits[d:] != bits[:-d]))
    left = len(bits) - d
    return (signed((2 * differ - left) / sqrt(left)),)


def fourier(bits: Bits, divisor: float = VARIANCE_DIVISOR) -> tuple[Values, ...]:
    """Test that 95 % of the peaks of the spectrum stay below their threshold.

    Raises:
        Malformed: fewer than two bits.
    """
    require(bits, 2, "discrete Fourier")
    n = len(bits)
    peaks = np.abs(np.fft.rfft(2.0 * bits - 1.0))[: n // 2]
    low = int(np.count_nonzero(peaks < sqrt(n * log(1 / 0.05))))
    return (signed((low - 0.95 * n / 2) / sqrt(n * 0.95 * 0.05 / divisor)),)


def universal(bits: Bits) -> tuple[Values, ...]:
    """Test how far back each block of 7 bits was last seen (SP 800-22 section 2.9).

    Raises:
        Malformed: nothing is left after the 1280 blocks that only fill the table.
    """
    require(bits, BLOCK_BITS * (FIRST_BLOCKS + 1), "universal")
    found = codes(bits, BLOCK_BITS)
    order = np.argsort(found, kind="stable")
    same = found[order[1:]] == found[order[:-1]]
    back = np.empty(len(found), np.int64)
    back[order[0]] = order[0] + 1
    back[order[1:]] = np.where(same, order[1:] - order[:-1], order[1:] + 1)
    counted = len(found) - FIRST_BLOCKS
    mean = float(np.log2(back[FIRST_BLOCKS:]).mean())
    short, long = 1 / BLOCK_BITS, 3 / BLOCK_BITS
    factor = 0.7 - 0.8 * short + (4 + 32 * short) * counted**-long / 15
    return (signed((mean - _MEAN) / (factor * sqrt(_VARIANCE / counted))),)
