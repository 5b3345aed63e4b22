# SPDX-License-Identifier: Apache-2.0
"""`strongroom receipt`: check a receipt offline, with the room file alone (T-5)."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import arguments
from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Facts, Grid, Line
from strongroom.cli.room import Allow
from strongroom.cli.views import iso
from strongroom.cli.words import say

group, attach = noun("Receipts of finished tasks.")


@command(group, "verify")
def verify(
    desk: Desk,
    file: Annotated[Path, typer.Argument(help="The receipt.")],
    *,
    room: arguments.RoomFile = None,
    allow: Allow = None,
) -> None:
    """Check everything that a receipt claims; needs no network and no passphrase."""
    from strongroom.application.cleanroom import ReceiptBundle  # noqa: PLC0415
    from strongroom.cli.proofs import receipt_checks, unproved  # noqa: PLC0415
    from strongroom.client.home import DEFAULT_POLICY  # noqa: PLC0415
    from strongroom.client.receipts import verify_receipt  # noqa: PLC0415

    bundle = ReceiptBundle.from_bytes(file.read_bytes())
    policy = DEFAULT_POLICY if room else desk.home.policy()
    policy = replace(policy, kinds=(*policy.kinds, *(allow or [])))
    found = verify_receipt(bundle, desk.room(room), policy, desk.owner())
    receipt, checks = found.receipt, receipt_checks(found)
    missing = unproved(found.result.kind, found.result.unchecked)
    value = {
        "task": receipt.task,
        "agreement": receipt.agreement,
        "app": receipt.app,
        "entry_point": receipt.entry_point,
        "inputs": list(receipt.inputs),
        "recipient": receipt.recipient,
        "result": receipt.result,
        "started_at": iso(receipt.started_at),
        "finished_at": iso(receipt.finished_at),
        "destroyed_at": iso(found.destruction.destroyed_at),
        "log_index": found.log_index,
        "log_size": found.log_size,
        "status": found.result.status,
        "checks": [each.sentence for each in checks],
        "not_proved": missing,
    }
    rows = [
        ("task", receipt.task),
        ("agreement", receipt.agreement),
        ("app", receipt.app),
        ("entry point", receipt.entry_point),
        ("recipient", receipt.recipient),
        ("result", receipt.result),
    ]
    cells = [(say(each.what), each.found, each.grade) for each in checks]
    desk.printer.show(
        value,
        Line(say("The receipt holds."), "green"),
        Facts("Receipt", rows),
        Grid("What was verified", ("check", "found", "grade"), cells),
        Grid("What this does not prove", ("statement",), [(each,) for each in missing]),
    )
