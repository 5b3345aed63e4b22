# SPDX-License-Identifier: Apache-2.0
"""What the tests count, against slow programs that a reader can check by eye."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from math import erfc, exp, factorial, log2, sqrt

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from strongroom.client.randomness import counts, patterns, runs, structure, waves
from strongroom.client.randomness.sample import Bits, Values, bits_of
from strongroom.client.randomness.special import igamc
from strongroom.errors import Malformed
from tests.client.randomness.bitstreams import sound

bit_lists = st.lists(st.integers(0, 1), min_size=1, max_size=300)


def array(bits: list[int]) -> Bits:
    return np.array(bits, np.uint8)


def register_length(bits: list[int]) -> int:
    """Berlekamp and Massey, from the textbook: polynomials as integers."""
    now, before, length, since = 1, 1, 0, 1
    for n, bit in enumerate(bits):
        foreseen = sum(bits[n - i] for i in range(1, length + 1) if now >> i & 1)
        if (bit + foreseen) % 2 == 0:
            since += 1
        elif 2 * length <= n:
            now, before, length, since = now ^ before << since, now, n + 1 - length, 1
        else:
            now, since = now ^ before << since, since + 1
    return length


@given(bit_lists)
def test_linear_complexity_of_one_block(bits: list[int]) -> None:
    found = structure.complexities(array(bits).reshape(1, -1))
    assert found.tolist() == [register_length(bits)]


@pytest.mark.parametrize("size", [63, 64, 65, 130])
def test_linear_complexity_of_more_blocks_than_go_together(size: int) -> None:
    blocks = bits_of(sound("blocks", 600 * size // 8)).reshape(-1, size)
    found = structure.complexities(blocks)
    assert found.tolist() == [register_length(block.tolist()) for block in blocks]


def rank(rows: list[int]) -> int:
    """Return the rank over GF(2) of rows, each an integer."""
    found = 0
    while rows:
        pivot, *rows = rows
        if pivot:
            found += 1
            lowest = pivot & -pivot
            rows = [row ^ pivot if row & lowest else row for row in rows]
    return found


@pytest.mark.parametrize("name", ["sound", "sparse", "nearly full"])
def test_ranks(name: str) -> None:
    bits = bits_of(sound(name, 40 * 128)).copy()
    if name == "sparse":
        bits &= bits_of(sound("mask", 40 * 128)) & bits_of(sound("other", 40 * 128))
        bits &= bits_of(sound("third", 40 * 128))
    rows = ["".join(map(str, row)) for row in bits.reshape(-1, 32)]
    wanted = [
        rank([int(row, 2) for row in rows[start : start + 32]])
        for start in range(0, len(rows), 32)
    ]
    assert structure.ranks(bits).tolist() == wanted


@given(bit_lists)
def test_run_lengths(bits: list[int]) -> None:
    wanted = [len(list(run)) for _, run in groupby(bits)]
    assert runs.run_lengths(array(bits)).tolist() == wanted


@given(bit_lists, st.integers(1, 20))
def test_longest_runs_in_blocks(bits: list[int], m: int) -> None:
    blocks = [bits[i : i + m] for i in range(0, len(bits) - m + 1, m)]
    wanted = [
        max((len(list(run)) for bit, run in groupby(block) if bit), default=0)
        for block in blocks
    ]
    if blocks:
        found = runs.longest_in_blocks(array(bits) == 1, m)
        assert found.tolist() == wanted


@given(bit_lists, st.integers(1, 9))
def test_patterns(bits: list[int], m: int) -> None:
    text = "".join(map(str, bits))
    around = text + (text * m)[: m - 1]
    wanted = Counter(around[i : i + m] for i in range(len(text)))
    found = patterns.overlapping(array(bits), m)
    assert [wanted[f"{i:0{m}b}"] for i in range(2**m)] == found.tolist()
    apart = Counter(text[i : i + m] for i in range(0, len(text) - m + 1, m))
    found = patterns.disjoint(array(bits), m)
    assert [apart[f"{i:0{m}b}"] for i in range(2**m)] == found.tolist()


def test_universal_by_a_table_of_last_places() -> None:
    bits = bits_of(sound("universal", 7 * 250))
    text = "".join(map(str, bits))
    last: dict[str, int] = {}
    total = 0.0
    for place in range(1, len(text) // 7 + 1):
        block = text[7 * place - 7 : 7 * place]
        if place > 1280:
            total += log2(place - last.get(block, 0))
        last[block] = place
    counted = len(text) // 7 - 1280
    factor = 0.7 - 0.8 / 7 + (4 + 32 / 7) * counted ** (-3 / 7) / 15
    statistic = (total / counted - 6.1962507) / (factor * sqrt(3.125 / counted))
    assert waves.universal(bits)[0].p == pytest.approx(erfc(abs(statistic) / sqrt(2)))


def test_the_spectrum_by_its_definition() -> None:
    bits = bits_of(sound("spectrum", 32))
    turns = np.exp(-2j * np.pi * np.outer(np.arange(128), np.arange(256)) / 256)
    low = int((np.abs(turns @ (2.0 * bits - 1)) < sqrt(256 * 2.995732274)).sum())
    statistic = (low - 0.95 * 128) / sqrt(256 * 0.95 * 0.05 / 3.8)
    assert waves.fourier(bits)[0].q == pytest.approx(erfc(statistic / sqrt(2)) / 2)


@given(st.integers(1, 60), st.floats(0, 200))
def test_gamma_of_whole_numbers_is_a_sum(a: int, x: float) -> None:
    wanted = sum(exp(-x) * x**k / factorial(k) for k in range(a))
    assert igamc(a, x) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@given(st.floats(0, 600))
def test_gamma_of_a_half_is_the_error_function(x: float) -> None:
    assert igamc(0.5, x) == pytest.approx(erfc(sqrt(x)), rel=1e-9, abs=1e-12)


def test_gamma_where_the_battery_needs_it() -> None:
    special = pytest.importorskip("scipy.special")
    for a in (1, 1.5, 3, 4.5, 7.5, 16, 50, 127.5, 512, 3906, 16_384):
        for share in (0, 1e-9, 0.2, 0.8, 0.97, 1, 1.03, 1.2, 3, 1e6):
            wanted = float(special.gammaincc(a, share * a))
            assert igamc(a, share * a) == pytest.approx(wanted, rel=1e-7, abs=1e-10)


def test_too_few_bits_are_said_to_be_too_few() -> None:
    for test in TESTS:
        with pytest.raises(Malformed, match="needs"):
            test(bits_of(b""))


TESTS: tuple[Callable[[Bits], tuple[Values, ...]], ...] = (
    counts.monobit,
    counts.block_frequency,
    lambda bits: counts.block_frequency(bits, 8),
    counts.cumulative_sums,
    lambda bits: patterns.poker(bits, 1),
    lambda bits: patterns.poker(bits, 8),
    lambda bits: patterns.serial(bits, 1),
    lambda bits: patterns.serial(bits, 5),
    lambda bits: patterns.approximate_entropy(bits, 2),
    runs.runs,
    runs.runs_distribution,
    runs.longest_run,
    lambda bits: runs.longest_run(bits, 8),
    lambda bits: runs.longest_run(bits, 128),
    lambda bits: waves.binary_derivative(bits, 7),
    lambda bits: waves.autocorrelation(bits, 16),
    waves.fourier,
    waves.universal,
    structure.matrix_rank,
    structure.linear_complexity,
    lambda bits: structure.linear_complexity(bits, 9),
)


@settings(max_examples=60)
@given(st.binary(max_size=1600) | st.integers(0, 1600).map(bytes))
def test_every_test_takes_any_bytes_or_says_too_short(data: bytes) -> None:
    bits = bits_of(data)
    for test in TESTS:
        with suppress(Malformed):
            assert all(0 <= value <= 1 for values in test(bits) for value in values)
