# SPDX-License-Identifier: Apache-2.0
"""`strongroom room`: set one up, join one, verify the one joined (RA-1)."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from strongroom.cli.arguments import usage_error
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Facts, Grid, Line
from strongroom.cli.views import comma, iso
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.application.cleanroom.room import Room

RootOfTrust = Literal["simulated", "tpm2"]
group, attach = noun("Rooms: set up, join, show, verify.")
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow", help="Kind of platform to accept too, by name: simulated, tpm2."
    ),
]


@command(group, "init")
def init(
    desk: Desk,
    folder: Annotated[Path, typer.Argument(help="Where the room's nodes will live.")],
    *,
    url: Annotated[str, typer.Option(help="Where parties will find the room.")],
    root_of_trust: Annotated[
        RootOfTrust,
        typer.Option(help="What vouches for the room's nodes: simulated or tpm2."),
    ] = "simulated",
    tpm: Annotated[
        str,
        typer.Option(help="For tpm2: swtpm (software), or a device as /dev/tpmrm0."),
    ] = "swtpm",
) -> None:
    """Set up a room whose administrator you are, and sign its room file."""
    from strongroom.cli.extras import needs  # noqa: PLC0415

    with needs("node"):
        from strongroom.node.provision import RoomFolder, init_room  # noqa: PLC0415
        from strongroom.node.roots import Root  # noqa: PLC0415
    place = RoomFolder(folder)
    identity = desk.session.identity
    with desk.printer.progress("Starting the broker for the first time", None):
        root = Root(root_of_trust, tpm)
        signed = init_room(place, identity, url, desk.now(), root)
    room = desk.home.join(signed, identity.public.id)
    _show(desk, room, place.room)
    hint = say(
        "Give everyone {file}, and tell them your id on another way.", file=place.room
    )
    desk.printer.remark(Line(hint, "dim"))
    if root_of_trust == "tpm2" and tpm == "swtpm":
        software = say("The TPM is SOFTWARE (swtpm): for development only.")
        desk.printer.remark(Line(software, "yellow"))


@command(group, "join")
def join(
    desk: Desk,
    source: Annotated[str, typer.Argument(help="Room file, or the URL of the room.")],
    *,
    administrator: Annotated[
        str | None,
        typer.Option(help="The administrator's id, as you know it from elsewhere."),
    ] = None,
    allow: Allow = None,
) -> None:
    """Take a room as this party's: from now on it is what is verified."""
    is_url = source.startswith(("http://", "https://"))
    signed = (
        desk.transport(source).get("/v1/room") if is_url else Path(source).read_bytes()
    )
    room = desk.home.join(signed, administrator)
    _allow(desk, allow or [])
    _show(desk, room, None)
    if administrator is None:
        warning = say(
            "Compare the administrator's id with what you know from elsewhere: the "
            "file proves only that it is whole."
        )
        desk.printer.remark(Line(warning, "yellow"))


@command(group, "show")
def show(desk: Desk) -> None:
    """Show the room that this party joined, and what it accepts there."""
    _show(desk, desk.home.room(), None)


@command(group, "verify")
def verify(
    desk: Desk,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Keep the evidence in this file."),
    ] = None,
) -> None:
    """Challenge the room's broker now, verify its evidence, and say what it proves."""
    from strongroom.cli.proofs import broker_checks, unproved  # noqa: PLC0415
    from strongroom.client.broker import verify_broker  # noqa: PLC0415

    room, policy, now = desk.home.room(), desk.home.policy(), desk.now()
    found = verify_broker(
        desk.transport(room.url),
        room,
        policy,
        desk.owner(),
        now,
        revoked=desk.home.revoked(room.kind),
    )
    checks = broker_checks(found, room, policy, now)
    missing = unproved(room.kind, found.result.unchecked)
    if output is not None:
        output.write_bytes(found.evidence.to_bytes())
    value = {
        "room": found.id,
        "status": found.result.status,
        "platform": room.kind,
        "checks": [each.sentence for each in checks],
        "not_proved": missing,
        "verified_at": iso(now),
    }
    desk.printer.show(
        value,
        Grid(
            "What was verified",
            ("check", "found", "grade"),
            [(say(each.what), each.found, each.grade) for each in checks],
        ),
        Grid("What this does not prove", ("statement",), [(each,) for each in missing]),
    )


def known_kinds(kinds: list[str]) -> list[str]:
    """Return names of kinds of platform, all of which there are.

    Raises:
        BadParameter: one that there is not.
    """
    from strongroom.core.rats import HARDWARE_KINDS, KINDS_BY_NAME  # noqa: PLC0415

    unknown = set(kinds) - {*HARDWARE_KINDS, *KINDS_BY_NAME}
    if unknown:
        text = "no kind of platform is called {names}"
        raise usage_error(say(text, names=", ".join(sorted(unknown))))
    return kinds


def _allow(desk: Desk, kinds: list[str]) -> None:
    if known := known_kinds(kinds):
        policy = desk.home.policy()
        wanted = tuple(dict.fromkeys([*policy.kinds, *known]))
        desk.home.set_policy(replace(policy, kinds=wanted))


def _show(desk: Desk, room: "Room", file: Path | None) -> None:
    from strongroom.client.receipts import log_key  # noqa: PLC0415

    policy = desk.home.policy()
    key = log_key(room).to_text()
    value = {
        "url": room.url,
        "suite": room.suite,
        "platform": room.kind,
        "administrator": {"name": room.administrator.name, "id": room.administrator.id},
        "broker": room.broker,
        "config": room.config,
        "log_key": key,
        "written_at": iso(room.written_at),
        "accepted_platforms": list(policy.kinds),
        "max_platform_age_s": policy.max_platform_age_s,
        "file": str(file) if file else None,
    }
    rows = [
        ("address", room.url),
        ("suite", room.suite),
        ("platform", room.kind),
        ("administrator", room.administrator.name),
        ("administrator's id", room.administrator.id),
        ("broker's measurement", room.broker),
        ("log key", key),
        ("written at", iso(room.written_at)),
        ("platforms accepted here", comma(policy.kinds)),
    ]
    desk.printer.show(value, Facts("Room", rows))
