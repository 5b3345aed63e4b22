# SPDX-License-Identifier: Apache-2.0
"""Attest the trust domain that this runs in, through configfs-tsm (Linux 6.7)."""

from contextlib import suppress

from strongroom.core.codec.cursor import Cursor
from strongroom.errors import Malformed, Unavailable
from strongroom.hardware.machine import LINUX, Machine
from strongroom.hardware.tsm.attest import TsmAttester
from strongroom.hardware.tsm.report import TsmReport

KIND = "tdx"
EVENT_LOG = "/sys/firmware/acpi/tables/data/CCEL"
"""The measured-boot log, where the firmware keeps one (ACPI 6.5, table CCEL)."""

_HEADER_BYTES, _BODY_BYTES = 48, 584


def attester(machine: Machine = LINUX) -> TsmAttester:
    """Return the attester of this trust domain."""
    return TsmAttester(KIND, machine, _parts)


def _parts(machine: Machine, report: TsmReport) -> dict[str, bytes]:
    parts = {"quote": without_padding(report.outblob)}
    # Without a log the registers are still quoted; whoever needs it will say so.
    with suppress(OSError):
        parts["event_log"] = machine.read(EVENT_LOG)
    return parts


def without_padding(blob: bytes) -> bytes:
    """Return a quote of version 4 or 5 without the zeros that a host put behind it.

    The kernel passes on what the host's quoting service put into a buffer of whole
    pages, as long as that service says it is; some say more than the quote has.

    Raises:
        Unavailable: this is no whole quote; the service may do better later.
    """
    try:
        cursor = Cursor(blob, "a quote of the host's quoting service")
        version = cursor.little(2)
        cursor.take(_HEADER_BYTES - 2)
        if version == 5:  # noqa: PLR2004 - TDX DCAP quoting library, appendix A.3
            cursor.take(2)
            cursor.take(cursor.little(4))
        else:
            cursor.take(_BODY_BYTES)
        cursor.take(cursor.little(4))
        end = cursor.position
    except Malformed as error:
        message = f"the host's quoting service gave no whole quote: {error.message}"
        raise Unavailable(message) from error
    return blob if any(blob[end:]) else blob[:end]
