# SPDX-License-Identifier: Apache-2.0
"""The ACPI table that says where a guest's event log lies (ACPI 6.5, 5.2.34, "CCEL").

header 36 | type of confidential computing 1, subtype 1, 0 | length 8 | address 8

Nothing of it is proven: it is held against the log that came beside it, so that a table
of another platform, or a log that was cut out of something else, does not pass unseen.
"""

import struct

from strongroom.errors import Malformed

_LAYOUT = struct.Struct("<4sIBB6s8sI4sIBBHQQ")
_SIGNATURE, _TDX = b"CCEL", 2


def check_table(table: bytes, log: bytes) -> None:
    """Refuse a table that is none, is not a TD's, or has no room for the log.

    Raises:
        Malformed: it says what does not hold.
    """
    if len(table) != _LAYOUT.size:
        message = f"an ACPI table CCEL of {len(table)} bytes, not {_LAYOUT.size}"
        raise Malformed(message)
    signature, size, *_, kind, _, _, room, _ = _LAYOUT.unpack(table)
    if (signature, size) != (_SIGNATURE, len(table)) or sum(table) & 0xFF:
        message = "an ACPI table CCEL whose head or checksum does not hold"
        raise Malformed(message)
    if kind != _TDX or len(log) > room:
        message = f"an ACPI table CCEL of type {kind} with {room} bytes for a log"
        raise Malformed(message)
