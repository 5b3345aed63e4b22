# SPDX-License-Identifier: Apache-2.0
"""`strongroom attest diff`: what changed between two pieces of evidence or policies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.command import command
from strongroom.cli.desk import Desk
from strongroom.cli.given import At, EndorsementsOf, Given, is_evidence, read_given
from strongroom.cli.output import Grid, Line
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.services.attestation.diff import Difference

_TITLES = {"added": "added", "removed": "removed", "changed": "changed"}


def add_diff(group: typer.Typer) -> None:
    """Put the command into its group."""
    command(group, "diff")(diff)


def diff(
    desk: Desk,
    left: Annotated[Path, typer.Argument(help="Evidence, case folder or policy.")],
    right: Annotated[Path, typer.Argument(help="Another of the same sort.")],
    *,
    endorsements: EndorsementsOf = None,
    time: At = None,
) -> None:
    """Show what differs between two pieces of evidence or two policies; exit 1 then."""
    from strongroom.errors import Malformed  # noqa: PLC0415

    sorts = {is_evidence(left), is_evidence(right)}
    if sorts == {False}:
        found, verified = _policies(left, right), None
    elif sorts == {True}:
        pair = [
            read_given(each, endorsements, time, desk.now()) for each in (left, right)
        ]
        found, verified = _evidence(pair[0], pair[1])
    else:
        message = say("compare two pieces of evidence, or two policies")
        raise Malformed(message)
    _show(desk, found, verified=verified)
    if found:
        raise typer.Exit(1)


def _policies(left: Path, right: Path) -> "tuple[Difference, ...]":
    from strongroom.services.attestation.diff import diff_policies  # noqa: PLC0415
    from strongroom.services.attestation.policy_file import (  # noqa: PLC0415
        read_policy,
    )

    one, other = (read_policy(each.read_bytes()) for each in (left, right))
    return diff_policies(one, other)


def _evidence(left: Given, right: Given) -> "tuple[tuple[Difference, ...], bool]":
    from strongroom.services.attestation.diff import (  # noqa: PLC0415
        diff_claims,
        diff_unverified,
    )

    if left.trust is None or right.trust is None:
        return diff_unverified(left.evidence, right.evidence), False
    return diff_claims(left.verify(), right.verify()), True


def _show(
    desk: Desk, found: "tuple[Difference, ...]", *, verified: bool | None
) -> None:
    value: dict[str, object] = {
        "same": not found,
        "differences": [
            {
                "path": each.path,
                "change": each.change,
                "left": each.left,
                "right": each.right,
            }
            for each in found
        ],
    }
    note = Line("")
    if verified is not None:
        value["verified"] = verified
        text = "UNVERIFIED: without endorsements only bytes are compared."
        note = Line(say("Both are verified."), "green") if verified else Line(say(text))
    if not found:
        desk.printer.show(value, note, Line(say("There is no difference."), "green"))
        return
    table = [
        (
            each.path,
            say(_TITLES[each.change]),
            _text(each.path, each.left),
            _text(each.path, each.right),
        )
        for each in found
    ]
    columns = ("path", "change", "left", "right")
    desk.printer.show(value, note, Grid("Differences", columns, table))


def _text(path: str, value: object) -> str:
    from strongroom.cli.field_words import told  # noqa: PLC0415

    return "" if value is None else told(path.rpartition(".")[2], value)
