# SPDX-License-Identifier: Apache-2.0
"""The launch policy: whose bundles a monitor may start (SYS-3), by the administrator.

The monitor pins the administrator's key when it starts and measures it; the policy
itself is versioned and may change while the monitor runs, forward only.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed


@dataclass(frozen=True)
class LaunchPolicy(Record):
    """Key ids of the signers whose bundles may start; anyone else is refused."""

    TYPE = "strongroom/launch-policy/v1"

    suite: str
    version: int
    signers: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if self.version < 1:
            message = "a launch policy's versions start at 1"
            raise Malformed(message)
