# SPDX-License-Identifier: Apache-2.0
"""`strongroom attest`: evidence verified, appraised, explained and compared."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import attest_probe, attest_reference, measuring
from strongroom.cli.appraising import add_appraise
from strongroom.cli.command import command, noun
from strongroom.cli.comparing import add_diff
from strongroom.cli.desk import Desk
from strongroom.cli.given import At, EndorsementsOf
from strongroom.cli.output import Line
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.core.rats import Evidence

group, attach = noun("Evidence of hardware and rooms: verify, appraise, explain it.")


@command(group, "explain")
def explain(
    desk: Desk,
    file: Annotated[
        Path, typer.Argument(help="Evidence, a receipt with it, or a case folder.")
    ],
    *,
    endorsements: EndorsementsOf = None,
    time: At = None,
) -> None:
    """Show what evidence says, as a tree, in plain words, and what it leaves open."""
    from strongroom.cli.explaining import Branches, explain_hardware  # noqa: PLC0415
    from strongroom.cli.given import is_evidence, read_given  # noqa: PLC0415

    if is_evidence(file):
        explain_hardware(desk.printer, read_given(file, endorsements, time, desk.now()))
        return
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
    *,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="How many processes verify.")
    ] = 1,
) -> None:
    """Verify attestation cases; one JSON line each, exit 1 where one is unexpected."""
    from strongroom.cli.case_jobs import gather, run_folders  # noqa: PLC0415
    from strongroom.cli.errors import show_error  # noqa: PLC0415

    found, wrong = gather(folders)
    right = True
    for line, as_expected in run_folders(found, jobs):
        typer.echo(line)
        right &= as_expected
    for error in wrong:
        show_error(desk.printer, error)
    if wrong or not right:
        raise typer.Exit(wrong[0].exit_code if right else 1)


add_appraise(group)
add_diff(group)
command(group, "probe")(attest_probe.probe)
attest_reference.attach(group, "reference")
measuring.attach(group, "measure")


def _read(data: bytes) -> "Evidence":
    from strongroom.application.cleanroom import ReceiptBundle  # noqa: PLC0415
    from strongroom.core.rats import Evidence  # noqa: PLC0415
    from strongroom.errors import Malformed  # noqa: PLC0415

    try:
        return ReceiptBundle.from_bytes(data).evidence
    except Malformed:
        return Evidence.from_bytes(data)
