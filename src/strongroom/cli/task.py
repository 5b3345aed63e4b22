# SPDX-License-Identifier: Apache-2.0
"""`strongroom task`: use an agreement, wait, fetch and verify the result (R-RES)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import arguments
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.errors import Refusal, finding_values
from strongroom.cli.output import Block, Facts, Grid, Line
from strongroom.cli.words import say
from strongroom.errors import Refused, error_from_value

if TYPE_CHECKING:
    from strongroom.application.cleanroom import TaskStatus
    from strongroom.client.receipts import VerifiedReceipt

group, attach = noun("Tasks: run, dry-run, status, result.")
RECEIPT_SUFFIX = ".receipt"
AgreementId = Annotated[
    str, typer.Argument(help="The agreement's id, or the start of it.")
]
TaskId = Annotated[str, typer.Argument(help="The task's id.")]
EntryPoint = Annotated[str, typer.Option(help="The entry point to call.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Result file; its receipt lies beside it."),
]


@command(group, "run")
def run(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    agreement: AgreementId,
    *,
    entry_point: EntryPoint,
    value: arguments.Values = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is done; --output does too.")
    ] = False,
    output: Output = None,
    timeout: Annotated[
        int, typer.Option(min=1, help="How long to wait, seconds.")
    ] = 600,
) -> None:
    """Use an agreement once; with --output, verify and write the result."""
    from strongroom.cli.deals import full_id  # noqa: PLC0415
    from strongroom.client import tasks  # noqa: PLC0415

    values = arguments.json_values(value)
    session = desk.session
    identity = full_id(desk, agreement)
    task = tasks.request(session, identity, entry_point, values)
    if not wait and output is None:
        done = say("Asked for. See `strongroom task status {task}`.", task=task)
        asked = {"task": task, "agreement": identity, "state": "waiting"}
        desk.printer.show(asked, Facts("Task", [("id", task)]), Line(done))
        return
    with desk.printer.progress("Waiting for the result", None) as progress:
        state = tasks.wait(session, task, timeout, lambda _: progress(0))
    if output is None:
        _show(desk, state)
    else:
        _fetch(desk, task, output)


@command(group, "dry-run")
def dry_run(
    desk: Desk,
    agreement: AgreementId,
    *,
    entry_point: EntryPoint,
    value: arguments.Values = None,
) -> None:
    """Ask whether a task would be allowed, and if not, by which rule of whom."""
    from strongroom.cli.deals import full_id  # noqa: PLC0415
    from strongroom.client import tasks  # noqa: PLC0415

    values = arguments.json_values(value)
    identity = full_id(desk, agreement)
    findings = tasks.dry_run(desk.session, identity, entry_point, values)
    block: Block = Line(say("This would be allowed."), "green")
    if findings:
        block = Refusal("This would be refused", "", findings)
    answer = {"allowed": not findings, "findings": finding_values(findings)}
    desk.printer.show(answer, block)
    if findings:
        raise typer.Exit(Refused.exit_code)


@command(group, "status")
def status(desk: Desk, task: TaskId) -> None:
    """Show how a task stands."""
    from strongroom.client import tasks  # noqa: PLC0415

    _show(desk, tasks.status(desk.session, task))


@command(group, "result")
def result(
    desk: Desk,
    task: TaskId,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Result file; its receipt lies beside it."),
    ],
) -> None:
    """Fetch a result, verify its receipt, and write both."""
    _fetch(desk, task, output)


def _fetch(desk: Desk, task: str, output: Path) -> None:
    from strongroom.client import tasks  # noqa: PLC0415

    verified, bundle = tasks.fetch(desk.session, task, output)
    kept = output.with_name(output.name + RECEIPT_SUFFIX)
    kept.write_bytes(bundle.to_bytes())
    _show_result(desk, verified, output, kept)


def _show_result(
    desk: Desk, verified: "VerifiedReceipt", output: Path, kept: Path
) -> None:
    from strongroom.cli.proofs import receipt_checks  # noqa: PLC0415

    checks = receipt_checks(verified)
    receipt = verified.receipt
    value = {
        "task": receipt.task,
        "agreement": receipt.agreement,
        "state": "done",
        "attempts": receipt.attempt,
        "output": str(output),
        "receipt": str(kept),
        "checks": [each.sentence for each in checks],
    }
    rows = [("task", receipt.task), ("result", output), ("receipt", kept)]
    cells = [(say(each.what), each.found, each.grade) for each in checks]
    desk.printer.show(
        value,
        Line(say("Done: the receipt holds and the result is yours."), "green"),
        Facts("Result", rows),
        Grid("What was verified", ("check", "found", "grade"), cells),
    )


def _show(desk: Desk, state: "TaskStatus") -> None:
    value = {
        "task": state.task,
        "agreement": state.agreement,
        "state": state.state,
        "attempts": state.attempts,
        "result": state.result,
        "error": state.error or None,
    }
    rows: list[tuple[str, object]] = [
        ("id", state.task),
        ("agreement", state.agreement),
        ("state", say(state.state)),
        ("attempts", state.attempts),
    ]
    blocks: list[Block] = [Facts("Task", rows)]
    if state.error:
        error = error_from_value(state.error)
        blocks.append(Refusal("Why it failed", error.message, error.findings))
    desk.printer.show(value, *blocks)
