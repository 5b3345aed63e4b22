# SPDX-License-Identifier: Apache-2.0
"""One party at work in one room: its keys, and a line to the verified broker."""

import time
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Self

from strongroom.application.cleanroom.room import Room
from strongroom.client.broker import (
    BrokerLine,
    Transport,
    VerifiedBroker,
    verify_broker,
)
from strongroom.client.home import Home, PartyPolicy


def _clock() -> int:
    return int(time.time())


class Session:
    """What every operation of a party needs; the broker is verified on first use."""

    def __init__(
        self, home: Home, passphrase: bytes, clock: Callable[[], int] = _clock
    ) -> None:
        self.home = home
        self.identity = home.unlock(passphrase)
        self.clock = clock

    @cached_property
    def room(self) -> Room:
        """The room that the party joined."""
        return self.home.room()

    @cached_property
    def policy(self) -> PartyPolicy:
        """What the party accepts."""
        return self.home.policy()

    @cached_property
    def transport(self) -> Transport:
        """The room's HTTP paths."""
        return Transport(self.room.url)

    @cached_property
    def line(self) -> BrokerLine:
        """Closed messages to the broker, whose evidence was just appraised."""
        return BrokerLine(self.transport, self.verify_broker(), self.identity)

    def close(self) -> None:
        """Close the connections to the room."""
        if "transport" in self.__dict__:
            self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def verify_broker(self) -> VerifiedBroker:
        """Challenge and appraise the broker now."""
        owner = self.identity.public.name
        return verify_broker(
            self.transport,
            self.room,
            self.policy,
            owner,
            self.clock(),
            revoked=self.home.revoked(self.room.kind),
        )

    def ask(self, op: str, body: dict[str, object]) -> dict[str, object]:
        """Ask the broker for one operation."""
        return self.line.ask(op, body, self.clock())
