# SPDX-License-Identifier: Apache-2.0
"""`strongroom audit`: copy, verify and search a room's public log (LOG-3)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import arguments, log_rows
from strongroom.cli.audit_gate import add_gate
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.log_copy import fetched, key_of, verified
from strongroom.cli.output import Facts, Grid, Line
from strongroom.cli.rows import maps
from strongroom.cli.views import Check, iso
from strongroom.cli.words import say
from strongroom.core.codec.log_entry import LogEntry
from strongroom.errors import Malformed

group, attach = noun("The room's public log, and the nodes' own: verify, query.")
Url = Annotated[str | None, typer.Option(help="Address of the room whose log it is.")]
Key = Annotated[
    str | None,
    typer.Option(help="The log's key, in one line or in a file; else of the room."),
]
Older = Annotated[
    Path | None,
    typer.Option(help="A checkpoint kept earlier: the log must have grown from it."),
]
Folder = Annotated[Path | None, typer.Argument(help="Folder with a copy of the log.")]


@command(group, "fetch")
def fetch(
    desk: Desk,
    folder: Annotated[Path, typer.Argument(help="Where to put the copy.")],
    *,
    url: Url = None,
) -> None:
    """Copy a log into a folder; verifies nothing yet."""
    files = fetched(desk, folder, url)
    done = say("{count} files of the log are in {folder}.", count=files, folder=folder)
    desk.printer.show({"folder": str(folder), "files": files}, Line(done))


@command(group, "verify")
def verify(
    desk: Desk,
    folder: Folder = None,
    *,
    url: Url = None,
    key: Key = None,
    room: arguments.RoomFile = None,
    older: Older = None,
) -> None:
    """Check every entry of a log against its signed checkpoint; needs only its key."""
    report = verified(desk, folder, url, key_of(desk, key, room), older)
    counts = log_rows.classes(entry for _, entry in report.query())
    refused = sum(entry.outcome == "refused" for _, entry in report.query())
    checks = [
        Check(
            "checkpoint",
            say("signed by the key of {origin}", origin=report.checkpoint.origin),
        ),
        Check(
            "entries",
            say(
                "{count}, and all of them give the signed root",
                count=report.checkpoint.size,
            ),
        ),
        Check("records", log_rows.spelt(counts)),
    ]
    if older is not None:
        checks.append(
            Check("growth", say("the log has grown from the older checkpoint"))
        )
    value = {
        "origin": report.checkpoint.origin,
        "entries": report.checkpoint.size,
        "root": report.checkpoint.root,
        "categories": counts,
        "refused": refused,
        "checks": [each.sentence for each in checks],
    }
    cells = [(say(each.what), each.found) for each in checks]
    desk.printer.show(
        value,
        Line(say("The log holds."), "green"),
        Grid("What was verified", ("check", "found"), cells),
        Facts(
            "Log", [("root", report.checkpoint.root.hex()), ("refusals in it", refused)]
        ),
    )


@command(group, "query")
def query(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    folder: Folder = None,
    *,
    task: Annotated[
        str | None, typer.Option(help="Only of this task: its id, or how it begins.")
    ] = None,
    party: Annotated[
        str | None,
        typer.Option(help="Only of this party: name, id or identity file."),
    ] = None,
    app: log_rows.App = None,
    since: log_rows.Since = None,
    until: log_rows.Until = None,
    of_class: log_rows.Class = None,
    failed: log_rows.Failed = False,
    key: Key = None,
    room: arguments.RoomFile = None,
) -> None:
    """Search a verified copy of the log; without a folder, ask what concerns you."""
    who = desk.contacts.resolve(party) if party else None
    search = _searching(desk, folder, key, room)
    wanted = log_rows.wanted(
        desk,
        lambda: search(log_rows.EVERYTHING),
        task=task,
        app=app,
        party=who,
        since=since,
        until=until,
    )
    rows = log_rows.narrowed(search(wanted), of_class, failed=failed)
    names = desk.contacts.names()
    cells = [
        (
            index,
            iso(entry.time),
            entry.action,
            names.get(entry.subject, log_rows.shown(entry.subject)),
            names.get(entry.object, log_rows.shown(entry.object)),
            say(entry.outcome),
            entry.detail.get("rules", ""),
        )
        for index, entry in rows
    ]
    columns = ("no.", "time", "action", "who", "what", "outcome", "rules")
    desk.printer.show({"entries": log_rows.values(rows)}, Grid("Log", columns, cells))


def _searching(
    desk: Desk, folder: Path | None, key: str | None, room: Path | None
) -> Callable[[log_rows.Wanted], log_rows.Rows]:
    """Return what searches: a verified copy, or what the broker answers."""
    if folder is None:
        return partial(_ask, desk)
    report = verified(desk, folder, None, key_of(desk, key, room))
    return lambda wanted: list(report.query(**wanted))


def _ask(desk: Desk, wanted: log_rows.Wanted) -> log_rows.Rows:
    """Ask the broker for what concerns this party."""
    found = []
    for row in maps(desk.session.ask("log.query", {**wanted}), "entries"):
        match row:
            case {"index": int() as index, "entry": bytes() as data}:
                found.append((index, LogEntry.from_bytes(data)))
            case _:
                message = "the broker's log entries are not entries"
                raise Malformed(message)
    return found


add_gate(group)
