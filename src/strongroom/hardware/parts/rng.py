# SPDX-License-Identifier: Apache-2.0
"""A device's random generator under health tests (C-RNG).

Repetition count and adaptive proportion tests of NIST SP 800-90B sections 4.4.1 and
4.4.2, one sample a byte, at start-up over `STARTUP_SAMPLES` and then on every byte
that is drawn. They find a generator that is stuck or badly biased, no more; that the
output meets a national standard is not claimed.

A machine shows no raw noise to a process: the samples are the output of the kernel's
generator (getrandom(2)), or a TPM's, conditioned by a cipher or a hash before.
So a dead noise source behind a sound cipher is not seen here; a generator that
answers with nothing, with constants or with repetitions is.
"""

import os
import threading
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from math import comb

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import Unavailable

STARTUP_SAMPLES = 4096
ENTROPY_BITS = 6
"""Min-entropy claimed for a sample of 8 bits, H: low, so that only faults alarm."""
ALPHA_BITS = 40
"""A sound source of H bits alarms with probability 2^-40 a test."""
WINDOW = 512


def repetition_cutoff() -> int:
    """Return C of section 4.4.1: 1 + ceil(-log2(alpha) / H)."""
    return 1 + -(-ALPHA_BITS // ENTROPY_BITS)


@cache
def proportion_cutoff() -> int:
    """Return C of section 4.4.2: 1 + critbinom(W, 2^-H, 1 - alpha)."""
    p = Fraction(1, 2**ENTROPY_BITS)
    below, count = Fraction(0), 0
    while True:
        below += comb(WINDOW, count) * p**count * (1 - p) ** (WINDOW - count)
        if below >= 1 - Fraction(1, 2**ALPHA_BITS):
            return 1 + count
        count += 1


class HealthTests:
    """The two tests over one stream of samples."""

    def __init__(self) -> None:
        self._last, self._run = -1, 0
        self._first, self._seen, self._count = -1, WINDOW, 0

    def feed(self, samples: Iterable[int]) -> str | None:
        """Test `samples`; return the name of the test that failed, or None.

        One plain loop: every byte that leaves the generator goes through it.
        """
        most_run, most_count = repetition_cutoff(), proportion_cutoff()
        last, run = self._last, self._run
        first, seen, count = self._first, self._seen, self._count
        for sample in samples:
            run = run + 1 if sample == last else 1
            last = sample
            if run >= most_run:
                return "repetition count"
            if seen == WINDOW:
                first, seen, count = sample, 0, 0
            seen += 1
            if sample == first:
                count += 1
                if count >= most_count:
                    return "adaptive proportion"
        self._last, self._run = last, run
        self._first, self._seen, self._count = first, seen, count
        return None


class Generator:
    """Random bytes that have passed the health tests; one failure ends it for good.

    Args:
        read: gives that many bytes; the kernel's generator unless the device has one.
        fill: fills secret memory without a copy on the way.

    Raises:
        Unavailable: the start-up test failed.
    """

    def __init__(
        self,
        read: Callable[[int], bytes] = os.urandom,
        fill: Callable[[SecretBuffer], None] = SecretBuffer.fill_random,
    ) -> None:
        self._read, self._fill = read, fill
        self._tests, self._lock = HealthTests(), threading.Lock()
        self._failed = ""
        self.bytes(STARTUP_SAMPLES)

    def bytes(self, n: int) -> bytes:
        """Return `n` tested bytes.

        Raises:
            Unavailable: a health test has failed, now or before.
        """
        with self._lock:
            self._require_sound()
            drawn = self._read(n)
            self._test(drawn)
            return drawn

    def fill(self, secret: SecretBuffer) -> None:
        """Fill `secret` with tested bytes.

        Raises:
            Unavailable: a health test has failed; `secret` is then wiped.
        """
        with self._lock:
            self._require_sound()
            self._fill(secret)
            try:
                self._test(secret.view)
            except Unavailable:
                secret.wipe()
                raise

    def _test(self, samples: Iterable[int]) -> None:
        self._failed = self._tests.feed(samples) or ""
        self._require_sound()

    def _require_sound(self) -> None:
        if self._failed:
            message = (
                f"the random generator failed its {self._failed} test "
                "(SP 800-90B section 4.4) and is switched off: check this machine"
            )
            raise Unavailable(message)
