# SPDX-License-Identifier: Apache-2.0
"""The battery and its verdicts: sound bits pass, broken generators do not, and why."""

import io
from collections.abc import Callable

import numpy as np
import pytest

from strongroom.client.randomness.battery import BATTERY, LABELS, evaluate
from strongroom.client.randomness.check import Plan, Report, check
from strongroom.client.randomness.judgement import (
    Row,
    false_alarm,
    judge,
    needed,
    uniformity,
)
from strongroom.client.randomness.sources import Source
from strongroom.errors import Malformed
from tests.client.randomness.bitstreams import (
    SAMPLE,
    N,
    biased,
    drifting,
    echo,
    shift_register,
    sound,
)

EVERY = {test.name for test in BATTERY}
BROKEN: dict[str, tuple[Callable[[], bytes], set[str], set[str]]] = {
    "stuck at zero": (lambda: bytes(SAMPLE), EVERY, set()),
    "stuck at one": (lambda: b"\xff" * SAMPLE, EVERY, set()),
    "alternating": (
        lambda: b"\x55" * SAMPLE,
        EVERY - {"monobit frequency", "block frequency", "cumulative sums"},
        {"monobit frequency", "block frequency", "cumulative sums"},
    ),
    "508 ones in 1000": (
        biased,
        {"monobit frequency", "cumulative sums", "poker"},
        {"matrix rank", "linear complexity", "autocorrelation", "universal"},
    ),
    "drifting": (drifting, {"block frequency", "cumulative sums"}, {"matrix rank"}),
    "register of 31 bits": (
        lambda: shift_register(31, 3),
        {"matrix rank", "linear complexity"},
        set(),
    ),
    "register of 89 bits": (
        lambda: shift_register(89, 38),
        {"linear complexity"},
        {"monobit frequency", "matrix rank", "block frequency"},
    ),
    "counter of 32 bits": (
        lambda: np.arange(SAMPLE // 4, dtype=">u4").tobytes(),
        {"monobit frequency", "matrix rank", "universal", "discrete Fourier"},
        set(),
    ),
    "counter of bytes": (
        lambda: (bytes(range(256)) * (SAMPLE // 256 + 1))[:SAMPLE],
        {"matrix rank", "universal", "discrete Fourier", "longest run"},
        {"monobit frequency", "cumulative sums"},
    ),
    "block of 8192 bytes, repeated": (
        lambda: (sound("block", 8192) * 16)[:SAMPLE],
        {"discrete Fourier"},
        {"linear complexity"},
    ),
    "every sixteenth bit an echo": (
        echo,
        {"runs", "poker", "approximate entropy", "serial"},
        {"monobit frequency", "block frequency", "linear complexity"},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_generator_is_found_by_the_tests_that_look_for_it(name: str) -> None:
    make, finding, blind = BROKEN[name]
    pairs = list(zip(LABELS, evaluate(make()), strict=True))
    found = {label.test for label, values in pairs if values.p < 1e-6}
    assert finding <= found
    passed = {label.test for label, values in pairs if values.p >= 0.01}
    assert blind <= passed


def test_the_fifteen_tests_are_there() -> None:
    assert len(EVERY) == 15
    assert len(LABELS) == len(set(LABELS)) == len(evaluate(sound("labels"))) == 27


def test_a_short_sample_is_malformed() -> None:
    with pytest.raises(Malformed, match="needs 1000000 bits or more"):
        evaluate(sound("short", SAMPLE - 1))


@pytest.mark.parametrize(
    ("samples", "least"), [(1, 1), (10, 9), (20, 19), (50, 48), (1000, 981)]
)
def test_how_many_samples_have_to_pass(samples: int, least: int) -> None:
    assert needed(samples) == least


def test_uniformity() -> None:
    assert uniformity([(i + 0.5) / 1000 for i in range(1000)]) == 1
    assert uniformity([0.05] * 1000) == 0
    assert uniformity([0.0, 1.0]) == pytest.approx(uniformity([0.05, 0.95]))
    crowded = [0.5] * 24 + [i / 100 for i in range(100)]
    assert 1e-4 > uniformity(crowded) > 0


def test_a_row_needs_both() -> None:
    label = LABELS[0]
    assert Row(label, 981, 1000, 0.0001).ok
    assert not Row(label, 980, 1000, 0.5).ok
    assert not Row(label, 1000, 1000, 0.00009).ok


def test_how_often_a_sound_generator_fails() -> None:
    once, twice = false_alarm(20)
    row = 1 - 0.99**20 - 20 * 0.01 * 0.99**19 + 0.0001
    assert once == pytest.approx(27 * row)
    assert twice == pytest.approx(27 * row**2)
    assert false_alarm(1000)[0] < 0.1
    assert false_alarm(1000)[1] < 0.001


def stream(data: bytes) -> Source:
    return Source("a stream", "", io.BytesIO(data).read)


def rows(report: Report, number: int) -> dict[str, bool]:
    return {row.label.test: row.ok for row in report.rounds[number]}


def test_sound_samples_pass_in_one_round() -> None:
    told: list[int] = []
    report = check(stream(sound("ten", 3 * SAMPLE)), Plan(3, N, 1), told.append)
    assert len(report.rounds) == 1
    assert not report.failed
    assert told[-1] == 3 * SAMPLE


def test_what_fails_once_is_repeated_and_only_what_fails_twice_has_failed() -> None:
    both = biased() + shift_register(89, 38)
    report = check(stream(both), Plan(1, N, 1))
    assert len(report.rounds) == 2
    assert not rows(report, 0)["monobit frequency"]
    assert rows(report, 1)["monobit frequency"]
    failed = {label.test for label in report.failed}
    assert "monobit frequency" not in failed
    assert "linear complexity" not in failed
    assert {
        label.test for label in check(stream(biased() * 2), Plan(1, N, 1)).failed
    } >= {"monobit frequency"}


def test_a_source_that_ends_after_a_failed_round_has_failed() -> None:
    report = check(stream(bytes(SAMPLE) + b"rest"), Plan(1, N, 1))
    assert len(report.rounds) == 1
    assert {label.test for label in report.failed} == EVERY


def test_a_source_that_ends_within_the_first_round_is_malformed() -> None:
    with pytest.raises(Malformed, match="2 samples of 1000000 bits are 250000 bytes"):
        check(stream(sound("end", 2 * SAMPLE - 1)), Plan(2, N, 1))


def test_processes_change_nothing() -> None:
    data = sound("processes", 2 * SAMPLE)
    alone = check(stream(data), Plan(2, N, 1))
    assert check(stream(data), Plan(2, N, 2)).rounds[0] == alone.rounds[0]
    values = [evaluate(data[i : i + SAMPLE]) for i in range(0, len(data), SAMPLE)]
    assert judge(values) == alone.rounds[0]
