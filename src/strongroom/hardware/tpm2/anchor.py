# SPDX-License-Identifier: Apache-2.0
"""Counters that an old copy of their file cannot turn back (C-ROT).

The named counters lie in a journal; ONE counter in the TPM counts how often any of
them was incremented. The journal is written first, the TPM after it: a crash in
between leaves the journal one ahead, which was never acknowledged and is caught up. A
journal that is behind is an older copy, and one that is further ahead was forged.
"""

from pathlib import Path

from strongroom.core.crypto import SecretBuffer, Suite
from strongroom.errors import LimitReached, Stale, Tampered
from strongroom.hardware.parts.counters import Counters
from strongroom.hardware.tpm2 import commands
from strongroom.hardware.tpm2.client import Tpm, TpmError

_FIRST_INDEX, _INDICES = 0x0180_5300, 256
"""In the range that the owner of a machine gives out (TCG Registry of Reserved TPM 2.0
Handles and Localities)."""


def make_anchor(tpm: Tpm) -> tuple[int, int]:
    """Make a counter in the TPM; return its index and its first value.

    Raises:
        LimitReached: the TPM has no room for one.
    """
    for index in range(_FIRST_INDEX, _FIRST_INDEX + _INDICES):
        try:
            commands.nv_define_counter(tpm, index)
        except TpmError as error:
            if error.rc == "NV_DEFINED":
                continue
            if error.rc == "NV_SPACE":
                break
            raise
        commands.nv_increment(tpm, index)
        return index, commands.nv_counter(tpm, index)
    message = "the TPM has no room for another counter (tpm2_nvundefine frees some)"
    raise LimitReached(message)


class AnchoredCounters:
    """The counters of a device whose TPM counts along.

    Args:
        tpm: with the counter.
        anchor: its index and first value, from `make_anchor`.
        path: the journal.
        row: the device's suite.
        key: of the journal's tags, kept and closed by the caller.

    Raises:
        Stale: the journal is an older copy.
        Tampered: it is altered.
    """

    def __init__(
        self,
        tpm: Tpm,
        anchor: tuple[int, int],
        path: Path,
        row: Suite,
        key: SecretBuffer,
    ) -> None:
        self._tpm, (self._index, self._base) = tpm, anchor
        self._journal = Counters(path, row, key)
        try:
            self._catch_up(path)
        except BaseException:
            self.close()
            raise

    def value(self, name: str) -> int:
        """Return the counter called `name`; one never incremented is 0."""
        return self._journal.value(name)

    def increment(self, name: str) -> int:
        """Add one; return the new value once journal and TPM hold it."""
        value = self._journal.increment(name)
        commands.nv_increment(self._tpm, self._index)
        return value

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _catch_up(self, path: Path) -> None:
        counted = commands.nv_counter(self._tpm, self._index) - self._base
        written = self._journal.total
        if written == counted + 1:
            commands.nv_increment(self._tpm, self._index)
        elif written != counted:
            error = Stale if written < counted else Tampered
            raise error.because(
                rule="device.counters",
                owner="device",
                expected=f"{path.name} with {counted} increments, as the TPM counted",
                got=f"one with {written}",
                remedy="An old copy was put back: restore the newest, or provision a "
                "new device.",
            )
