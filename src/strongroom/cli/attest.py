# SPDX-License-Identifier: Apache-2.0
"""`strongroom attest explain`: evidence in plain words; it verifies nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Line, clean
from strongroom.cli.words import say

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree

    from strongroom.core.rats import Evidence

group, attach = noun("Evidence files.")


@command(group, "explain")
def explain(
    desk: Desk,
    file: Annotated[Path, typer.Argument(help="Evidence, or a receipt with it.")],
) -> None:
    """Show what evidence says, as a tree; whether it is true `verify` tells."""
    from strongroom.cli.claims import explained  # noqa: PLC0415

    evidence = _read(file.read_bytes())
    value = {"kind": evidence.kind, "verified": False, **explained(evidence)}
    note = say("Nothing of this is verified: it is what the evidence says of itself.")
    title = say("Evidence of kind {kind}", kind=evidence.kind)
    branches = {name: value[name] for name in ("platform", "app")}
    desk.printer.show(value, Branches(title, branches), Line(note, "yellow"))


@command(group, "verify-case")
def verify_case(
    desk: Desk,
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of cases, or folders of folders.")
    ],
) -> None:
    """Verify attestation cases; one JSON line each, exit 1 where one is unexpected."""
    from strongroom.cli.cases import find_cases, read_case, run_case  # noqa: PLC0415
    from strongroom.errors import NotFound  # noqa: PLC0415

    del desk
    found = [case for folder in folders for case in find_cases(folder)]
    if not found:
        message = f"no case.json in {', '.join(map(str, folders))}"
        raise NotFound(message)
    right = True
    for folder in found:
        result = run_case(read_case(folder))
        typer.echo(result.to_json())
        right &= result.as_expected
    if not right:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Branches:
    """A tree of names and values."""

    title: str
    value: Mapping[str, object]

    def render(self) -> "RenderableType":
        """Return it as rich draws trees."""
        from rich.text import Text  # noqa: PLC0415
        from rich.tree import Tree  # noqa: PLC0415

        tree = Tree(Text(clean(self.title), style="bold"))
        _grow(tree, self.value)
        return tree


def _grow(tree: "Tree", value: object) -> None:
    from rich.text import Text  # noqa: PLC0415

    if isinstance(value, Mapping):
        items = [(say(str(name)), item) for name, item in value.items()]
    elif isinstance(value, list):
        items = [("", item) for item in value]
    else:
        return
    for name, item in items:
        if isinstance(item, Mapping | list) and item:
            _grow(tree.add(Text(clean(name) or "-", style="cyan")), item)
        else:
            text = item.hex() if isinstance(item, bytes) else str(item)
            label = Text(clean(f"{name}: " if name else ""), style="cyan")
            tree.add(label.append(clean(text), style="default"))


def _read(data: bytes) -> "Evidence":
    from strongroom.application.cleanroom import ReceiptBundle  # noqa: PLC0415
    from strongroom.core.rats import Evidence  # noqa: PLC0415
    from strongroom.errors import Malformed  # noqa: PLC0415

    try:
        return ReceiptBundle.from_bytes(data).evidence
    except Malformed:
        return Evidence.from_bytes(data)
