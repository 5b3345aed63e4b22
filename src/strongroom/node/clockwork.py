# SPDX-License-Identifier: Apache-2.0
"""Lets the broker's time pass: a call a second, so that silence is noticed in time."""

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from strongroom.application.broker import Method
from strongroom.errors import StrongroomError
from strongroom.node.broker_host import BrokerHost

TICK_S = 1.0


class Clockwork:
    """Calls the broker every `TICK_S` in a thread of its own; a context manager.

    The broker withdraws silent nodes on any call; this makes sure that one comes.
    """

    def __init__(self, host: BrokerHost) -> None:
        self._host = host
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(TICK_S):
            with suppress(StrongroomError):
                self._host.call(Method.TICKETS, {})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
