# SPDX-License-Identifier: Apache-2.0
"""`strongroom attest probe`: which hardware this machine can attest, and why not."""

from strongroom.cli.desk import Desk
from strongroom.cli.output import Grid
from strongroom.cli.words import say


def probe(desk: Desk) -> None:
    """Show which hardware this machine can attest, and what the others lack."""
    found = missing()
    value = [
        {"kind": kind, "available": not why, "missing": why}
        for kind, why in found.items()
    ]
    table = [(kind, why or say("nothing")) for kind, why in found.items()]
    desk.printer.show(
        {"attesters": value}, Grid("Attesters", ("kind", "missing"), table)
    )


def missing() -> dict[str, str]:
    """Return for each kind why this machine gives no evidence, or "" if it does."""
    from strongroom.errors import StrongroomError  # noqa: PLC0415
    from strongroom.hardware.registry import (  # noqa: PLC0415
        ATTESTERS,
        hardware_attester,
    )

    found = {}
    for kind in ATTESTERS:
        try:
            found[kind] = hardware_attester(kind).missing()
        except StrongroomError as error:
            found[kind] = error.message
    return found
