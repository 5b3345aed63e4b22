# SPDX-License-Identifier: Apache-2.0
"""`strongroom node`: run the two kinds of node, until they are told to end."""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated
from urllib.parse import urlsplit

import typer

from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.extras import needs
from strongroom.cli.output import Line
from strongroom.cli.words import say

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
        _watch_stdin()

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
        _watch_stdin()

    def ready() -> None:
        done = say("Compute node: takes work from {url}.", url=url)
        desk.printer.show(
            {"ready": True, "role": "compute", "url": url}, Line(done, "green")
        )

    run_compute(folder, url, store, stop, ready)


def end_on_term() -> None:
    """Let SIGTERM unwind, so that monitor and enclaves are ended too."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)


def _watch_stdin() -> None:
    """Tell this process to end once its stdin closes: its parent has gone."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
