# SPDX-License-Identifier: Apache-2.0
"""Policy over hardware claims: one form for all kinds of hardware.

What a policy does not allow is refused: debug-enabled hardware always, kinds and TCB
statuses unless they are named.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

ACCEPTED_TCB = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
)
"""TCB statuses of a platform that its owner keeps up to date (Intel's words)."""


@dataclass(frozen=True, kw_only=True)
class HardwarePolicy(Record):
    """What `owner` expects of hardware.

    Args:
        owner: whose rules these are; every finding names them.
        kinds: kinds of hardware that are accepted, each by name.
        tcb_statuses: accepted where a kind has a TCB status.
    """

    TYPE = "strongroom/hardware-policy/v1"

    owner: str
    kinds: tuple[str, ...]
    tcb_statuses: tuple[str, ...] = ACCEPTED_TCB

    def __post_init__(self) -> None:
        if not self.owner or not self.kinds:
            message = "a policy has an owner and accepts some kind of hardware"
            raise Malformed(message)
