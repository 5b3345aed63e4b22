# SPDX-License-Identifier: Apache-2.0
"""`strongroom app serve`: a service app in an enclave, behind one port."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.command import command
from strongroom.cli.desk import Desk
from strongroom.cli.extras import needs
from strongroom.cli.node import UntilClosed, watch_stdin
from strongroom.cli.output import Block, Facts, Line
from strongroom.cli.room import RootOfTrust
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.node.serving import Serving
    from strongroom.node.workbench import Workbench

DEFAULT_PORT = 8760
SERVICE_FILE = "service"
_POLL_S = 1.0


def add_serve(group: typer.Typer) -> None:
    """Put the command into its group."""
    command(group, "serve")(serve)


def serve(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    bundle: Annotated[Path, typer.Argument(help="Bundle of a service app.")],
    *,
    folder: Annotated[
        Path, typer.Option(help="The machine's folder; made if there is none.")
    ] = Path("strongroom-app"),
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    root_of_trust: Annotated[
        RootOfTrust,
        typer.Option(help="What vouches for the machine: simulated or tpm2."),
    ] = "simulated",
    tpm: Annotated[
        str,
        typer.Option(help="For tpm2: swtpm (software), or a device as /dev/tpmrm0."),
    ] = "swtpm",
    store: Annotated[
        str,
        typer.Option(
            help="Where its protected data is kept: folder:PATH, sqlite:///PATH, "
            "postgresql://USER@HOST/DATABASE, s3://BUCKET/PREFIX; in the machine's "
            "folder if not given."
        ),
    ] = "",
    until_stdin_closes: UntilClosed = False,
) -> None:
    """Run a service app in an enclave here, behind one port, until told to end."""
    from strongroom.core.codec.bundle import Bundle  # noqa: PLC0415

    with needs("node"):
        from strongroom.node.roots import Root  # noqa: PLC0415
        from strongroom.node.serving import serving  # noqa: PLC0415
        from strongroom.node.workbench import Workbench  # noqa: PLC0415
    with needs("tls"):
        import strongroom.core.crypto.tls  # noqa: F401, PLC0415 - said before a start
    _end_on_signals()
    if until_stdin_closes:
        watch_stdin()
    found = Bundle.from_bytes(bundle.read_bytes())
    suite_id = found.verify().manifest.suite
    with desk.printer.progress("Starting the monitor", None):
        root = Root(root_of_trust, tpm)
        bench = Workbench.kept(folder.resolve(), suite_id, root)
        _keep_in(bench, store)
        bench.open()
    try:
        with serving(bench, found, (address, port), _teller(desk)) as running:
            file = folder.resolve() / SERVICE_FILE
            file.write_bytes(running.file)
            desk.printer.show(*_ready(running, file))
            while True:
                time.sleep(_POLL_S)
                running.require_life()
    finally:
        bench.close()


def _keep_in(bench: "Workbench", store: str) -> None:
    """Have a machine keep protected data there; what is no store is said at once."""
    if store:
        bench.store = store
        bench.objects("")


def _ready(
    running: "Serving", file: Path
) -> tuple[dict[str, object], *tuple[Block, ...]]:
    about = running.about
    value = {
        "ready": True,
        "address": about.address,
        "name": about.product,
        "measurement": about.app,
        "enclave": running.enclave_id,
        "platform": about.kind,
        "administrator": about.administrator.id,
        "service": str(file),
    }
    allow = f" --allow {about.kind}" if about.kind in ("simulated", "tpm2") else ""
    verify = f"strongroom app call {about.address} --service {file}{allow}"
    blocks: list[Block] = [
        Line(say("The app is open at {address}.", address=about.address), "bold green"),
        Facts(
            "App",
            [
                ("name", f"{about.product} (SVN {about.svn})"),
                ("measurement", about.app.hex()),
                ("platform", about.kind),
                ("administrator's id", about.administrator.id),
                ("service file", file),
            ],
        ),
        Facts(
            "What to do next",
            [
                ("verify", verify),
                ("call", f"{verify} --data '{{...}}' COMMAND"),
            ],
        ),
        Line(say("Ctrl-C ends the app and its enclave."), "dim"),
    ]
    if about.kind == "simulated":
        note = say("The TEE is SIMULATED: for development only.")
        blocks.insert(1, Line(note, "yellow"))
    return value, *blocks


def _teller(desk: Desk) -> Callable[[str], None]:
    """Return what says which connections were refused."""

    def tell(rule: str) -> None:
        desk.printer.remark(Line(say("Refused: {rule}", rule=rule), "yellow"))

    return tell


def _end_on_signals() -> None:
    """Let the first SIGTERM or SIGINT unwind, so that nothing is left behind."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(0)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
