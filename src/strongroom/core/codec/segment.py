# SPDX-License-Identifier: Apache-2.0
"""Where the log of a monitor's gate lies: transparency logs, one after another.

    N/journal      u32 length || entry || MAC, as they come; gone when N is whole
    N/tile/...     entries and hashes (c2sp.org/tlog-tiles)
    N/checkpoint   the head, signed by the monitor (c2sp.org/tlog-checkpoint)
    N/evidence     platform evidence that binds the monitor's key

N has eight digits and counts from 0.
"""

from pathlib import Path

JOURNAL, CHECKPOINT, EVIDENCE = "journal", "checkpoint", "evidence"
_DIGITS = 8
_ID_DIGITS = 32


def origin_of(device_id: bytes, number: int) -> str:
    """Return the name that a segment of a device's log has in its checkpoints."""
    return f"{log_of(device_id)}/{number}"


def log_of(device_id: bytes) -> str:
    """Return what the names of all segments of a device begin with."""
    return f"strongroom/gate/{device_id.hex()[:_ID_DIGITS]}"


def place(folder: Path, number: int) -> Path:
    """Return the folder of a segment."""
    return folder / f"{number:0{_DIGITS}d}"


def numbers_in(folder: Path) -> list[int]:
    """Return which segments there are, in order."""
    return sorted(int(each.name) for each in folder.glob("[0-9]" * _DIGITS))
