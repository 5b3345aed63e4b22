# SPDX-License-Identifier: Apache-2.0
"""Attest the CSV guest that this runs in, through Hygon's driver /dev/csv-guest.

The structures are those of the driver's csv-guest.h (openEuler and Anolis kernels).
Not covered: guests without that driver, which make the hypercall themselves
(vmmcall 100) and need privileges of the kernel; extended reports of CSV3 (version 2,
with RTMRs).
"""

import secrets
import struct
from dataclasses import dataclass

from strongroom.core.crypto.hashing import SM3
from strongroom.core.rats import HardwareEvidence
from strongroom.errors import StrongroomError, Unavailable
from strongroom.hardware.machine import (
    LINUX,
    REPORT_DATA_BYTES,
    Machine,
    iowr,
    require_report_data,
    using,
)

KIND = "hygon-csv"
DEVICE = "/dev/csv-guest"
NEEDS = "this needs a Hygon CSV guest with the driver csv-guest loaded"

GET_REPORT = iowr(ord("D"), 1, 16)
"""CSV_CMD_GET_REPORT."""

PAGE_BYTES = 4096
"""Of the buffer for request and report: all that any version wants is a page."""

REPORT_BYTES = 2548
"""Of a report of version 1: 336 of the TEE info, 2212 about who signed it."""

MNONCE_BYTES = 16
_ARGUMENT = struct.Struct("<QiI")
_MNONCE_AT, _ANONCE_AT = 128, 188


@dataclass(frozen=True)
class CsvAttester:
    """Attests this guest; implements `Attester`."""

    machine: Machine = LINUX

    @property
    def kind(self) -> str:
        """The kind of evidence."""
        return KIND

    def collect(self, bound: bytes) -> HardwareEvidence:
        """Return a report with `bound` as its report data.

        Raises:
            Malformed: `bound` has not 64 bytes.
            Misconfigured: this is no CSV guest.
            Unavailable: the secure processor did not answer, or not this request.
        """
        require_report_data(bound)
        mnonce = secrets.token_bytes(MNONCE_BYTES)
        page = bytearray(report_request(bound, mnonce).ljust(PAGE_BYTES, b"\0"))
        with using(DEVICE, NEEDS):
            self.machine.ioctl(
                DEVICE,
                GET_REPORT,
                bytearray(_ARGUMENT.pack(0, PAGE_BYTES, 0)),
                {0: page},
            )
        return HardwareEvidence(KIND, {"report": report(bytes(page), mnonce)})

    def missing(self) -> str:
        """Return why this machine gives no such evidence, or "" if it does."""
        try:
            self.collect(bytes(REPORT_DATA_BYTES))
        except StrongroomError as error:
            return error.message
        return ""


def attester(machine: Machine = LINUX) -> CsvAttester:
    """Return the attester of this guest."""
    return CsvAttester(machine)


def report_request(report_data: bytes, mnonce: bytes) -> bytes:
    """Return the request: data, nonce, and SM3 of both, which the firmware checks."""
    return report_data + mnonce + SM3.digest(report_data, mnonce)


def report(page: bytes, mnonce: bytes) -> bytes:
    """Return the report in a page that a driver gave back for `mnonce`.

    Raises:
        Unavailable: it is the answer to another request, or none at all.
    """
    anonce = page[_ANONCE_AT : _ANONCE_AT + 4] * 4
    shown = page[_MNONCE_AT : _MNONCE_AT + MNONCE_BYTES]
    if bytes(a ^ b for a, b in zip(shown, anonce, strict=True)) != mnonce:
        message = f"{DEVICE} gave no report for this request; try again"
        raise Unavailable(message)
    return page[:REPORT_BYTES]
