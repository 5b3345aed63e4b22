# SPDX-License-Identifier: Apache-2.0
"""Processes by the kernel's word: who lives, whose child, and its end by kill -9."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GONE_S = 15.0
_POLL_S = 0.005
_SLEEP = "230 "  # clock_nanosleep, in /proc/PID/syscall on x86-64


@dataclass(frozen=True)
class Process:
    """One process; its start time tells it from a later one of the same number."""

    pid: int
    parent: int
    started: int

    @property
    def words(self) -> str:
        """Its command line."""
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().decode()

    @property
    def sleeps(self) -> bool:
        """Whether it is in a sleep of its own."""
        try:
            return Path(f"/proc/{self.pid}/syscall").read_text().startswith(_SLEEP)
        except OSError:
            return False


def find(pid: int) -> Process | None:
    """Return a living process: not one that only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else Process(pid, int(fields[1]), int(fields[19]))


def descendants(pid: int) -> list[Process]:
    """Return a process and all that came from it, parents first."""
    everyone = [find(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()]
    found = [p for p in everyone if p is not None and p.pid == pid]
    for parent in found:
        found += [p for p in everyone if p is not None and p.parent == parent.pid]
    return found


def until(
    holds: Callable[[], bool],
    what: str,
    seconds: float = GONE_S,
    pause: float = _POLL_S,
) -> None:
    """Poll until something holds; fail at the deadline."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)


def kill(pid: int) -> None:
    """End a process by kill -9 and see that all it had started ends with it."""
    family = descendants(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    gone(family)


def gone(family: list[Process]) -> None:
    """Wait until none of them is left."""
    until(
        lambda: not [p for p in family if find(p.pid) == p],
        f"the end of {[p.pid for p in family]}: orphans",
    )
