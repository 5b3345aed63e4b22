# SPDX-License-Identifier: Apache-2.0
"""`strongroom attest measure`: measurement values from artefacts, before they run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from strongroom.cli.command import command, noun
from strongroom.cli.desk import Desk
from strongroom.cli.output import Facts, Grid

group, attach = noun("Measurement values computed from what will be started.")
Phase = Literal["enter-initrd", "leave-initrd", "sysinit", "ready"]
Bank = Literal["sha1", "sha256", "sha384", "sha512", "sm3"]


@command(group, "uki")
def uki(
    desk: Desk,
    file: Annotated[Path, typer.Argument(help="Unified kernel image.")],
    *,
    bank: Annotated[Bank, typer.Option(help="Bank of the PCRs.")] = "sha256",
    phase: Annotated[
        Phase | None,
        typer.Option(help="Phase of the boot that was reached; only the stub if none."),
    ] = None,
    before: Annotated[
        list[Path] | None,
        typer.Option(help="Boot loader that ran before, in order; repeatable."),
    ] = None,
    inner_kernel: Annotated[
        bool,
        typer.Option(
            "--inner-kernel", help="The stub has firmware load the kernel inside."
        ),
    ] = False,
) -> None:
    """Compute PCR 4 and PCR 11 of a unified kernel image."""
    from strongroom.services.attestation.measured_artefacts import (  # noqa: PLC0415
        PHASES,
        measure_uki,
    )

    reached = PHASES[: PHASES.index(phase) + 1] if phase else ()
    found = measure_uki(
        file.read_bytes(),
        bank=bank,
        phases=reached,
        before=[each.read_bytes() for each in before or []],
        inner_kernel=inner_kernel,
    )
    events = [
        {"register": each.register, "event": each.event, "digest": each.digest.hex()}
        for each in found.events
    ]
    registers = {name: value.hex() for name, value in found.registers.items()}
    value = {"file": str(file), "bank": bank, "measurements": registers}
    table = [tuple(each.values()) for each in events]
    desk.printer.show(
        {**value, "phases": list(reached), "events": events},
        Facts("Measurements", list(registers.items())),
        Grid("Events", ("register", "event", "digest"), table),
    )


@command(group, "bundle")
def bundle(
    desk: Desk, file: Annotated[Path, typer.Argument(help="App bundle.")]
) -> None:
    """Compute the measurement of an app bundle, whose signature must hold."""
    from strongroom.services.attestation.measured_artefacts import (  # noqa: PLC0415
        measure_bundle,
    )

    value = {"file": str(file), "measurement": measure_bundle(file.read_bytes()).hex()}
    desk.printer.show(
        value, Facts("Measurements", [("measurement", value["measurement"])])
    )
