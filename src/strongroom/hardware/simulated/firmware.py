# SPDX-License-Identifier: Apache-2.0
"""The device's firmware: its code and that of its parts, with a version (C-FW).

It measures itself, so an honest installation is told from a changed one; a changed one
can also lie about it. On hardware this register is filled by something that cannot.
"""

from functools import cache
from importlib import resources

from strongroom.core.codec import cbor
from strongroom.core.crypto import suite
from strongroom.core.rats import Event

FIRMWARE_SVN = 1
"""Raised whenever an older version must no longer be trusted."""


@cache
def firmware_event(suite_id: str) -> Event:
    """Return the event with which the device begins the register "firmware"."""
    row = suite(suite_id)
    sources = sorted(
        [folder, each.name, row.digest(each.read_bytes())]
        for folder in ("simulated", "parts")
        for each in resources.files(f"strongroom.hardware.{folder}").iterdir()
        if each.name.endswith(".py")
    )
    return Event("simulated-device", row.digest(cbor.encode([FIRMWARE_SVN, sources])))
