# SPDX-License-Identifier: Apache-2.0
"""`strongroom agreement`: propose, show, sign, withdraw."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import arguments
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Grid, Line
from strongroom.cli.views import comma, duration, named, short
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.cli.deals import Deal

group, attach = noun("Agreements: propose, show, list, sign, withdraw.")
Id = Annotated[str, typer.Argument(help="The agreement's id, or the start of it.")]


@command(group, "propose")
def propose(  # noqa: PLR0913 - what an agreement says
    desk: Desk,
    *,
    title: Annotated[str, typer.Option(help="What people call it.")],
    purpose: Annotated[str, typer.Option(help="What the results are for.")],
    app: Annotated[str, typer.Option(help="The app: its measurement, or its bundle.")],
    entry_point: Annotated[
        list[str], typer.Option(help="Entry point that may be called; may be repeated.")
    ],
    max_uses: Annotated[int, typer.Option(min=1, help="How many tasks it allows.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", help="NAME=DATASET[,DATASET]: ids, or sealed files; repeatable."
        ),
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option(help="Who may ask and receive; you, if not given."),
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option(help="Who has to sign; the parties known here, if not given."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="Result field that may leave; all of the app's if not given."
        ),
    ] = None,
    min_group: Annotated[
        int, typer.Option(min=0, help="Smallest group of a result.")
    ] = 0,
    valid: Annotated[str, typer.Option(help="How long it holds, such as 30d.")] = "30d",
) -> None:
    """Propose an agreement and sign it first; the other parties sign the same bytes."""
    from strongroom.cli.proposing import Draft  # noqa: PLC0415
    from strongroom.client import agreements  # noqa: PLC0415

    draft = Draft(desk, app, arguments.pairs(inputs, "--input"))
    recipients = [desk.contacts.resolve(each) for each in recipient or []]
    signers = [desk.contacts.resolve(each) for each in signer or []]
    proposal = draft.proposal(
        title=title,
        purpose=purpose,
        entry_points=tuple(entry_point),
        recipients=tuple(recipients),
        signers=tuple(signers),
        fields=tuple(field or ()),
        min_group=min_group,
        max_uses=max_uses,
        valid_s=duration(valid),
    )
    _show(desk, agreements.propose(desk.session, proposal))


@command(group, "show")
def show(desk: Desk, agreement: Id) -> None:
    """Show what an agreement says, who has signed, and whose signature is missing."""
    _show(desk, agreement)


@command(group, "list")
def list_(desk: Desk) -> None:
    """List the agreements that concern you."""
    from strongroom.cli.deals import ask_all  # noqa: PLC0415

    deals = ask_all(desk)
    rows = [
        (
            short(deal.status.agreement.id),
            deal.status.agreement.title,
            say(deal.status.state),
            comma([named(party, deal.names) for party in deal.status.missing]),
            f"{deal.status.uses} / {deal.status.agreement.max_uses}",
        )
        for deal in deals
    ]
    columns = ("id", "title", "state", "signatures missing", "uses")
    value = {"agreements": [deal.value() for deal in deals]}
    desk.printer.show(value, Grid("Agreements", columns, rows))


@command(group, "sign")
def sign(
    desk: Desk,
    agreement: Id,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed with --json.")
    ] = False,
) -> None:
    """Read what you are about to sign, then sign it."""
    from strongroom.cli.deals import ask  # noqa: PLC0415
    from strongroom.client import agreements  # noqa: PLC0415

    deal = ask(desk, agreement)
    if not yes:
        if desk.printer.as_json or not sys.stdin.isatty():
            raise arguments.usage_error(say("nobody is here to ask; say --yes"))
        desk.printer.show({}, *deal.blocks()[:2], Line(deal.sentence(), "bold"))
        if not typer.confirm(say("Sign?")):
            raise typer.Abort
    status = agreements.sign(desk.session, deal.status.agreement.id)
    _print(desk, replace(deal, status=status))


@command(group, "withdraw")
def withdraw(
    desk: Desk,
    agreement: Id,
    *,
    reason: Annotated[str, typer.Option(help="Why; everyone in it can read this.")],
) -> None:
    """End an agreement from now on; any of its signers can."""
    from strongroom.cli.deals import ask  # noqa: PLC0415
    from strongroom.client import agreements  # noqa: PLC0415

    deal = ask(desk, agreement)
    identity = deal.status.agreement.id
    status = agreements.withdraw(desk.session, identity, reason)
    _print(desk, replace(deal, status=status))


def _show(desk: Desk, text: str) -> None:
    from strongroom.cli.deals import ask  # noqa: PLC0415

    _print(desk, ask(desk, text))


def _print(desk: Desk, deal: "Deal") -> None:
    desk.printer.show(deal.value(), *deal.blocks())
