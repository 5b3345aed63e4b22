# SPDX-License-Identifier: Apache-2.0
"""Health tests of the generator (SP 800-90B section 4.4), with sources that fail."""

import os
from collections.abc import Callable
from itertools import count

import pytest

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import Unavailable
from strongroom.hardware.parts.rng import (
    STARTUP_SAMPLES,
    Generator,
    HealthTests,
    proportion_cutoff,
    repetition_cutoff,
)


def sound_until(draws: int, then: bytes) -> Callable[[int], bytes]:
    """Return a source that is the kernel's and fails after that many draws."""
    drawn = count()

    def read(n: int) -> bytes:
        if next(drawn) < draws:
            return os.urandom(n)
        return (then * (n // len(then) + 1))[:n]

    return read


def test_cutoffs() -> None:
    assert repetition_cutoff() == 8
    assert 30 < proportion_cutoff() < 60


def test_the_kernel_s_generator_is_sound() -> None:
    tests = HealthTests()
    assert tests.feed(os.urandom(1 << 20)) is None


def test_repetition_count() -> None:
    others = bytes(range(1, 200))
    run = repetition_cutoff()
    assert HealthTests().feed(others + b"\0" * (run - 1) + others) is None
    assert HealthTests().feed(others + b"\0" * run) == "repetition count"


def test_a_run_across_two_draws_is_seen() -> None:
    tests = HealthTests()
    assert tests.feed(b"\0" * (repetition_cutoff() - 1)) is None
    assert tests.feed(b"\0") == "repetition count"


def test_adaptive_proportion() -> None:
    biased = b"".join(bytes([0, value]) for value in range(1, 250))
    assert HealthTests().feed(biased) == "adaptive proportion"


@pytest.mark.parametrize("stuck", [b"\0", b"\xff\0"])
def test_a_generator_that_fails_at_start_never_starts(stuck: bytes) -> None:
    with pytest.raises(Unavailable):
        Generator(sound_until(0, stuck))


def test_start_up_tests_enough_samples() -> None:
    sizes: list[int] = []

    def read(n: int) -> bytes:
        sizes.append(n)
        return os.urandom(n)

    Generator(read)
    assert sum(sizes) >= STARTUP_SAMPLES >= 4096


def test_a_failure_switches_the_generator_off_for_good() -> None:
    healthy_again = sound_until(1, b"\0")
    generator = Generator(healthy_again)
    with pytest.raises(Unavailable, match="repetition count"):
        generator.bytes(32)
    generator = Generator(sound_until(2, b"\0"))
    assert len(generator.bytes(32)) == 32
    with pytest.raises(Unavailable):
        generator.bytes(32)
    with pytest.raises(Unavailable):
        generator.bytes(0)
    with SecretBuffer(32) as secret, pytest.raises(Unavailable):
        generator.fill(secret)


def test_secret_memory_is_tested_where_it_lies() -> None:
    def stuck(secret: SecretBuffer) -> None:
        secret.view[:] = b"\x07" * len(secret)

    with SecretBuffer(32) as secret:
        Generator().fill(secret)
        assert bytes(secret.view) != bytes(32)
        with pytest.raises(Unavailable):
            Generator(fill=stuck).fill(secret)
        assert bytes(secret.view) == bytes(32)


def test_a_failure_does_not_tell_what_was_drawn() -> None:
    generator = Generator(sound_until(1, b"\x5a"))
    with pytest.raises(Unavailable) as caught:
        generator.bytes(64)
    assert "5a" not in str(caught.value).lower()
    assert "ZZ" not in str(caught.value)
