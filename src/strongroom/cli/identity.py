# SPDX-License-Identifier: Apache-2.0
"""`strongroom identity`: this party's keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.arguments import Suite
from strongroom.cli.command import command, noun
from strongroom.cli.desk import NO_PASSPHRASE, Desk
from strongroom.cli.output import Facts, Line
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.management.keys import PublicIdentity

group, attach = noun("This party's keys: make, show, export.")


@command(group, "create")
def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(help="Name, lower-case-with-dashes.")],
    *,
    suite: Annotated[
        Suite, typer.Option(help="Algorithms: sm (SM2, SM3, SM4) or intl.")
    ] = "intl",
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Do not encrypt the keys at rest.")
    ] = False,
) -> None:
    """Make this party's identity: a signing key and a key to receive secrets with."""
    passphrase = b"" if no_passphrase else desk.passphrase(new=True)
    identity = desk.home.create_identity(name, suite, passphrase)
    if no_passphrase:
        desk.home.write(NO_PASSPHRASE, b"")
    _show(desk, identity)
    hint = say("Give others your identity: `strongroom identity export FILE`.")
    desk.printer.remark(Line(hint, "dim"))


@command(group, "show")
def show(desk: Desk) -> None:
    """Show this party's name, id and public keys."""
    _show(desk, desk.home.public_identity())


@command(group, "export")
def export(
    desk: Desk,
    file: Annotated[Path, typer.Argument(help="Where to write the identity.")],
) -> None:
    """Write this party's public identity to a file, for others."""
    identity = desk.home.public_identity()
    file.write_bytes(identity.to_bytes())
    value = {"name": identity.name, "id": identity.id, "file": str(file)}
    done = say("The identity of {name} is in {file}.", name=identity.name, file=file)
    desk.printer.show(value, Line(done))


def _show(desk: Desk, identity: "PublicIdentity") -> None:
    value = {
        "name": identity.name,
        "id": identity.id,
        "suite": identity.suite,
        "sign": identity.sign.raw,
        "sign_key_id": identity.sign.key_id,
        "home": str(desk.root),
    }
    rows = [
        ("name", identity.name),
        ("id", identity.id),
        ("suite", identity.suite),
        ("signing key", identity.sign.key_id.hex()),
        ("home", desk.root),
    ]
    desk.printer.show(value, Facts("Identity", rows))
