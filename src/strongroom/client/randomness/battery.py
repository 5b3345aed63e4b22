# SPDX-License-Identifier: Apache-2.0
"""The 15 tests with their parameters for samples of a million bits, over one sample.

Parameters are those that are published for GB/T 32915-2016 and GM/T 0005-2021 annex A
and samples of 10^6 bits; linear complexity is looked at in blocks of 1000 bits too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from strongroom.client.randomness.counts import (
    block_frequency,
    cumulative_sums,
    monobit,
)
from strongroom.client.randomness.patterns import approximate_entropy, poker, serial
from strongroom.client.randomness.runs import longest_run, runs, runs_distribution
from strongroom.client.randomness.sample import Bits, Values, bits_of, require
from strongroom.client.randomness.structure import linear_complexity, matrix_rank
from strongroom.client.randomness.waves import (
    autocorrelation,
    binary_derivative,
    fourier,
    universal,
)

SAMPLE_BITS = 1_000_000
MOST_BITS = 100_000_000
"""From here on the standard has other parameters, which are not here."""


@dataclass(frozen=True)
class Label:
    """Which test, with which parameter, and which of its values."""

    test: str
    parameter: str = ""
    part: str = ""


@dataclass(frozen=True)
class Test:
    """One test with one set of parameters; it gives a value for each of `parts`."""

    name: str
    parameter: str
    run: Callable[[Bits], tuple[Values, ...]]
    parts: tuple[str, ...] = ("",)


_TWO = ("first", "second")
BATTERY = (
    Test("monobit frequency", "", monobit),
    Test("block frequency", "m=10000", block_frequency),
    Test("poker", "m=4", partial(poker, m=4)),
    Test("poker", "m=8", partial(poker, m=8)),
    Test("serial", "m=3", partial(serial, m=3), _TWO),
    Test("serial", "m=5", partial(serial, m=5), _TWO),
    Test("runs", "", runs),
    Test("runs distribution", "", runs_distribution),
    Test("longest run", "m=10000", longest_run, ("ones", "zeros")),
    Test("binary derivative", "k=3", partial(binary_derivative, k=3)),
    Test("binary derivative", "k=7", partial(binary_derivative, k=7)),
    Test("autocorrelation", "d=1", partial(autocorrelation, d=1)),
    Test("autocorrelation", "d=2", partial(autocorrelation, d=2)),
    Test("autocorrelation", "d=8", partial(autocorrelation, d=8)),
    Test("autocorrelation", "d=16", partial(autocorrelation, d=16)),
    Test("matrix rank", "32x32", matrix_rank),
    Test("cumulative sums", "", cumulative_sums, ("forward", "backward")),
    Test("approximate entropy", "m=2", partial(approximate_entropy, m=2)),
    Test("approximate entropy", "m=5", partial(approximate_entropy, m=5)),
    Test("linear complexity", "m=500", linear_complexity),
    Test("linear complexity", "m=1000", partial(linear_complexity, m=1000)),
    Test("universal", "L=7 Q=1280", universal),
    Test("discrete Fourier", "", fourier),
)
LABELS = tuple(
    Label(test.name, test.parameter, part) for test in BATTERY for part in test.parts
)
"""What the values of `evaluate` are, in their order."""


def evaluate(data: bytes) -> tuple[Values, ...]:
    """Return what every test says of one sample.

    Args:
        data: the sample, at least `SAMPLE_BITS` bits.

    Raises:
        Malformed: it is shorter.
    """
    bits = bits_of(data)
    require(bits, SAMPLE_BITS, "the battery")
    return tuple(values for test in BATTERY for values in test.run(bits))
