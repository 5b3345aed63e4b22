# SPDX-License-Identifier: Apache-2.0
"""Published values: SP 800-22 rev. 1a appendix B, GM/T 0005-2021 annex C.

The bits of the constants are computed here, the values are the standards', those of
GM/T 0005-2021 as open implementations of it quote them.
"""

from collections.abc import Callable
from math import prod

import pytest

from strongroom.client.randomness import counts, patterns, runs, structure, waves
from strongroom.client.randomness.runs import LONGEST
from strongroom.client.randomness.sample import Bits, Values, bits_of
from tests.client.randomness.bitstreams import constant

Run = Callable[[Bits], tuple[Values, ...]]

NIST_LONGEST = (0.0882, 0.2092, 0.2483, 0.1933, 0.1208, 0.0675, 0.0727)
NIST_DEVIATIONS = (0.01047, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833)
FULL = prod(1 - 2.0**-i for i in range(1, 33))
NIST_RANKS = (FULL, 2 * FULL, 1 - 3 * FULL)
"""Where NIST's figures differ from the later ones of GM/T 0005-2021."""

SP_800_22: tuple[tuple[Run, int, dict[str, float]], ...] = (
    (counts.monobit, 0, {"e": 0.953749, "sqrt 2": 0.811881}),
    (
        lambda bits: counts.block_frequency(bits, 128),
        0,
        {"e": 0.211072, "sqrt 2": 0.833222},
    ),
    (
        counts.cumulative_sums,
        0,
        {"e": 0.669887, "sqrt 2": 0.879009},
    ),
    (
        counts.cumulative_sums,
        1,
        {"e": 0.724266, "sqrt 2": 0.957206},
    ),
    (runs.runs, 0, {"e": 0.561917, "sqrt 2": 0.313427}),
    (
        lambda bits: runs.longest_run(bits, 10_000, NIST_LONGEST),
        0,
        {"e": 0.718945, "sqrt 2": 0.012117},
    ),
    (
        lambda bits: structure.matrix_rank(bits, NIST_RANKS),
        0,
        {"e": 0.306156, "sqrt 2": 0.823810},
    ),
    (
        lambda bits: waves.fourier(bits, 4),
        0,
        {"e": 0.847187, "sqrt 2": 0.581909},
    ),
    (
        lambda bits: patterns.approximate_entropy(bits, 10),
        0,
        {"e": 0.700073, "sqrt 2": 0.884740},
    ),
    (waves.universal, 0, {"e": 0.282568, "sqrt 2": 0.130805}),
    (
        lambda bits: structure.linear_complexity(bits, 500, NIST_DEVIATIONS),
        0,
        {"e": 0.826335, "sqrt 2": 0.317127},
    ),
    (
        lambda bits: patterns.serial(bits, 16),
        0,
        {"e": 0.766182, "sqrt 2": 0.861925},
    ),
    (lambda bits: patterns.serial(bits, 16), 1, {"e": 0.462921}),
)
NIST_PLACES = 1.5e-6
"""NIST's program rounds the normal distribution within: two values end one higher."""


@pytest.mark.parametrize("row", SP_800_22)
def test_a_million_bits_of_a_constant(row: tuple[Run, int, dict[str, float]]) -> None:
    run, part, published = row
    for name, value in published.items():
        assert run(constant(name))[part].p == pytest.approx(value, abs=NIST_PLACES)


BITS_128 = bits_of(bytes.fromhex("cc156c4ce0024d5113d680d7cce6d8b2"))
BITS_100 = bits_of(bytes.fromhex("c90fdaa22168c234c4c6628b80"))[:100]
"""The first hundred bits of pi."""

GM_T_0005: tuple[tuple[Run, Bits, tuple[tuple[float, float], ...]], ...] = (
    (counts.monobit, BITS_128, ((0.215925, 0.892038),)),
    (
        lambda bits: counts.block_frequency(bits, 10),
        BITS_100,
        ((0.706438, 0.706438),),
    ),
    (lambda bits: patterns.poker(bits, 4), BITS_128, ((0.213734, 0.213734),)),
    (
        lambda bits: patterns.serial(bits, 2),
        BITS_128,
        ((0.436868, 0.436868), (0.723674, 0.723674)),
    ),
    (runs.runs, BITS_128, ((0.620729, 0.310364),)),
    (runs.runs_distribution, BITS_128, ((0.970152, 0.970152),)),
    (
        lambda bits: runs.longest_run(bits, 8),
        BITS_128,
        ((0.180598, 0.180598), (0.839299, 0.839299)),
    ),
    (
        lambda bits: waves.binary_derivative(bits, 3),
        BITS_128,
        ((0.039669, 0.980166),),
    ),
    (lambda bits: waves.autocorrelation(bits, 1), BITS_128, ((0.790080, 0.395040),)),
    (
        counts.cumulative_sums,
        BITS_100,
        ((0.219194, 0.219194), (0.114866, 0.114866)),
    ),
    (
        lambda bits: patterns.approximate_entropy(bits, 2),
        BITS_100,
        ((0.235301, 0.235301),),
    ),
    (waves.fourier, BITS_100, ((0.654721, 0.327360),)),
)


@pytest.mark.parametrize(("run", "bits", "published"), GM_T_0005)
def test_examples_of_the_later_standard(
    run: Run, bits: Bits, published: tuple[tuple[float, float], ...]
) -> None:
    for found, (p, q) in zip(run(bits), published, strict=True):
        assert found == pytest.approx((p, q), abs=6e-7)


def test_its_examples_over_a_million_bits_of_e() -> None:
    bits = constant("e")
    (rank,) = structure.matrix_rank(bits)
    assert rank == pytest.approx((0.307543, 0.307543), abs=6e-7)
    (complexity,) = structure.linear_complexity(bits, 1000)
    assert complexity == pytest.approx((0.844721, 0.844721), abs=6e-7)
    (universal,) = waves.universal(bits)
    assert universal == pytest.approx((0.282568, 0.141284), abs=6e-7)


@pytest.mark.parametrize(("m", "places"), [(8, 1e-4), (128, 1e-4), (10_000, 5e-6)])
def test_probabilities_of_the_longest_run(m: int, places: float) -> None:
    """By the recurrence of strings without a run longer than k."""
    shortest, table = LONGEST[m]
    below = [none_longer(k, m) for k in range(shortest, shortest + len(table) - 1)]
    exact = [a - b for a, b in zip([*below, 1.0], [0.0, *below], strict=True)]
    assert exact == pytest.approx(table, abs=places)


def none_longer(k: int, m: int) -> float:
    """Return the chance that `m` bits have no run of ones longer than `k`."""
    chance = [1.0] * (k + 1) + [1 - 0.5 ** (k + 1)]
    for n in range(k + 2, m + 1):
        chance.append(chance[n - 1] - chance[n - k - 2] * 0.5 ** (k + 2))
    return chance[m]


def test_probabilities_of_ranks_and_deviations() -> None:
    assert pytest.approx(NIST_RANKS, abs=1e-4) == structure.RANKS
    exact = (1 / 96, 1 / 32, 1 / 8, 1 / 2, 1 / 4, 1 / 16, 1 / 48)
    assert pytest.approx(exact, abs=5e-7) == structure.DEVIATIONS
