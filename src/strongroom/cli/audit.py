# SPDX-License-Identifier: Apache-2.0
"""`strongroom audit`: copy, verify and search a room's public log (LOG-3)."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import arguments
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Facts, Grid, Line
from strongroom.cli.rows import maps
from strongroom.cli.views import Check, iso, moment, short
from strongroom.cli.words import say
from strongroom.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.core.codec.note import NoteKey
    from strongroom.management.audit import AuditReport, GateLog, LogEntry

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
Since = Annotated[
    str | None,
    typer.Option(help="Only from then on: a date, or 2d for two days ago."),
]
_ID = 40
"""Longer names are ids, and are shown short."""

Folder = Annotated[Path | None, typer.Argument(help="Folder with a copy of the log.")]


@command(group, "fetch")
def fetch(
    desk: Desk,
    folder: Annotated[Path, typer.Argument(help="Where to put the copy.")],
    *,
    url: Url = None,
) -> None:
    """Copy a log into a folder; verifies nothing yet."""
    files = _fetch(desk, folder, url)
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
    report = _verified(desk, folder, url, _key(desk, key, room), older)
    counts = Counter(entry.category for _, entry in report.query())
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
        Check(
            "records", ", ".join(f"{name} {counts[name]}" for name in sorted(counts))
        ),
    ]
    if older is not None:
        checks.append(
            Check("growth", say("the log has grown from the older checkpoint"))
        )
    value = {
        "origin": report.checkpoint.origin,
        "entries": report.checkpoint.size,
        "root": report.checkpoint.root,
        "categories": dict(counts),
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
    task: Annotated[str | None, typer.Option(help="Only of this task.")] = None,
    party: Annotated[str | None, typer.Option(help="Only of this party.")] = None,
    app: Annotated[str | None, typer.Option(help="Only of this app.")] = None,
    since: Since = None,
    key: Key = None,
    room: arguments.RoomFile = None,
) -> None:
    """Search a verified copy of the log; without a folder, ask what concerns you."""
    start = moment(since, desk.now(), past=True) if since else None
    who = desk.contacts.resolve(party) if party else None
    if folder is None:
        entries = _ask(desk, {"task": task, "party": who, "app": app, "since": start})
    else:
        report = _verified(desk, folder, None, _key(desk, key, room), None)
        entries = list(report.query(task=task, party=who, app=app, since=start))
    values = [
        {"index": index, **entry.to_value(), "time": iso(entry.time)}
        for index, entry in entries
    ]
    names = desk.contacts.names()
    cells = [
        (
            index,
            iso(entry.time),
            entry.action,
            names.get(entry.subject, short(entry.subject)),
            names.get(entry.object, short(entry.object)),
            say(entry.outcome),
            entry.detail.get("rules", ""),
        )
        for index, entry in entries
    ]
    columns = ("no.", "time", "action", "who", "what", "outcome", "rules")
    desk.printer.show({"entries": values}, Grid("Log", columns, cells))


@command(group, "gate")
def gate(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    folder: Annotated[
        Path, typer.Argument(help="A monitor's own log: `gate-log` of a node.")
    ],
    *,
    task: Annotated[
        str | None, typer.Option(help="Only of this enclave, by its id in a receipt.")
    ] = None,
    party: Annotated[
        str | None, typer.Option(help="Only of apps by this signer, or of this caller.")
    ] = None,
    app: Annotated[
        str | None, typer.Option(help="Only of the app with this measurement.")
    ] = None,
    since: Since = None,
    until: Annotated[
        str | None,
        typer.Option(help="Only until then: a date, or 2d ago."),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what was refused or failed.")
    ] = False,
    room: arguments.RoomFile = None,
    room_log: Annotated[
        Path | None,
        typer.Option(help="A copy of the room's log: every head in it must be here."),
    ] = None,
) -> None:
    """Verify and search what a node's monitor wrote down of every command."""
    from strongroom.core.rats import Trust  # noqa: PLC0415
    from strongroom.management.audit import verify_gate_log  # noqa: PLC0415

    of, now = desk.room(room), desk.now()
    trust = Trust(replace(of.endorsements, revoked=desk.home.revoked(of.kind)))
    heads = (
        _verified(desk, room_log, None, _key(desk, None, room), None)
        if room_log
        else None
    )
    log = verify_gate_log(folder, trust, now, heads)
    start, end = (moment(at, now, past=True) if at else None for at in (since, until))
    entries = [
        (index, entry)
        for index, entry in log.query(
            task=task, app=app, party=party, since=start, until=end
        )
        if not failed or entry.outcome != "ok"
    ]
    _show_gate(desk, log, entries)


def _show_gate(
    desk: Desk, log: "GateLog", entries: "Sequence[tuple[int, LogEntry]]"
) -> None:
    values = [
        {"index": index, **entry.to_value(), "time": iso(entry.time)}
        for index, entry in entries
    ]
    cells = [
        (
            index,
            iso(entry.time),
            entry.action,
            entry.detail.get("interface", ""),
            short(entry.subject) if len(entry.subject) > _ID else entry.subject,
            short(entry.object),
            say(entry.outcome),
            entry.detail.get("rule", entry.detail.get("error", "")),
        )
        for index, entry in entries
    ]
    columns = ("no.", "time", "action", "interface", "who", "what", "outcome", "rules")
    holds = say(
        "The log holds: {count} records of device {device}.",
        count=log.entries,
        device=short(log.device_id),
    )
    lines = [Line(holds, "green")]
    if log.unsigned:
        lines.append(
            Line(say("A last part is not signed yet; it is left out."), "yellow")
        )
    value = {
        "device": log.device_id,
        "segments": len(log.segments),
        "records": log.entries,
        "unsigned": log.unsigned,
        "entries": values,
    }
    desk.printer.show(value, *lines, Grid("Log", columns, cells))


def _ask(desk: Desk, wanted: dict[str, object]) -> "list[tuple[int, LogEntry]]":
    from strongroom.management.audit import LogEntry  # noqa: PLC0415

    found = []
    for row in maps(
        desk.session.ask("log.query", {**wanted, "until": None}), "entries"
    ):
        match row:
            case {"index": int() as index, "entry": bytes() as data}:
                found.append((index, LogEntry.from_bytes(data)))
            case _:
                message = "the broker's log entries are not entries"
                raise Malformed(message)
    return found


def _key(desk: Desk, text: str | None, room: Path | None) -> "NoteKey":
    from strongroom.client.receipts import log_key  # noqa: PLC0415
    from strongroom.core.codec.note import NoteKey  # noqa: PLC0415

    if text is None:
        return log_key(desk.room(room))
    file = Path(text)
    line = (
        file.read_text("utf-8").strip() if "+" not in text or file.is_file() else text
    )
    return NoteKey.parse(line)


def _verified(
    desk: Desk, folder: Path | None, url: str | None, key: "NoteKey", older: Path | None
) -> "AuditReport":
    from strongroom.management.audit import verify_folder  # noqa: PLC0415

    known = older.read_bytes() if older else None
    if folder is not None:
        return verify_folder(folder, key, older=known)
    with tempfile.TemporaryDirectory(prefix="strongroom-log-") as place:
        _fetch(desk, Path(place), url)
        return verify_folder(Path(place), key, older=known)


def _fetch(desk: Desk, folder: Path, url: str | None) -> int:
    """Copy checkpoint and tiles, as c2sp.org/tlog-tiles names them."""
    from strongroom.core.codec.note import Note  # noqa: PLC0415
    from strongroom.core.codec.tlog import Checkpoint, tile_paths  # noqa: PLC0415

    transport = desk.transport(url)
    checkpoint = transport.get("/v1/log/checkpoint")
    count = Checkpoint.parse(Note.parse(checkpoint).text).size
    paths = [tile.path for tile in tile_paths(count)]
    with desk.printer.progress("Copying the log", None) as progress:
        for done, path in enumerate(paths):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(transport.get(f"/v1/log/{path}"))
            progress(done)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_bytes(checkpoint)
    return len(paths) + 1
