# SPDX-License-Identifier: Apache-2.0
"""`strongroom attack`: every known route to a secret, tried on this machine.

The exit code is 1 where an attack ends otherwise than docs/attacks.md says, or where
nothing could be tried.
"""

import signal
from collections.abc import Sequence
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from strongroom.cli.arguments import usage_error
from strongroom.cli.command import command
from strongroom.cli.desk import Desk
from strongroom.cli.extras import needs
from strongroom.cli.output import Block, Grid, Line
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.attack.report import Row
    from strongroom.attack.route import Actor, Result, Route

UNEXPECTED = 1
NOT_TRIED = "not tried"
Format = Literal["text", "markdown"]


class ActorName(StrEnum):
    """Who attacks, as options name them."""

    SAME_USER = "same-user"
    ANOTHER_USER = "another-user"
    ROOT = "root"
    APP = "app"
    HOST = "host"


def attach(root: typer.Typer, name: str) -> None:
    """Put the command at the root of the tree."""
    command(root, name)(attack)


def attack(
    desk: Desk,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Attacks whose name or family holds this text."),
    ] = None,
    actor: Annotated[
        list[ActorName] | None, typer.Option(help="Who attacks; all if not given.")
    ] = None,
    known: Annotated[
        bool, typer.Option("--list", help="Show what is documented; try nothing.")
    ] = False,
    shape: Annotated[
        Format, typer.Option("--format", help="Text, or a page of Markdown.")
    ] = "text",
) -> None:
    """Attack a room made for it by every known route, as three users if run as root."""
    with needs("node"):
        from strongroom.attack import report  # noqa: PLC0415
    routes, actors = _chosen(only or [], actor or [])
    if known:
        results = report.known_results(routes, actors)
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends all, too
        results = _tried(desk, routes, actors)
    if shape == "markdown" and not desk.printer.as_json:
        typer.echo(report.page(results), nl=False)
    else:
        desk.printer.show(_value(results), *_blocks(results, tried=not known))
    nothing = all(each.outcome == NOT_TRIED for each in results)
    if nothing or not all(map(report.is_as_known, results)):
        raise typer.Exit(UNEXPECTED)


def _chosen(
    only: Sequence[str], actors: Sequence[str]
) -> "tuple[list[Route], list[Actor]]":
    """Return the routes and actors that the options mean.

    Raises:
        BadParameter: they mean none.
    """
    from strongroom.attack.route import ACTORS  # noqa: PLC0415
    from strongroom.attack.table import ROUTES  # noqa: PLC0415

    wanted = [a for a in ACTORS if not actors or a.replace(" ", "-") in actors]
    routes = [
        route
        for route in ROUTES.values()
        if not only or any(text in f"{route.family} {route.name}" for text in only)
        if any(each in route.known for each in wanted)
    ]
    if not routes:
        raise usage_error(say("no attack is meant: `--list` shows them all"))
    return routes, wanted


def _tried(
    desk: Desk, routes: "Sequence[Route]", actors: "Sequence[Actor]"
) -> "list[Result]":
    """Attack, and show how far it is."""
    from strongroom.attack.arena import attack as attack_all  # noqa: PLC0415

    total = sum(each in route.known for route in routes for each in actors)
    found: list[Result] = []
    with (
        desk.printer.progress("Attacking", total, counted=True) as tell,
        closing(attack_all(routes, actors)) as results,
    ):
        for result in results:
            found.append(result)
            tell(len(found))
    return found


def _value(results: "Sequence[Result]") -> dict[str, object]:
    from strongroom.attack.report import is_as_known  # noqa: PLC0415
    from strongroom.attack.table import ROUTES  # noqa: PLC0415

    return {
        "as_documented": all(map(is_as_known, results)),
        "not_tried": sum(each.outcome == NOT_TRIED for each in results),
        "results": [
            {
                "attack": each.route,
                "family": ROUTES[each.route].family,
                "actor": each.actor,
                "outcome": each.outcome,
                "documented": ROUTES[each.route].known[each.actor].outcome,
                "why": ROUTES[each.route].known[each.actor].why,
                "grade": ROUTES[each.route].grade,
                "note": each.note,
            }
            for each in results
        ],
    }


def _blocks(results: "Sequence[Result]", *, tried: bool) -> list[Block]:
    """Return a table a family, then what succeeded, was not tried, is unexpected."""
    from strongroom.attack import report  # noqa: PLC0415

    found = report.rows(results)
    blocks: list[Block] = [
        Grid(
            _heading(family),
            ("attack", "actor", "outcome", "grade", "by"),
            [_cells(r) for r in members],
        )
        for family, members in report.families(found).items()
    ]
    why = [
        (say(row.route.name), _names(row.actors), say(known.why))
        for row, known in report.successes(found)
    ]
    blocks.append(Grid("What succeeds, and why", ("attack", "actor", "why"), why))
    return [*blocks, *_verdict(results)] if tried else blocks


def _cells(row: "Row") -> tuple[str, ...]:
    route = row.route
    actors = _names(row.actors)
    note = row.note
    if row.outcome == NOT_TRIED:
        note = ", ".join(map(say, note.split(", ")))
    return (say(route.name), actors, say(row.outcome), route.grade, note)


def _heading(family: str) -> str:
    text = say(family)
    return f"{text[0].upper()}{text[1:]}"


def _verdict(results: "Sequence[Result]") -> list[Block]:
    from strongroom.attack.report import is_as_known  # noqa: PLC0415
    from strongroom.attack.table import ROUTES  # noqa: PLC0415

    odd = [
        (
            say(each.route),
            _names([each.actor]),
            say(each.outcome),
            say(ROUTES[each.route].known[each.actor].outcome),
            each.note,
        )
        for each in results
        if not is_as_known(each)
    ]
    if odd:
        columns = ("attack", "actor", "outcome", "documented", "by")
        return [Grid("Not as documented", columns, odd)]
    count = sum(each.outcome != NOT_TRIED for each in results)
    left = len(results) - count
    if not count:
        return [Line(say("Nothing was tried."), "bold red")]
    text = say("{count} outcomes, all as documented.", count=count)
    if left:
        text = say(
            "{count} outcomes, all as documented; {left} not tried.",
            count=count,
            left=left,
        )
    return [Line(text, "bold green")]


def _names(actors: "Sequence[Actor]") -> str:
    return ", ".join(each if each == "root" else say(each) for each in actors)
