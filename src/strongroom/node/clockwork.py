# SPDX-License-Identifier: Apache-2.0
"""Lets the broker's time pass: a call a second, so that silence is noticed in time.

What its own monitor wrote down meanwhile is signed a few times a minute, so that a
copy of that log can be verified while the node runs (LOG-3).
"""

from contextlib import suppress
from itertools import count

from strongroom.application.broker import Method
from strongroom.errors import StrongroomError
from strongroom.node.broker_host import BrokerHost
from strongroom.node.periodic import Periodic

TICK_S = 1.0
HEAD_TICKS = 20


class Clockwork(Periodic):
    """Calls the broker every `TICK_S` in a thread of its own; a context manager.

    The broker withdraws silent nodes on any call; this makes sure that one comes.
    Every `HEAD_TICKS` the monitor signs the head of its log.
    """

    def __init__(self, host: BrokerHost) -> None:
        super().__init__()
        self._host = host

    def _run(self) -> None:
        for tick in count(1):
            if self._ended.wait(TICK_S):
                return
            with suppress(StrongroomError):
                self._host.call(Method.TICKETS, {})
            if tick % HEAD_TICKS == 0:
                with suppress(StrongroomError):
                    self._host.sign_log()
