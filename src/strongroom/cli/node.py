# SPDX-License-Identifier: Apache-2.0
"""`strongroom node`: run the two kinds of node, until they are told to end."""

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.extras import needs
from strongroom.cli.output import Grid, Line
from strongroom.cli.views import comma, iso
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.errors import StrongroomError
    from strongroom.node.attendance import Told

group, attach = noun("Run a node of a room.")
DEFAULT_PORT = 8750
UntilClosed = Annotated[
    bool,
    typer.Option("--until-stdin-closes", help="End when whoever started it has gone."),
]


@command(group, "manage")
def manage(
    desk: Desk,
    room: Annotated[Path, typer.Argument(help="The room's folder.")],
    *,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port; of the room's URL if not given."),
    ] = None,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    until_stdin_closes: UntilClosed = False,
) -> None:
    """Run the management node: the service, with the broker in its enclave."""
    with needs("node"):
        from strongroom.node.provision import RoomFolder  # noqa: PLC0415
        from strongroom.node.run import run_management  # noqa: PLC0415
    folder = RoomFolder(room)
    url = desk.room(folder.room).url
    number = port or urlsplit(url).port or DEFAULT_PORT
    end_on_term()
    if until_stdin_closes:
        watch_stdin()

    def ready() -> None:
        done = say(
            "Management node: {address}, port {port}.", address=address, port=number
        )
        value = {"ready": True, "role": "management", "url": url, "port": number}
        desk.printer.show(value, Line(done, "green"))

    run_management(folder, address, number, ready)


@command(group, "compute")
def compute(
    desk: Desk,
    folder: Annotated[Path, typer.Argument(help="The compute node's folder.")],
    *,
    url: Annotated[str, typer.Option(help="Address of the management node.")],
    store: Annotated[
        Path | None, typer.Option(help="The store, if this machine can read it itself.")
    ] = None,
    until_stdin_closes: UntilClosed = False,
) -> None:
    """Run a compute node: it takes tasks and runs each in a fresh enclave."""
    with needs("node"):
        from strongroom.node.run import run_compute  # noqa: PLC0415
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if until_stdin_closes:
        watch_stdin()

    def ready() -> None:
        done = say("Compute node: takes work from {url}.", url=url)
        desk.printer.show(
            {"ready": True, "role": "compute", "url": url}, Line(done, "green")
        )

    run_compute(folder, url, store, stop, ready, _service_teller(desk))


def _service_teller(desk: Desk) -> "Told":
    """Return what says that the node left service, and why, or is in it again."""

    def tell(error: "StrongroomError | None") -> None:
        if error is None:
            desk.printer.remark(Line(say("In service: attested."), "green"))
        else:
            desk.printer.remark(
                Line(say("Out of service: attestation refused."), "red")
            )
            for finding in error.findings:
                desk.printer.remark(Line(str(finding), "red"))

    return tell


@command(group, "list")
def list_nodes(desk: Desk) -> None:
    """Show which devices serve the room and which were withdrawn (administrator)."""
    from strongroom.client import admin  # noqa: PLC0415

    value = admin.nodes(desk.session)
    rows = [
        (node.device, say("in service"), iso(node.attested_at), "")
        for node in value.serving
    ]
    rows += [
        (node.device, say("withdrawn"), "", node.rules) for node in value.withdrawn
    ]
    title = say("Compute nodes")
    grid = Grid(title, ("device", "state", "attested", "rules broken"), rows)
    desk.printer.show(value.to_value(), grid)


@command(group, "rules")
def rules(
    desk: Desk,
    *,
    period: Annotated[
        int | None,
        typer.Option(min=1, help="Seconds that an accepted attestation lasts."),
    ] = None,
    min_firmware: Annotated[
        int | None, typer.Option(min=0, help="Lowest firmware SVN that may serve.")
    ] = None,
    revoke: Annotated[
        list[str] | None, typer.Option(help="Device that may not serve, by its id.")
    ] = None,
    reinstate: Annotated[
        list[str] | None, typer.Option(help="Revoked device that may serve again.")
    ] = None,
    revoke_key: Annotated[
        list[str] | None, typer.Option(help="Key that no chain may hold, by its id.")
    ] = None,
) -> None:
    """Show what nodes must go on proving; with options, change it (administrator)."""
    from strongroom.client import admin  # noqa: PLC0415

    old = admin.nodes(desk.session).rules
    devices = {*old.revoked_devices, *map(_id, revoke or ())}
    keys = {*old.revoked_keys, *map(_id, revoke_key or ())}
    new = replace(
        old,
        period_s=old.period_s if period is None else period,
        min_firmware_svn=old.min_firmware_svn if min_firmware is None else min_firmware,
        revoked_devices=tuple(sorted(devices - set(map(_id, reinstate or ())))),
        revoked_keys=tuple(sorted(keys)),
    )
    if new != old:
        new = replace(new, version=old.version + 1)
        admin.publish_node_rules(desk.session, new)
    rows = [
        (say("version"), str(new.version)),
        (say("period in seconds"), str(new.period_s)),
        (say("lowest firmware SVN"), str(new.min_firmware_svn)),
        (
            say("revoked devices"),
            comma([each.hex()[:16] for each in new.revoked_devices]),
        ),
        (say("revoked keys"), comma([each.hex()[:16] for each in new.revoked_keys])),
    ]
    value = {
        "version": new.version,
        "period_s": new.period_s,
        "min_firmware_svn": new.min_firmware_svn,
        "revoked_devices": [each.hex() for each in new.revoked_devices],
        "revoked_keys": [each.hex() for each in new.revoked_keys],
    }
    desk.printer.show(value, Grid(say("Node rules"), ("rule", "value"), rows))


def _id(text: str) -> bytes:
    from strongroom.errors import Malformed  # noqa: PLC0415

    try:
        return bytes.fromhex(text)
    except ValueError as error:
        message = f"{text[:80]}: an id is written in hex"
        raise Malformed(message) from error


def end_on_term() -> None:
    """Let SIGTERM unwind, so that monitor and enclaves are ended too."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)


def watch_stdin() -> None:
    """Tell this process to end once its stdin closes: its parent has gone."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
