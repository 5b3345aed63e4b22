# SPDX-License-Identifier: Apache-2.0
"""`strongroom up`: a whole room on one machine, for development.

    FOLDER/                 the room (`room init`)
    FOLDER/administrator/   the administrator's home, without a passphrase

Both nodes are children of this process and hold the other end of a pipe: whichever
way this process ends, they end too.
"""

import os
import select
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.arguments import Suite
from strongroom.cli.command import command
from strongroom.cli.desk import NO_PASSPHRASE, Desk
from strongroom.cli.extras import needs
from strongroom.cli.node import DEFAULT_PORT, end_on_term
from strongroom.cli.output import Block, Facts, Line
from strongroom.cli.words import say
from strongroom.errors import Misconfigured

if TYPE_CHECKING:
    from strongroom.application.cleanroom.room import Room
    from strongroom.node.provision import RoomFolder

STOP_S = 30.0
_POLL_S = 0.5
Child = subprocess.Popen[bytes]


def attach(root: typer.Typer, name: str) -> None:
    """Put the command at the root of the tree."""
    command(root, name)(up)


def up(
    desk: Desk,
    *,
    folder: Annotated[
        Path, typer.Option(help="The room's folder; made if there is none.")
    ] = Path("strongroom-dev"),
    suite: Annotated[
        Suite, typer.Option(help="Algorithms: sm (SM2, SM3, SM4) or intl.")
    ] = "intl",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of a room that is made.")
    ] = DEFAULT_PORT,
) -> None:
    """Start a management node and a compute node here, for development."""
    with needs("node"):
        from strongroom.node.provision import RoomFolder  # noqa: PLC0415
    end_on_term()
    place = RoomFolder(folder.resolve())
    room = _room(desk, place, suite, port)
    manage = ["node", "manage", str(place.root)]
    compute = ["node", "compute", str(place.compute()), "--url", room.url]
    with (
        _child(manage) as first,
        _child([*compute, "--store", str(place.store)]) as second,
    ):
        value = {
            "ready": True,
            "url": room.url,
            "room": str(place.room),
            "administrator": str(place.root / "administrator"),
            "pids": [first.pid, second.pid],
        }
        desk.printer.show(value, *_next_steps(place, room))
        _wait([first, second])


def _room(desk: Desk, place: "RoomFolder", suite: str, port: int) -> "Room":
    """Return the folder's room; make it, and its administrator, if there is none."""
    if place.room.exists():
        return desk.room(place.room)
    from strongroom.client.home import DEFAULT_POLICY, Home  # noqa: PLC0415
    from strongroom.node.provision import init_room  # noqa: PLC0415

    home = Home(place.root / "administrator")
    if not (home.root / "identity").exists():
        home.create_identity("administrator", suite, b"")
        home.write(NO_PASSPHRASE, b"")
    identity = home.unlock(b"")
    url = f"http://127.0.0.1:{port}"
    with desk.printer.progress("Setting up the room", None):
        signed = init_room(place, identity, url, desk.now())
    kinds = (*DEFAULT_POLICY.kinds, "simulated")
    home.set_policy(type(DEFAULT_POLICY)(kinds, DEFAULT_POLICY.max_platform_age_s))
    return home.join(signed, identity.public.id)


@contextmanager
def _child(arguments: list[str]) -> Iterator[Child]:
    """Run a node as long as the context lasts; enters once the node is ready.

    Raises:
        Misconfigured: the node ended instead; its own words are on stderr.
    """
    line = [sys.executable, "-P", "-m", "strongroom", "--json", *arguments]
    child = subprocess.Popen(  # noqa: S603 - our own program
        [*line, "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said = child.stdout.readline() if child.stdout else b""
        if b'"ready": true' not in said:
            sys.stderr.write(said.decode("utf-8", "replace"))
            message = say(
                "the node did not start: {command}", command=" ".join(arguments)
            )
            raise Misconfigured(message)
        yield child
    finally:
        _end(child)


def _end(child: Child) -> None:
    child.terminate()
    try:
        child.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()


def _wait(children: list[Child]) -> None:
    """Return when stdin closes; a child that ends first is an error.

    Raises:
        Misconfigured: a node ended by itself.
    """
    stdin = _closable_stdin()
    while True:
        ready, _, _ = select.select(stdin, [], [], _POLL_S)
        if ready and not os.read(0, 4096):
            return
        for child in children:
            if child.poll() is not None:
                message = say("a node ended with code {code}", code=child.returncode)
                raise Misconfigured(message)


def _closable_stdin() -> list[int]:
    """Return stdin if it is something that somebody holds open: not /dev/null."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return []
    held = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)
    return [0] if held else []


def _next_steps(place: "RoomFolder", room: "Room") -> list[Block]:
    admin = f"strongroom --home {place.root / 'administrator'}"
    steps = [
        ("make a party", "strongroom --home alice identity create alice"),
        ("export it", "strongroom --home alice identity export alice.identity"),
        ("let it in", f"{admin} trusted-list add alice.identity --role data"),
        ("in force", f"{admin} trusted-list publish"),
        ("join", f"strongroom --home alice room join {place.room} --allow simulated"),
        ("verify", "strongroom --home alice room verify"),
    ]
    return [
        Line(say("The room is open at {url}.", url=room.url), "bold green"),
        Line(say("The TEE is SIMULATED: for development only."), "yellow"),
        Facts("What to do next", steps),
        Line(say("Ctrl-C ends both nodes."), "dim"),
    ]
