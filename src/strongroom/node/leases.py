# SPDX-License-Identifier: Apache-2.0
"""Who is running what: an attempt whose node falls silent is given to another.

Leases are a courtesy of the untrusted side. The broker alone decides what may be
released, and an attempt that was given up cannot finish.
"""

import threading
import time

from strongroom.application.broker import Method
from strongroom.application.cleanroom import Ticket
from strongroom.errors import Malformed, StrongroomError, Unavailable
from strongroom.node.broker_host import BrokerHost

LEASE_S = 6.0
_SILENT = Unavailable("the compute node fell silent during the attempt")


class Leases:
    """Attempts that a node has taken and not yet ended."""

    def __init__(self, host: BrokerHost) -> None:
        self._host = host
        self._ends: dict[tuple[str, int], float] = {}
        self._lock = threading.Lock()
        self._work = threading.Event()

    def announce(self) -> None:
        """Wake whoever waits for work."""
        self._work.set()

    def take(self, wait_s: float) -> list[bytes]:
        """Return tickets that no node is running, waiting for one at most `wait_s`."""
        self._work.clear()
        taken = self._take()
        if not taken and self._work.wait(wait_s):
            taken = self._take()
        return taken

    def _take(self) -> list[bytes]:
        self._end_silent()
        answer = self._host.call(Method.TICKETS, {})
        with self._lock:
            for ticket in _tickets(answer, "released"):
                self._start(ticket)  # of a node that took it before a restart of ours
            waiting = _tickets(answer, "tickets")
            return [ticket.to_bytes() for ticket in waiting if self._start(ticket)]

    def _start(self, ticket: Ticket) -> bool:
        key = (ticket.task, ticket.attempt)
        if key in self._ends:
            return False
        self._ends[key] = time.monotonic() + LEASE_S
        return True

    def renew(self, task: str, attempt: int) -> None:
        """Note that the attempt's node is alive."""
        with self._lock:
            if (task, attempt) in self._ends:
                self._ends[task, attempt] = time.monotonic() + LEASE_S

    def end(self, task: str, attempt: int) -> None:
        """Note that the attempt has ended."""
        with self._lock:
            self._ends.pop((task, attempt), None)

    def _end_silent(self) -> None:
        now = time.monotonic()
        with self._lock:
            silent = [key for key, end in self._ends.items() if end < now]
            for key in silent:
                del self._ends[key]
        for task, attempt in silent:
            try:
                self._host.call(
                    Method.FAILED,
                    {"task": task, "attempt": attempt, "error": _SILENT.to_value()},
                )
            except StrongroomError:
                continue  # it ended in the meantime


def _tickets(answer: dict[str, object], name: str) -> list[Ticket]:
    rows = answer.get(name)
    if not isinstance(rows, list):
        message = "the broker's tickets are not a list"
        raise Malformed(message)
    return [Ticket.from_bytes(row) for row in rows]
