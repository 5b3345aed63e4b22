# SPDX-License-Identifier: Apache-2.0
"""What happened at the gate: one event a command, no secrets (LOG-1, LOG-2).

Of a command only its name is kept, whose it was and how it went: no field of it and
nothing of an answer. So a label that an app made of a secret is in no log. An enclave
counts as its owner: its events have the owner's uid, and pid 0.
"""

import json
import os
import threading
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

from strongroom.errors import Misconfigured, StrongroomError

_RING = 1024


@dataclass(frozen=True)
class GateEvent:
    """One command: when (Unix seconds), whose, on what, and how it went.

    `outcome` is "ok" or an error's code; `rule` names the rule that refused, or the
    limit that was reached. "END" is no command: it is an enclave's end.
    """

    at: int
    caller_uid: int
    caller_pid: int
    command: str
    subject: str
    outcome: str
    rule: str


class EventLog:
    """The newest events in memory, and all of them in a file if one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self._ring: deque[GateEvent] = deque(maxlen=_RING)
        self._lock = threading.Lock()
        self._fd = -1 if path is None else _open(path)

    def record(self, event: GateEvent) -> None:
        """Keep one event."""
        with self._lock:
            self._ring.append(event)
            if self._fd >= 0:
                line = json.dumps(asdict(event), separators=(",", ":")) + "\n"
                os.write(self._fd, line.encode())

    def recent(self) -> tuple[GateEvent, ...]:
        """Return what the memory still holds, oldest first."""
        with self._lock:
            return tuple(self._ring)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def outcome_of(error: StrongroomError | None) -> tuple[str, str]:
    """Return an event's outcome and rule."""
    if error is None:
        return "ok", ""
    return error.code, error.findings[0].rule if error.findings else ""


def _open(path: Path) -> int:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(path, flags, 0o600)
    except OSError as error:
        message = f"the event log {path} cannot be opened: {error.strerror}"
        raise Misconfigured(message) from error
