# SPDX-License-Identifier: Apache-2.0
"""`strongroom audit gate`: verify and search a monitor's own log (LOG-2, LOG-3)."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import arguments, log_rows
from strongroom.cli.command import command
from strongroom.cli.desk import Desk
from strongroom.cli.log_copy import key_of, verified
from strongroom.cli.output import Facts, Grid, Line
from strongroom.cli.views import iso, short
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.management.audit import GateLog


def add_gate(group: typer.Typer) -> None:
    """Put the command into its group."""
    command(group, "gate")(gate)


def gate(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    folder: Annotated[
        Path, typer.Argument(help="A monitor's own log: `gate-log` of a node.")
    ],
    *,
    task: Annotated[
        str | None,
        typer.Option(
            help="Only of this enclave: its id in a receipt, or how it begins."
        ),
    ] = None,
    party: Annotated[
        str | None,
        typer.Option(
            help="Only of apps that this party signed: name, identity file or key id; "
            "or of a caller."
        ),
    ] = None,
    app: log_rows.App = None,
    since: log_rows.Since = None,
    until: log_rows.Until = None,
    of_class: log_rows.Class = None,
    failed: log_rows.Failed = False,
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
        verified(desk, room_log, None, key_of(desk, None, room)) if room_log else None
    )
    log = verify_gate_log(folder, trust, now, heads)
    signer = desk.contacts.signer(party) if party else None
    wanted = log_rows.wanted(
        desk,
        lambda: list(log.query()),
        task=task,
        app=app,
        party=signer,
        since=since,
        until=until,
    )
    found = log.query(**wanted)
    _show(desk, log, log_rows.narrowed(found, of_class, failed=failed))


def _show(desk: Desk, log: "GateLog", rows: log_rows.Rows) -> None:
    cells = [
        (
            index,
            iso(entry.time),
            entry.action,
            entry.detail.get("interface", ""),
            log_rows.shown(entry.subject),
            log_rows.shown(entry.object),
            say(entry.outcome),
            entry.detail.get("rule", entry.detail.get("error", "")),
        )
        for index, entry in rows
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
    counts = log_rows.classes(entry for _, entry in log.query())
    value = {
        "device": log.device_id,
        "segments": len(log.segments),
        "records": log.entries,
        "categories": counts,
        "unsigned": log.unsigned,
        "entries": log_rows.values(rows),
    }
    classes = Facts("Log", [("records", log_rows.spelt(counts))])
    desk.printer.show(value, *lines, classes, Grid("Found", columns, cells))
