# SPDX-License-Identifier: Apache-2.0
"""`strongroom trusted-list`: who may touch the room at all (WL-1)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from strongroom.cli.arguments import RoleName
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Grid, Line
from strongroom.cli.views import comma, iso
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.management.trusted_list import Role, TrustedList

group, attach = noun("The administrator's list of who may take part.")


@command(group, "add")
def add(
    desk: Desk,
    identity: Annotated[Path, typer.Argument(help="The party's exported identity.")],
    *,
    role: Annotated[
        list[RoleName], typer.Option("--role", help="What it may do; may be repeated.")
    ],
) -> None:
    """Put a party on the list, or change its roles; counts once published."""
    from strongroom.client import admin  # noqa: PLC0415

    party = desk.contacts.read(identity)
    roles = cast("tuple[Role, ...]", tuple(each.value for each in role))
    _show(desk, admin.add(desk.home, party, roles, desk.now()))
    _remind(desk)


@command(group, "remove")
def remove(
    desk: Desk, name: Annotated[str, typer.Argument(help="The party's name.")]
) -> None:
    """Take a party off the list; counts once published."""
    from strongroom.client import admin  # noqa: PLC0415

    _show(desk, admin.remove(desk.home, name, desk.now()))
    _remind(desk)


@command(group, "show")
def show(desk: Desk) -> None:
    """Show the list as it was last edited here."""
    from strongroom.client import admin  # noqa: PLC0415

    _show(desk, admin.load(desk.home, desk.now()))


@command(group, "publish")
def publish(desk: Desk) -> None:
    """Sign the list and the launch policy, and put both into force."""
    from strongroom.client import admin  # noqa: PLC0415

    _show(desk, admin.publish(desk.session))


def _show(desk: Desk, current: "TrustedList") -> None:
    value = {
        "version": current.version,
        "issued_at": iso(current.issued_at),
        "members": [
            {
                "name": member.identity.name,
                "id": member.identity.id,
                "roles": list(member.roles),
            }
            for member in current.members
        ],
    }
    rows = [
        (member.identity.name, comma(member.roles), member.identity.id)
        for member in current.members
    ]
    title = say("Trusted list, version {version}", version=current.version)
    desk.printer.show(value, Grid(title, ("name", "roles", "id"), rows))


def _remind(desk: Desk) -> None:
    hint = say("Counts once published: `strongroom trusted-list publish`.")
    desk.printer.remark(Line(hint, "dim"))
