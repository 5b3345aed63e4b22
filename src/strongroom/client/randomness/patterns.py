# SPDX-License-Identifier: Apache-2.0
"""Tests that count patterns: GB/T 32915-2016, poker, serial, approximate entropy."""

from math import log

import numpy as np
from numpy.typing import NDArray

from strongroom.client.randomness.sample import Bits, Values, require, squared
from strongroom.client.randomness.special import igamc

Counts = NDArray[np.int64]


def disjoint(bits: Bits, m: int) -> Counts:
    """Return how often each pattern of `m` bits stands in steps of `m` bits."""
    return np.bincount(codes(bits, m), minlength=1 << m)


def codes(bits: Bits, m: int) -> NDArray[np.uint32]:
    """Return the numbers that successive parts of `m` bits are; a rest is left out."""
    parts = bits[: len(bits) // m * m].reshape(-1, m)
    found = np.zeros(len(parts), np.uint32)
    for column in parts.T:
        found <<= np.uint32(1)
        found |= column
    return found


def overlapping(bits: Bits, m: int) -> Counts:
    """Return how often each pattern of `m` bits stands anywhere, around the end."""
    if m == 0:
        return np.array([len(bits)])
    around = np.concatenate((bits, np.resize(bits, m - 1)))
    found = np.zeros(len(bits), np.uint32)
    for start in range(m):
        found <<= np.uint32(1)
        found |= around[start : start + len(bits)]
    return np.bincount(found, minlength=1 << m)


def poker(bits: Bits, m: int) -> tuple[Values, ...]:
    """Test that patterns of `m` bits, side by side, are equally many.

    Raises:
        Malformed: less than one pattern.
    """
    require(bits, m, "poker")
    counts = disjoint(bits, m)
    return (squared(_excess(counts), len(counts) - 1),)


def serial(bits: Bits, m: int) -> tuple[Values, ...]:
    """Test patterns of `m` bits that overlap: two values (SP 800-22 section 2.11).

    Raises:
        Malformed: fewer bits than a pattern has.
    """
    require(bits, m, "serial")
    counts = overlapping(bits, m)
    shorter = counts.reshape(-1, 2).sum(axis=1)
    shortest = shorter.reshape(-1, 2).sum(axis=1) if m > 1 else shorter
    psi = [_excess(counts), _excess(shorter), _excess(shortest) if m > 1 else 0.0]
    first = squared(psi[0] - psi[1], 2 ** (m - 1))
    second = igamc(2.0 ** (m - 3), (psi[0] - 2 * psi[1] + psi[2]) / 2)
    return first, Values(second, second)


def approximate_entropy(bits: Bits, m: int) -> tuple[Values, ...]:
    """Test that `m` bits say nothing of the one after them (section 2.12).

    Raises:
        Malformed: fewer bits than a pattern has.
    """
    require(bits, m + 1, "approximate entropy")
    counts = overlapping(bits, m + 1)
    gain = _entropy(counts) - _entropy(counts.reshape(-1, 2).sum(axis=1))
    return (squared(2 * len(bits) * (log(2) - gain), 2**m),)


def _excess(counts: Counts) -> float:
    """Return the chi-square of counts that should be equal."""
    total = int(counts.sum())
    return len(counts) * int((counts * counts).sum()) / total - total


def _entropy(counts: Counts) -> float:
    """Return the entropy of a distribution in nats."""
    shares = counts[counts > 0] / counts.sum()
    return -float((shares * np.log(shares)).sum())
