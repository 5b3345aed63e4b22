# SPDX-License-Identifier: Apache-2.0
"""Watches one enclave from outside: its threads, processes, processor time (RES-1).

Each new thread or process waits for leave, so it is counted before it exists, for the
host's root as for anyone. Who asks for one too many ends the whole enclave, and the
limit is named. Between two births nothing is counted and nothing costs anything, but
where `cpu_seconds` is declared: then the kernel's clocks are read as often as the time
that is left allows for, and a hundred times a second while processes are being made,
since the time of one that nobody waits for is gone with it.
"""

import os
import select
import signal
import time

from strongroom.system.monitor.sandbox.limits import RUNTIME_THREADS, Limits
from strongroom.system.monitor.sandbox.tasks import (
    Request,
    Usage,
    let,
    processes_of,
    receive,
    threads_of,
    usage_of,
)

_SHORTEST_S, _LONGEST_S = 0.05, 0.25
_BIRTHS_S, _BETWEEN_BIRTHS_S = 0.2, 0.01


class Watch:
    """Attends to one enclave until its first process ends."""

    def __init__(self, first: int, listener: int, limits: Limits) -> None:
        """Begin.

        Args:
            first: the first process of the enclave's pid namespace, not yet waited for.
            listener: where its tasks ask; -1 if the lock "limits" was waived.
            limits: what the app declared.
        """
        self._first, self._listener, self._limits = first, listener, limits
        self._clock = Clock(first, limits)
        self._processes = limits.processes + 1 + limits.apart
        self._unsettled = False

    def run(self) -> str:
        """Attend until the enclave has ended, or end it; it is left to be waited for.

        Returns:
            The limit (as the manifest names it) that this ended it for, or "".
        """
        poll = select.poll()
        end = os.pidfd_open(self._first)
        reached = ""
        try:
            poll.register(end, select.POLLIN)
            if self._listener >= 0:
                poll.register(self._listener, select.POLLIN)
            while end not in (ready := dict(poll.poll(self._patience_ms()))):
                reached = self._look(poll, ready.get(self._listener, 0))
                if reached:
                    os.kill(self._first, signal.SIGKILL)
                    break
        finally:
            os.close(end)
        return reached

    def _look(self, poll: "select.poll", event: int) -> str:
        """Return the limit that is reached, or ""."""
        if not event & select.POLLIN:
            if event:  # nobody is left who could ask
                poll.unregister(self._listener)
            return self._count() or self._clock.reached()
        request = receive(self._listener)
        if request is None:
            return ""
        reached = self._one_too_many(request) or self._clock.reached()
        if not reached:
            let(self._listener, request)
            self._unsettled = True
            if not request.thread:
                self._clock.birth()
        return reached

    def _one_too_many(self, request: Request) -> str:
        if request.thread:
            threads = threads_of(request.task)
            return "threads" if len(threads) >= self._allowed(threads) else ""
        here = len(processes_of(self._first))
        return "processes" if here >= self._processes else ""

    def _count(self) -> str:
        """Count what lives, once it is quiet: some may have been let in at one time."""
        if not self._unsettled:
            return ""
        self._unsettled = False
        processes = processes_of(self._first)
        if len(processes) > self._processes:
            return "processes"
        groups = (threads_of(pid) for pid in processes)
        over = any(len(threads) > self._allowed(threads) for threads in groups)
        return "threads" if over else ""

    def _allowed(self, threads: tuple[int, ...]) -> int:
        runtime = self._limits.apart and self._first in threads
        return RUNTIME_THREADS if runtime else self._limits.threads_each

    def _patience_ms(self) -> int | None:
        waits = [self._clock.patience_s()] if self._limits.cpu_seconds else []
        waits += [_SHORTEST_S] if self._unsettled else []
        return int(min(waits) * 1000) if waits else None


class Clock:
    """The processor time of one enclave, without what its runtime used."""

    def __init__(self, first: int, limits: Limits) -> None:
        self._first, self._limits = first, limits
        self._seen: dict[tuple[int, int], float] = {}
        self._used_s, self._read_at, self._birth_at = 0.0, 0.0, 0.0
        before = usage_of(first)
        self._before_s = before.own_s if before else 0.0

    def reached(self) -> str:
        """Return "cpu_seconds" if they are used up, or ""."""
        limit = self._limits.cpu_seconds
        now = time.monotonic()
        if not limit or now - self._read_at < _BETWEEN_BIRTHS_S / 2:
            return ""
        self._read_at = now
        self._used_s = max(self._used_s, self._read())
        return "cpu_seconds" if self._used_s >= limit else ""

    def birth(self) -> None:
        """Take note that a process is being made."""
        self._birth_at = time.monotonic()

    def patience_s(self) -> float:
        """Return how long the limit cannot be reached, within bounds."""
        if time.monotonic() - self._birth_at < _BIRTHS_S:
            return _BETWEEN_BIRTHS_S
        left = self._limits.cpu_seconds - self._used_s
        return min(_LONGEST_S, max(_SHORTEST_S, left / (os.cpu_count() or 1)))

    def _read(self) -> float:
        """Return the seconds used: by what lives and what was waited for.

        A process that nobody waited for is in no sum of the kernel's when it is gone:
        what was last seen of it is kept here, and the larger sum counts.
        """
        rows = [self._own(u) for p in processes_of(self._first) if (u := usage_of(p))]
        self._seen |= {(row.pid, row.started): row.own_s for row in rows}
        return max(
            sum(row.own_s + row.waited_s for row in rows), sum(self._seen.values())
        )

    def _own(self, usage: Usage) -> Usage:
        """Take off what is not the app's: the runtime, or what was before the app."""
        if usage.pid != self._first:
            return usage
        own = 0.0 if self._limits.apart else max(0.0, usage.own_s - self._before_s)
        return Usage(usage.pid, usage.started, own, usage.waited_s)
