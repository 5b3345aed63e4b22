# SPDX-License-Identifier: Apache-2.0
"""Lets the broker's time pass: a call a second, so that silence is noticed in time."""

from contextlib import suppress

from strongroom.application.broker import Method
from strongroom.errors import StrongroomError
from strongroom.node.broker_host import BrokerHost
from strongroom.node.periodic import Periodic

TICK_S = 1.0


class Clockwork(Periodic):
    """Calls the broker every `TICK_S` in a thread of its own; a context manager.

    The broker withdraws silent nodes on any call; this makes sure that one comes.
    """

    def __init__(self, host: BrokerHost) -> None:
        super().__init__()
        self._host = host

    def _run(self) -> None:
        while not self._ended.wait(TICK_S):
            with suppress(StrongroomError):
                self._host.call(Method.TICKETS, {})
