# SPDX-License-Identifier: Apache-2.0
"""What a compute node must go on proving while it serves a room (RA-2)."""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.rats.claims import ID_BYTES
from strongroom.errors import Malformed

DEFAULT_PERIOD_S, LONGEST_PERIOD_S = 60, 86_400


@dataclass(frozen=True, kw_only=True)
class NodeRules(Record):
    """The administrator's rules for compute nodes; signed, and newer ones replace it.

    Args:
        suite: of the room.
        version: grows with every publication.
        period_s: how long a node serves after its last accepted attestation, seconds.
        min_firmware_svn: the lowest firmware SVN (TCB) that may serve.
        revoked_keys: 32-byte ids of keys that no node's chain may hold.
        revoked_devices: 32-byte ids of devices that may not serve.
        collateral: what vendors published since the room was made, by role; it
            replaces the room's own of the same role.
    """

    TYPE = "strongroom/node-rules/v1"

    suite: str
    version: int
    period_s: int
    min_firmware_svn: int
    revoked_keys: tuple[bytes, ...]
    revoked_devices: tuple[bytes, ...]
    collateral: dict[str, tuple[bytes, ...]]

    def __post_init__(self) -> None:
        if not 1 <= self.period_s <= LONGEST_PERIOD_S:
            message = f"a period is 1 to {LONGEST_PERIOD_S} seconds"
            raise Malformed(message)
        if self.version < 0 or self.min_firmware_svn < 0:
            message = "a version and an SVN are not negative"
            raise Malformed(message)
        ids = (*self.revoked_keys, *self.revoked_devices)
        if any(len(each) != ID_BYTES for each in ids):
            message = f"keys and devices are revoked by ids of {ID_BYTES} bytes"
            raise Malformed(message)

    @classmethod
    def initial(cls, suite: str) -> "NodeRules":
        """Return the rules of a room whose administrator has published none."""
        return cls(
            suite=suite,
            version=0,
            period_s=DEFAULT_PERIOD_S,
            min_firmware_svn=0,
            revoked_keys=(),
            revoked_devices=(),
            collateral={},
        )


@dataclass(frozen=True)
class ServingNode(Record):
    """A device in service: its id in hex, its kind, when it last attested."""

    device: str
    kind: str
    attested_at: int


@dataclass(frozen=True)
class WithdrawnNode(Record):
    """A device out of service, with the ids of the rules that it broke."""

    device: str
    rules: str


@dataclass(frozen=True)
class NodesStatus(Record):
    """What the administrator is shown of a room's compute nodes."""

    rules: NodeRules
    serving: tuple[ServingNode, ...]
    withdrawn: tuple[WithdrawnNode, ...]
