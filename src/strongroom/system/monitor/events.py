# SPDX-License-Identifier: Apache-2.0
"""What happened at the gate: a record a command, no secrets (LOG-1, LOG-2).

Of a command only its name is kept, whose it was and how it went: no field of it and
nothing of an answer. So a label that an app made of a secret is in no log. What is
public of an enclave goes along: its app by measurement, its signer, the interface
(IF-1 to IF-15) that a call was of. A rule is the id of one, or it is left out.
"""

import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from strongroom.core.codec.log_entry import Category, LogEntry, Outcome
from strongroom.errors import CODES, Conflict, Malformed, Refused, StrongroomError

LAST_INTERFACE: Final = 15
"""IF-15: the methods of a service app up to here are the unified interface."""

OK: Final = "ok"
MAX_CALLS: Final = 1024
_NO_CALLS = "an enclave tells of calls of the interface, by number, count and outcome"
_RING = 1024
_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

CATEGORIES: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "CREATE": "task",
        "DESTROY": "task",
        "END": "task",
        "STATUS": "system",
        "LOG": "system",
        "EVIDENCE": "hardware",
        "COUNTER": "hardware",
        "INCREMENT": "hardware",
        "FRAME": "network",
        "ASK_HOST": "network",
    }
)
"""Class of a command (LOG-1); every other is an "interface" call."""

INTERFACES: Final[Mapping[str, str]] = MappingProxyType(
    {"CREATE": "IF-1", "DESTROY": "IF-2", "REPORT": "IF-3", "RANDOM": "IF-8"}
)
"""Commands that are a function of the unified interface by themselves."""


class Keep(Protocol):
    """Where records outlive the process."""

    def append(self, entry: LogEntry) -> None:
        """Write a record down before whoever caused it is answered."""

    def checkpoint(self) -> bytes:
        """Return the signed head of the log, everything below it written down."""

    def close(self) -> None:
        """Write the last head down."""


class EventLog:
    """The newest records in memory, and all of them in a place that keeps them."""

    def __init__(self, keep: Keep | None = None) -> None:
        self._ring: deque[LogEntry] = deque(maxlen=_RING)
        self._lock = threading.Lock()
        self._keep = keep

    def record(self, entry: LogEntry) -> None:
        """Keep one record.

        Raises:
            Unavailable: it cannot be written down.
        """
        with self._lock:
            self._ring.append(entry)
            if self._keep is not None:
                self._keep.append(entry)

    def recent(self) -> tuple[LogEntry, ...]:
        """Return what the memory still holds, oldest first."""
        with self._lock:
            return tuple(self._ring)

    def checkpoint(self) -> bytes:
        """Return the signed head of the log (c2sp.org/tlog-checkpoint).

        Raises:
            Conflict: the log is kept in memory only.
        """
        with self._lock:
            if self._keep is None:
                message = "this monitor keeps its log in memory only: start it with one"
                raise Conflict(message)
            return self._keep.checkpoint()

    def close(self) -> None:
        """Write the last head down."""
        with self._lock:
            if self._keep is not None:
                self._keep.close()
                self._keep = None


def entry_of(
    command: str,
    at: int,
    subject: str,
    object_: str,
    error: StrongroomError | None,
    **detail: str,
) -> LogEntry:
    """Return the record of a command.

    Args:
        command: its name; "END" is no command but an enclave's end.
        at: Unix seconds.
        subject: who sent it.
        object_: what it was about; "" for the machine.
        error: how it failed, if it did.
        detail: more identifiers; empty ones are left out.
    """
    if command in INTERFACES:
        detail.setdefault("interface", INTERFACES[command])
    code, rule = outcome_of(error)
    return LogEntry(
        time=max(0, at),
        category=CATEGORIES.get(command, "interface"),
        action=f"gate.{command.lower().replace('_', '-')}",
        subject=subject,
        object=object_,
        outcome=outcome_named(code),
        detail={
            name: value
            for name, value in (
                *detail.items(),
                ("error", "" if error is None else code),
                ("rule", rule),
            )
            if value
        },
    )


def outcome_of(error: StrongroomError | None) -> tuple[str, str]:
    """Return "ok" or the error's code, and the id of the rule that refused."""
    if error is None:
        return OK, ""
    rule = error.findings[0].rule if error.findings else ""
    return error.code, rule if _RULE.fullmatch(rule) else ""


def outcome_named(code: str) -> Outcome:
    """Return the outcome that an error's code stands for."""
    if code == OK:
        return "ok"
    return "refused" if issubclass(CODES[code], Refused) else "failed"


def called(rows: object) -> Iterator[tuple[int, int, str, str]]:
    """Yield number, count, code and rule of the calls that an app's runtime tells of.

    Raises:
        Malformed: no such calls.
    """
    if not isinstance(rows, list) or len(rows) > MAX_CALLS:
        raise Malformed(_NO_CALLS)
    for row in rows:
        match row:
            case [int() as number, int() as count, str() as code, str() as rule] if (
                0 < number <= LAST_INTERFACE
                and count > 0
                and code in (OK, *CODES)
                and (not rule or _RULE.fullmatch(rule))
            ):
                yield number, count, code, rule
            case _:
                raise Malformed(_NO_CALLS)
