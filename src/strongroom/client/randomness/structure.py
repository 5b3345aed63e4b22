# SPDX-License-Identifier: Apache-2.0
"""Tests of linear structure: GB/T 32915-2016, matrix rank and linear complexity."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from strongroom.client.randomness.sample import Bits, Values, fit, require

SIDE = 32
RANKS = (0.2888, 0.5776, 0.1336)
"""Probabilities of full rank, one less, and all lower ones, as the standards round."""
DEVIATIONS = (0.010417, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833)
"""Probabilities of the seven classes of the deviation T from the mean."""
_WORD = 64
_TOGETHER = 512
"""Blocks at a time: what they take fits a processor's first cache."""

Words = NDArray[np.uint64]
Gaps = NDArray[np.int64]


def matrix_rank(
    bits: Bits, probabilities: Sequence[float] = RANKS
) -> tuple[Values, ...]:
    """Test the rank over GF(2) of matrices of 32 by 32 bits (SP 800-22 section 2.5).

    Raises:
        Malformed: less than one matrix.
    """
    require(bits, SIDE * SIDE, "matrix rank")
    found = ranks(bits)
    full, less = (int(np.count_nonzero(found == rank)) for rank in (SIDE, SIDE - 1))
    return (fit((full, less, len(found) - full - less), probabilities),)


def ranks(bits: Bits) -> NDArray[np.int64]:
    """Return the rank of each matrix of 32 rows of 32 bits; a rest is left out."""
    count = len(bits) // SIDE**2
    packed = np.packbits(bits[: count * SIDE**2]).view(np.uint32)
    rows = np.ascontiguousarray(packed.reshape(count, SIDE).T)
    rank = np.zeros(count, np.int64)
    for index in range(SIDE):
        pivot = rows[index]
        rank += pivot != 0
        lowest = pivot & -pivot
        below = rows[index + 1 :]
        below ^= np.where(below & lowest, pivot, np.uint32(0))
    return rank


def linear_complexity(
    bits: Bits, m: int = 500, probabilities: Sequence[float] = DEVIATIONS
) -> tuple[Values, ...]:
    """Test the shortest shift registers that give blocks of `m` bits (section 2.10).

    Raises:
        Malformed: less than one block.
    """
    require(bits, m, "linear complexity")
    blocks = bits[: len(bits) // m * m].reshape(-1, m)
    sign = 1 if m % 2 == 0 else -1
    mean = m / 2 + (9 - sign) / 36 - (m / 3 + 2 / 9) / 2**m
    deviation = sign * (complexities(blocks) - mean) + 2 / 9
    classes = np.clip(np.ceil(deviation + 2.5), 0, 6).astype(np.int64)
    return (fit(np.bincount(classes, minlength=7).tolist(), probabilities),)


def complexities(blocks: Bits) -> NDArray[np.int64]:
    """Return the linear complexity of each row of `blocks`, bits.

    The method is that of Berlekamp and Massey. It follows the products of the two
    connection polynomials with the sequence, not the polynomials: only the length of
    the register is asked for. All rows go through the same steps, 64 bits a word.
    """
    parts = range(0, len(blocks), _TOGETHER)
    return np.concatenate([_complexities(blocks[i : i + _TOGETHER]) for i in parts])


def _complexities(blocks: Bits) -> NDArray[np.int64]:
    count, m = blocks.shape
    now = _words(blocks)
    virtual = np.concatenate((np.ones((count, 1), np.uint8), blocks[:, :-1]), axis=1)
    before = _words(virtual)
    spare = np.empty_like(now)
    gap = np.ones(count, np.int64)  # n + 1 - 2L at step n
    for step in range(m):
        left = (m - step + _WORD - 1) // _WORD
        _step(now[:left], before[:left], spare[:left], gap)
    complexity: NDArray[np.int64] = (m + 1 - gap) // 2
    return complexity


def _words(blocks: Bits) -> Words:
    """Return blocks as words, the first bit lowest: one column a block."""
    padding = -blocks.shape[1] % _WORD
    packed = np.packbits(
        np.pad(blocks, ((0, 0), (0, padding))), axis=1, bitorder="little"
    )
    return np.ascontiguousarray(packed.view("<u8").T)


def _step(now: Words, before: Words, spare: Words, gap: Gaps) -> None:
    """Take one bit: correct where it was not foreseen, lengthen where that needs it."""
    wrong = -(now[0] & np.uint64(1))  # all ones where there is a discrepancy
    np.bitwise_and(before, wrong, out=spare)
    now ^= spare
    longer = wrong.view(np.int64) & (-gap >> 63)
    np.bitwise_and(now, longer.view(np.uint64), out=spare)
    before ^= spare  # is what `now` was
    np.left_shift(now[1:], np.uint64(63), out=spare[1:])
    now >>= np.uint64(1)
    now[:-1] |= spare[1:]
    gap ^= longer
    gap -= longer  # its sign has turned where `longer`
    gap += 1
