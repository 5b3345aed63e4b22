# SPDX-License-Identifier: Apache-2.0
"""Where the bits to be tested come from, and what that source is worth."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from strongroom.errors import Misconfigured
from strongroom.hardware.parts.rng import Generator

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Source:
    """A source of bytes.

    `take` gives as many bytes as it is asked for, fewer only at its end. `grade` is
    OS for the kernel's generator, SIM for the simulated device's, which is the
    kernel's under health tests, and "" where nothing is known.
    """

    name: str
    grade: str
    take: Callable[[int], bytes]


@contextmanager
def open_source(name: str) -> Iterator[Source]:
    """Open the source of that name: kernel, strongroom, - for stdin, or a file.

    Raises:
        Misconfigured: standard input is a terminal.
        OSError: the file cannot be read.
        Unavailable: the generator failed its health tests.
    """
    if name == "kernel":
        yield Source(name, "OS", os.urandom)
    elif name == "strongroom":
        yield Source(name, "SIM", Generator().bytes)
    elif name == STANDARD_INPUT:
        yield Source("stdin", "", _whole(_standard_input()))
    else:
        with Path(name).open("rb") as file:
            yield Source(name, "", _whole(file))


def _standard_input() -> BinaryIO:
    if sys.stdin.isatty():
        message = "standard input is a terminal: pipe the generator's output into it"
        raise Misconfigured(message)
    return sys.stdin.buffer


def _whole(file: BinaryIO) -> Callable[[int], bytes]:
    """Return a function that reads until it has all or the file ends."""

    def take(size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size and (part := file.read(size - len(parts))):
            parts += part
        return bytes(parts)

    return take
