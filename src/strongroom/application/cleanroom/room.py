# SPDX-License-Identifier: Apache-2.0
"""The room: what a party must know to find a broker and to judge what it finds.

Signed by the administrator. A party checks the administrator's id out of band,
once; from then on the room file holds the trust anchors and reference values that
the broker's evidence is appraised against.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.crypto import suite
from strongroom.core.rats import AppraisalPolicy, AppRule, Endorsements
from strongroom.management.keys import PublicIdentity


@dataclass(frozen=True)
class Room(Record):
    """One room: address, administrator, anchors and reference values.

    `broker` is the measurement of the broker's app in hex, `config` the digest of
    the configuration it was started with, `registers` the accepted values of every
    measurement register, `public` the broker's public keys (`BrokerPublic` bytes).
    """

    TYPE = "strongroom/room/v1"

    url: str
    suite: str
    origin: str
    administrator: PublicIdentity
    kind: str
    roots: tuple[bytes, ...]
    broker: str
    config: bytes
    public: bytes
    registers: dict[str, tuple[bytes, ...]]
    locks: tuple[str, ...]
    written_at: int

    @property
    def endorsements(self) -> Endorsements:
        """The roots that platform evidence may chain to."""
        return Endorsements(roots=self.roots, revoked=())

    def policy(
        self, owner: str, kinds: tuple[str, ...], app: AppRule, max_platform_age_s: int
    ) -> AppraisalPolicy:
        """Return `owner`'s appraisal policy for an app in this room.

        Args:
            owner: whose rules these are, for the findings.
            kinds: the kinds of platform the owner accepts, each by name.
            app: what the app must be.
            max_platform_age_s: how old platform evidence may be, seconds.
        """
        return AppraisalPolicy(
            owner=owner,
            kinds=kinds,
            registers=self.registers,
            locks=self.locks,
            max_platform_age_s=max_platform_age_s,
            min_firmware_svn=1,
            apps=(app,),
        )


def task_app_rule(room: Room, app: str) -> AppRule:
    """Return the rule for an app that runs tasks, which takes no configuration.

    Args:
        room: for its suite.
        app: the app's measurement in hex.
    """
    return AppRule.measured(bytes.fromhex(app), config=suite(room.suite).digest(b""))
