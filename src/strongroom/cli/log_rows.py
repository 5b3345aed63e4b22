# SPDX-License-Identifier: Apache-2.0
"""Searching a log, of a room or of a gate: what a person asks for, what is shown."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypedDict

import typer

from strongroom.cli import arguments
from strongroom.cli.views import iso, moment, short
from strongroom.cli.words import say
from strongroom.core.codec.log_entry import CATEGORIES, Category, LogEntry
from strongroom.errors import NotFound

if TYPE_CHECKING:
    from strongroom.cli.desk import Desk

Rows = Sequence[tuple[int, LogEntry]]
App = Annotated[
    str | None,
    typer.Option(help="Only of this app: its measurement, how it begins, a bundle."),
]
Since = Annotated[
    str | None,
    typer.Option(help="Only from then on: a date, or 2d for two days ago."),
]
Until = Annotated[
    str | None,
    typer.Option(help="Only until then: a date, or 2d for two days ago."),
]
Class = Annotated[
    Category | None, typer.Option("--class", help="Only of this class of records.")
]
Failed = Annotated[
    bool, typer.Option("--failed", help="Only what was refused or failed.")
]
_WHOLE = re.compile(r"[0-9a-f]{32,}")
_LONG = 64
"""Letters that no other id than a whole one has; those of enclaves have 32."""


class Wanted(TypedDict):
    """What a log is searched for: ids as the log has them, times in Unix seconds."""

    task: str | None
    app: str | None
    party: str | None
    since: int | None
    until: int | None


EVERYTHING: Final[Wanted] = {
    "task": None,
    "app": None,
    "party": None,
    "since": None,
    "until": None,
}


def wanted(  # noqa: PLR0913 - one parameter an option
    desk: "Desk",
    all_rows: Callable[[], Rows],
    *,
    task: str | None,
    app: str | None,
    party: str | None,
    since: str | None,
    until: str | None,
) -> Wanted:
    """Return what the options mean.

    Args:
        desk: has the clock.
        all_rows: the log, which is read where an id is not whole.
        task: an id, or how one begins; so with `party`.
        app: a measurement, or how one begins, or a bundle.
        party: see `task`.
        since: a date, or how long ago.
        until: see `since`.

    Raises:
        NotFound: no id in the log begins so.
        BadParameter: several do.
    """
    now = desk.now()
    start, end = (moment(at, now, past=True) if at else None for at in (since, until))
    return {
        "task": _whole("task", task, all_rows),
        "app": _whole("app", app and arguments.measurement(app), all_rows),
        "party": _whole("party", party, all_rows),
        "since": start,
        "until": end,
    }


def _whole(what: str, text: str | None, all_rows: Callable[[], Rows]) -> str | None:
    """Return the id that a text means: tables show how ids begin."""
    is_id = text is not None and _WHOLE.fullmatch(text) is not None
    if text is None or (is_id and len(text) >= _LONG):
        return text
    found = {
        name
        for _, entry in all_rows()
        for name in (entry.subject, entry.object, entry.detail.get(what, ""))
        if name and name.startswith(text)
    }
    if text in found or (is_id and not found):
        return text
    if not found:
        message = say("no id in this log begins with {text}", text=text)
        raise NotFound(message)
    if len(found) > 1:
        message = say("{count} ids begin with {text}", count=len(found), text=text)
        raise arguments.usage_error(message)
    return found.pop()


def narrowed(
    rows: Iterable[tuple[int, LogEntry]], of: Category | None, *, failed: bool
) -> Rows:
    """Return rows of a class, and those of what did not succeed."""
    return [
        (index, entry)
        for index, entry in rows
        if of in (None, entry.category) and not (failed and entry.outcome == "ok")
    ]


def values(rows: Rows) -> list[dict[str, object]]:
    """Return rows for programs."""
    return [
        {"index": index, **entry.to_value(), "time": iso(entry.time)}
        for index, entry in rows
    ]


def classes(rows: Iterable[LogEntry]) -> dict[str, int]:
    """Return how many records of each class there are, in the standard's order."""
    counts = Counter[str](entry.category for entry in rows)
    return {name: counts[name] for name in CATEGORIES}


def spelt(counts: dict[str, int]) -> str:
    """Return counts of classes in a line."""
    return ", ".join(f"{say(name)} {count}" for name, count in counts.items())


def shown(name: str) -> str:
    """Return a name as tables have it: the ids in it by how they begin."""
    return _WHOLE.sub(lambda found: short(found[0]), name)
