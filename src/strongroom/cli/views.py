# SPDX-License-Identifier: Apache-2.0
"""How ids, times and sizes are written: whole for programs, short for people."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from strongroom.cli.words import say
from strongroom.errors import Malformed

SHORT = 16
_DURATION = re.compile(r"(\d+)(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_KILO = 1024


def short(identifier: str | bytes) -> str:
    """Return the start of an id or digest."""
    text = identifier.hex() if isinstance(identifier, bytes) else identifier
    return text[:SHORT]


def iso(seconds: int) -> str:
    """Return a time in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def size(count: int) -> str:
    """Return a number of bytes for people."""
    amount, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= _KILO and len(units) > 1:
        amount /= _KILO
        units.pop(0)
    return (
        f"{amount:.0f} {units[0]}"
        if amount == int(amount)
        else f"{amount:.1f} {units[0]}"
    )


def named(party: str, names: Mapping[str, str]) -> str:
    """Return a party's name with the start of its id, or its whole id alone."""
    return f"{names[party]} ({short(party)})" if party in names else party


def comma(items: Sequence[str]) -> str:
    """Return items in one line; a word where there are none."""
    return ", ".join(items) or say("none")


def duration(text: str) -> int:
    """Return the seconds in a duration such as 30d, 12h, 90m.

    Raises:
        Malformed: another text.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        message = say(
            "a duration is written like 30d, 12h or 90m, not {text}", text=text
        )
        raise Malformed(message)
    return int(timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds())


def moment(text: str, now: int, *, past: bool = False) -> int:
    """Return a time in Unix seconds: an ISO 8601 date or time (UTC), or a duration.

    Args:
        text: what the person wrote.
        now: what a duration counts from.
        past: count a duration back instead of forward.

    Raises:
        Malformed: neither.
    """
    if _DURATION.fullmatch(text):
        return now + (-duration(text) if past else duration(text))
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = say(
            "{text} is no date such as 2027-01-31, and no duration", text=text
        )
        raise Malformed(message) from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


@dataclass(frozen=True)
class Check:
    """One thing that was verified, what was found, and on what it rests.

    `grade` is HW (a hardware root of trust), OS (the kernel of the machine), SIM
    (the simulated device), or "" where it rests on signatures and digests alone.
    """

    what: str
    found: str
    grade: str = ""

    @property
    def sentence(self) -> str:
        """All of it in one line, for programs."""
        return f"{self.what}: {self.found}" + (f" [{self.grade}]" if self.grade else "")
