# SPDX-License-Identifier: Apache-2.0
"""`strongroom verifier policy`: what a service may be asked for, under which rules."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.command import command
from strongroom.cli.desk import Desk
from strongroom.cli.extras import needs
from strongroom.cli.output import Facts, Line
from strongroom.cli.views import duration, short
from strongroom.cli.words import say

RoomOfPlatforms = Annotated[
    Path | None,
    typer.Option(help="Room file: judge its platforms by its reference values."),
]
Accepted = Annotated[
    list[str] | None,
    typer.Option(help="Kind of hardware to accept, as tdx; repeatable."),
]
Required = Annotated[
    list[str] | None,
    typer.Option(help="Submodule that must be there, as gpu; repeatable."),
]
Validity = Annotated[str, typer.Option(help="How long a result is good, such as 5m.")]


def add_policy(group: typer.Typer) -> None:
    """Put the command into its group."""
    command(group, "policy")(policy)


def policy(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    folder: Annotated[Path, typer.Argument(help="The attestation service's folder.")],
    *,
    name: Annotated[str, typer.Option(help="What initiators call the policy.")] = (
        "default"
    ),
    hardware: Annotated[
        list[Path] | None,
        typer.Option(help="Policy over hardware, in TOML; repeatable."),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(help="Signed set of reference values; repeatable."),
    ] = None,
    room: RoomOfPlatforms = None,
    accept: Accepted = None,
    require: Required = None,
    validity: Validity = "5m",
) -> None:
    """Set a policy of the service, its reference values, or both."""
    from strongroom.services.attestation.policy_file import (  # noqa: PLC0415
        read_policy,
    )

    with needs("node"):
        from strongroom.node.verifier_folder import (  # noqa: PLC0415
            VerifierFolder,
            environment_policy,
            room_anchors,
        )
    place = VerifierFolder(folder)
    owner = place.public.name
    sets = [place.add_references(each.read_bytes()) for each in reference or []]
    rows = [
        ("reference values", f"{each.values.owner}, {each.values.version}")
        for each in sets
    ]
    value: dict[str, object] = {
        "references": [
            {"owner": each.values.owner, "version": each.values.version}
            for each in sets
        ]
    }
    # reference values alone leave the policies as they are
    if hardware or room or accept or not sets:
        found = desk.room(room) if room else None
        made = environment_policy(
            owner,
            found,
            tuple(accept or ()),
            tuple(require or ()),
            duration(validity),
            tuple(read_policy(each.read_bytes()) for each in hardware or []),
        )
        place.set_policy(name, made)
        if found is not None:
            place.store.add(room_anchors(found), desk.now(), anchors=True)
        digest = sha256(made.to_bytes()).hexdigest()
        value |= {"policy": name, "digest": digest}
        rows.append(("policy", f"{name}, {short(digest)}"))
    done = say("It counts when the service starts again.")
    desk.printer.show(value, Line(done, "green"), Facts("Attestation service", rows))
