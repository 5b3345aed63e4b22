# SPDX-License-Identifier: Apache-2.0
"""Attest the realm that this runs in, through configfs-tsm (Linux 6.13)."""

from strongroom.hardware.machine import LINUX, Machine
from strongroom.hardware.tsm.attest import TsmAttester
from strongroom.hardware.tsm.report import TsmReport

KIND = "arm-cca"


def attester(machine: Machine = LINUX) -> TsmAttester:
    """Return the attester of this realm; what it binds is the realm challenge."""
    return TsmAttester(KIND, machine, _parts)


def _parts(machine: Machine, report: TsmReport) -> dict[str, bytes]:
    del machine
    return {"token": report.outblob}
