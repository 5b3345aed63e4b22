# SPDX-License-Identifier: Apache-2.0
"""The destruction record: the monitor's signed word that an enclave is gone (AS-3).

Signed by the monitor key, so it is worth as much as the platform evidence that
binds that key: `core.codec.signed.open_record(Destruction, data, monitor_key)`.
"""

from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

Reason = Literal["requested", "owner-gone", "exited", "limit"]


@dataclass(frozen=True)
class Destruction(Record):
    """Which enclave ended, when and why; its memory and keys went with it (IF-2).

    `reason`: "requested" by its owner, "owner-gone" with its connection, "exited"
    by itself, "limit" when it hit a declared limit. `exit` says how the process
    ended in the monitor's words; nothing of the app's is in it. Times are Unix
    seconds.
    """

    TYPE = "strongroom/destruction/v1"

    suite: str
    enclave_id: bytes
    measurement: bytes
    created_at: int
    destroyed_at: int
    reason: Reason
    exit: str
    memory_bytes: int

    def __post_init__(self) -> None:
        if self.destroyed_at < self.created_at:
            message = "an enclave is not destroyed before it is created"
            raise Malformed(message)
