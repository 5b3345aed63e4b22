# SPDX-License-Identifier: Apache-2.0
"""Bits whose quality is known: constants of mathematics, sound and broken sources."""

import math
from collections.abc import Callable
from functools import cache
from hashlib import shake_256

import numpy as np

from strongroom.client.randomness.sample import Bits, bits_of

N = 1_000_000
SAMPLE = N // 8


def sound(name: str, size: int = SAMPLE) -> bytes:
    """Return what an extendable-output function gives: sound, and always the same."""
    return shake_256(name.encode()).digest(size)


@cache
def constant(name: str) -> Bits:
    """Return the first million bits of a number, those before the point too."""
    return _CONSTANTS[name]()


def _first_bits(number: int) -> Bits:
    return bits_of((number >> number.bit_length() - N).to_bytes(SAMPLE, "big"))


def _e() -> Bits:
    """Sum 1/k! as one fraction; 78,000 terms leave less than 2^-1,000,000."""

    def split(start: int, end: int) -> tuple[int, int]:
        if end - start == 1:
            return 1, end
        middle = (start + end) // 2
        left, left_below = split(start, middle)
        right, right_below = split(middle, end)
        return left * right_below + right, left_below * right_below

    above, below = split(0, 78_000)
    return _first_bits(((above + below) << N + 10) // below)


_CONSTANTS: dict[str, Callable[[], Bits]] = {
    "e": _e,
    "sqrt 2": lambda: _first_bits(math.isqrt(2 << 2 * N)),
}


def biased() -> bytes:
    """Return bits of which 508 in 1000 are ones."""
    drawn = np.frombuffer(sound("biased", N), np.uint8)
    return np.packbits(drawn < 130).tobytes()


def shift_register(length: int, tap: int) -> bytes:
    """Return what a linear feedback shift register x^length + x^tap + 1 gives."""
    bits = [1] * length
    for at in range(N - length):
        bits.append(bits[at] ^ bits[at + tap])
    return np.packbits(np.array(bits, np.uint8)).tobytes()


def echo() -> bytes:
    """Return sound bits of which every sixteenth repeats the one before it."""
    bits = bits_of(sound("echo")).copy()
    bits[1::16] = bits[0::16]
    return np.packbits(bits).tobytes()


def drifting() -> bytes:
    """Return bits with more ones in one half and as many fewer in the other."""
    drawn = np.frombuffer(sound("drifting", N), np.uint8)
    share = np.where(np.arange(N) < N // 2, 132, 124)
    return np.packbits(drawn < share).tobytes()
