# SPDX-License-Identifier: Apache-2.0
"""Carries the administrator's launch policy to the monitors that ask for it."""

from pathlib import Path

from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import open_record
from strongroom.core.crypto import VerifyingKey
from strongroom.node.files import write_durably


class LaunchPolicies:
    """The newest policy that the administrator signed, in one file.

    Checked here only to keep junk out: every monitor checks it for itself.
    """

    def __init__(self, path: Path, administrator: VerifyingKey) -> None:
        self._path = path
        self._administrator = administrator

    def newest(self) -> bytes:
        """Return the signed policy."""
        return self._path.read_bytes()

    def put(self, data: bytes) -> None:
        """Keep a policy if it is newer than the one at hand.

        Raises:
            Malformed, Untrusted: not signed by the administrator.
        """
        new = open_record(LaunchPolicy, data, self._administrator)
        if self._path.exists():
            old = open_record(LaunchPolicy, self.newest(), self._administrator)
            if new.version <= old.version:
                return
        write_durably(self._path, data)
