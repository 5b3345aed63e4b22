# SPDX-License-Identifier: Apache-2.0
"""A node without its monitor is none: it ends, and whoever supervises it starts it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.errors import Unavailable
from strongroom.services.isolation import MonitorProcess


@contextmanager
def watched(monitor: MonitorProcess) -> Iterator[None]:
    """Send this process SIGTERM if its monitor ends while the context lasts.

    A monitor cannot be exchanged under a running node: its key, its boot count and
    the room's evidence cache belong to one boot.

    Raises:
        Unavailable: on leaving, if the monitor has ended.
    """
    left, lost = threading.Event(), threading.Event()

    def watch() -> None:
        monitor.process.wait()
        if not left.is_set():
            lost.set()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        left.set()
        if lost.is_set():
            message = "the monitor of this node ended: start the node again"
            raise Unavailable(message)
