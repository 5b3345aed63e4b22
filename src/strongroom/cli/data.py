# SPDX-License-Identifier: Apache-2.0
"""`strongroom data`: seal, describe, register, open one's own (R-DATA)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import arguments
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Facts, Grid, Line
from strongroom.cli.rows import maps
from strongroom.cli.views import comma, iso, short, size
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.services.sealing import SealedInfo

group, attach = noun("Datasets: seal, register, list, unseal.")
SUFFIX = ".sealed"
Sealed = Annotated[Path, typer.Argument(help="The sealed file.")]


@command(group, "seal")
def seal(
    desk: Desk,
    file: Annotated[Path, typer.Argument(help="The file to seal.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Sealed file; FILE.sealed if not given."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What others read; the file's name if not given.")
    ] = None,
) -> None:
    """Encrypt a file under a key of its own; works offline, the key stays here."""
    from strongroom.client import datasets  # noqa: PLC0415

    target = output or file.with_name(file.name + SUFFIX)
    total = arguments.require_file(file).stat().st_size
    with desk.printer.progress("Sealing", total) as progress:
        info = datasets.seal(
            desk.home, file, target, name or file.name, desk.now(), progress
        )
    _show(desk, info, target)


@command(group, "register")
def register(  # noqa: PLR0913 - the usage policy in options
    desk: Desk,
    sealed: Sealed,
    *,
    purpose: arguments.Purposes = None,
    app: arguments.Apps = None,
    entry_point: arguments.EntryPoints = None,
    recipient: arguments.Recipients = None,
    field: arguments.Fields = None,
    max_uses: arguments.MaxUses = None,
    until: arguments.Until = "365d",
    policy: arguments.PolicyFile = None,
) -> None:
    """Verify the room, store a sealed file, and hand over its key with its policy."""
    text = arguments.terms(
        desk,
        purposes=purpose,
        apps=app,
        entry_points=entry_point,
        recipients=recipient,
        fields=field,
        max_uses=max_uses,
        until=until,
        policy=policy,
    )
    from strongroom.client import datasets  # noqa: PLC0415

    total = arguments.require_file(sealed).stat().st_size
    session = desk.session
    with desk.printer.progress("Storing", total) as progress:
        dataset = datasets.register(session, sealed, text, progress)
    done = say("Registered: the room has the key, under your policy.")
    desk.printer.show(
        {"dataset": dataset, "policy": text},
        Line(done, "green"),
        Facts("Dataset", [("id", dataset)]),
    )


@command(group, "show")
def show(desk: Desk, sealed: Sealed) -> None:
    """Show what a sealed file says of itself; needs no key, so it proves nothing."""
    from strongroom.services.sealing import describe  # noqa: PLC0415

    with sealed.open("rb") as file:
        info = describe(file.fileno())
    _show(desk, info, sealed)


@command(group, "list")
def list_(desk: Desk) -> None:
    """List your datasets in the room, and those of agreements that concern you."""
    rows = maps(desk.session.ask("dataset.list", {}), "datasets")
    cells = []
    for row in rows:
        header = row.get("header")
        name = header.get("name", "") if isinstance(header, dict) else ""
        owner = row.get("owner_name", "")
        cells.append((short(str(row.get("dataset"))), name, owner, row.get("uses", 0)))
    desk.printer.show(
        {"datasets": rows}, Grid("Datasets", ("id", "name", "owner", "uses"), cells)
    )


@command(group, "unseal")
def unseal(
    desk: Desk,
    sealed: Sealed,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Plain file; must not exist yet."),
    ] = None,
) -> None:
    """Open a sealed file of your own, with the key in this home; works offline."""
    from strongroom.client import datasets  # noqa: PLC0415

    target = output or _plain_name(sealed)
    info = datasets.unseal(desk.session, arguments.require_file(sealed), target)
    done = say("{count} bytes are in {file}.", count=info.plaintext_bytes, file=target)
    value = {
        "dataset": info.dataset_id,
        "file": str(target),
        "bytes": info.plaintext_bytes,
    }
    desk.printer.show(value, Line(done))


def _plain_name(sealed: Path) -> Path:
    if sealed.suffix != SUFFIX:
        raise arguments.usage_error(say("say --output: where to write the plain file"))
    return sealed.with_suffix("")


def _show(desk: Desk, info: "SealedInfo", file: Path) -> None:
    header = info.header
    value = {
        "dataset": info.dataset_id,
        "file": str(file),
        "name": header.name,
        "media_type": header.media_type,
        "columns": list(header.columns),
        "owner": header.owner,
        "suite": header.suite,
        "created_at": iso(header.created_at),
        "bytes": info.plaintext_bytes,
        "sealed_bytes": info.total_bytes,
    }
    rows = [
        ("id", info.dataset_id),
        ("file", file),
        ("name", header.name),
        ("type", header.media_type),
        ("columns", comma(header.columns)),
        ("owner", header.owner),
        ("suite", header.suite),
        ("sealed at", iso(header.created_at)),
        ("size", size(info.plaintext_bytes)),
    ]
    desk.printer.show(value, Facts("Sealed dataset", rows))
