# SPDX-License-Identifier: Apache-2.0
"""What came of it: each result beside what is known, and the page that says both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from strongroom.attack.route import (
    ACTORS,
    SUCCEEDED,
    Actor,
    Known,
    Outcome,
    Result,
    Route,
)
from strongroom.attack.table import ROUTES

_PAGE: Final = """\
# Attacks that are tried

Written by `strongroom attack --list --format markdown`; do not edit.

Every row is a program that really tries, as the user or from the place that the row
names. `strongroom attack` runs them all on your machine, and ends with code 1 if one
ends otherwise than here, or if none can be tried there. `denied` is the kernel's word,
`refused` a rule of ours, `stopped` a limit of the manifest, each by the rule, or words
of its message, in the last column. What **succeeds** is in bold; why is below. "app" is
code inside an enclave; "host" is whoever has the machine's files, keeps the stores and
carries the messages.

A grade is that of the weakest thing that an outcome rests on. `HW`: real hardware.
`OS`: the kernel. `SIM`: software that models hardware, and ciphers whose keys it keeps.
A room on the simulated device has no `HW` row.
"""


@dataclass(frozen=True)
class Row:
    """How an attack ended for actors to whom the same happened."""

    route: Route
    actors: tuple[Actor, ...]
    outcome: Outcome
    note: str


def is_as_known(result: Result) -> bool:
    """Return whether a result is what the table says; what was not tried, is."""
    if result.outcome == "not tried":
        return True
    known = ROUTES[result.route].known[result.actor]
    return result.outcome == known.outcome and known.by in result.note


def known_results(routes: Iterable[Route], actors: Sequence[Actor]) -> list[Result]:
    """Return what the table says of routes and actors, as if it had been tried."""
    return [
        Result(route.name, actor, route.known[actor].outcome, route.known[actor].by)
        for route in routes
        for actor in actors
        if actor in route.known
    ]


def rows(results: Iterable[Result]) -> list[Row]:
    """Return results in the order of the table, actors with one outcome together."""
    found: dict[tuple[str, Outcome], list[Result]] = {}
    for result in results:
        found.setdefault((result.route, result.outcome), []).append(result)
    order = {name: at for at, name in enumerate(ROUTES)}
    merged = [
        Row(
            ROUTES[name],
            tuple(sorted((r.actor for r in same), key=ACTORS.index)),
            outcome,
            ", ".join(dict.fromkeys(each.note for each in same if each.note)),
        )
        for (name, outcome), same in found.items()
    ]
    return sorted(
        merged, key=lambda row: (order[row.route.name], ACTORS.index(row.actors[0]))
    )


def families(found: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows under the headings that they stand under."""
    grouped: dict[str, list[Row]] = {}
    for row in found:
        grouped.setdefault(row.route.family, []).append(row)
    return grouped


def successes(found: Iterable[Row]) -> list[tuple[Row, Known]]:
    """Return what succeeded, with what is known of it."""
    return [
        (row, row.route.known[row.actors[-1]])
        for row in found
        if row.outcome in SUCCEEDED
    ]


def page(results: Iterable[Result]) -> str:
    """Return results as a page of Markdown."""
    found = rows(results)
    parts = [_PAGE]
    for family, members in families(found).items():
        parts.append(f"\n## {family[0].upper()}{family[1:]}\n\n")
        parts += _table(
            ("attack", "actor", "outcome", "grade", "by"),
            map(_cells, members),
        )
    parts.append("\n## What succeeds, and why\n\n")
    parts += _table(
        ("attack", "actor", "why"),
        [
            (row.route.name, ", ".join(row.actors), known.why)
            for row, known in successes(found)
        ],
    )
    return "".join(parts)


def _cells(row: Row) -> tuple[str, ...]:
    shown = f"**{row.outcome}**" if row.outcome in SUCCEEDED else row.outcome
    actors = ", ".join(row.actors)
    return (row.route.name, actors, shown, row.route.grade, row.note)


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *body]
    return [f"| {' | '.join(line)} |\n" for line in lines]
