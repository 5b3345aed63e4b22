# SPDX-License-Identifier: Apache-2.0
"""What a broker is started with, what it is known by, and what it can be called."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from strongroom.core.codec.record import Record
from strongroom.core.crypto import KemPublic, VerifyingKey, suite
from strongroom.errors import Malformed
from strongroom.management.keys import PublicIdentity

REPORT_DATA_BYTES = 64


class Method(IntEnum):
    """The numbered calls across the gate (HW-4)."""

    OPEN = 1
    HELLO = 2
    MESSAGE = 3
    TICKETS = 4
    RELEASE = 5
    COMPLETE = 6
    FAILED = 7
    LOG = 8
    CHALLENGE = 9
    CHECK_IN = 10


@dataclass(frozen=True)
class BrokerConfig(Record):
    """The trust anchors of a room, measured into the broker's evidence.

    `origin` names the log, `administrator` signs the trusted list, `roots` are the
    certificates that the platform evidence of compute nodes must chain to.
    """

    TYPE = "strongroom/broker-config/v1"

    suite: str
    origin: str
    administrator: PublicIdentity
    roots: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Refuse anchors that do not go together."""
        if self.administrator.suite != self.suite:
            message = "the administrator's keys are of another suite than the room"
            raise Malformed(message)
        if not self.roots:
            message = "a room without roots could believe no evidence"
            raise Malformed(message)


@dataclass(frozen=True)
class BrokerPublic(Record):
    """A broker's public keys; its evidence binds their digest (7.5 b)."""

    TYPE = "strongroom/broker-public/v1"

    suite: str
    sign: bytes
    kem: bytes

    @cached_property
    def id(self) -> str:
        """The room's id: sixty-four hex digits over these keys."""
        return suite(self.suite).digest(self.to_bytes())[:32].hex()

    @property
    def report_data(self) -> bytes:
        """The user data of the broker's evidence."""
        return suite(self.suite).digest(self.to_bytes())[:REPORT_DATA_BYTES]

    @property
    def verifying(self) -> VerifyingKey:
        """The key that signs the log's checkpoints."""
        return suite(self.suite).verifying_key(self.sign)

    @property
    def recipient(self) -> KemPublic:
        """The key that messages are sealed to."""
        return suite(self.suite).kem_public(self.kem)
