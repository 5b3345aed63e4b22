# SPDX-License-Identifier: Apache-2.0
"""Routes of an app that takes all there is: its manifest must hold (RES-1).

Every bomb is bounded three times: by the limits of the enclave, which is what is
tried; by itself, in time and in steps; by what its user may start at all.
"""

import threading
from collections.abc import Callable

from strongroom.attack.calls import ByHandle, connected, created
from strongroom.attack.target import Target
from strongroom.errors import StrongroomError

_PAUSE_S = 0.2


def bursting(kind: str) -> Callable[[Target], bool]:
    """Return an attempt to take more than declared; it also must harm nobody else."""

    def attempt(at: Target) -> bool:
        stop, harmed = threading.Event(), threading.Event()

        def bystander() -> None:
            with connected(at) as gate:
                while not stop.wait(_PAUSE_S):
                    try:
                        ByHandle(gate, at.handle).call("echo", text="still here")
                    except StrongroomError:
                        harmed.set()

        watch = threading.Thread(target=bystander)
        watch.start()
        try:
            with created(at, at.brief if kind == "processor" else b"") as mine:
                mine.call("bomb", kind=kind)
        except StrongroomError:
            if harmed.is_set():
                return True
            raise
        finally:
            stop.set()
            watch.join()
        return True

    return attempt


def escaping(way: str, aim: str) -> Callable[[Target], bool]:
    """Return an attempt of the app to get out of its enclave."""

    def attempt(at: Target) -> bool:
        with created(at) as mine:
            told = mine.call("escape", way=way, aim=aim)
        found = told if isinstance(told, dict) else {}
        number = found.get("errno")
        if number:
            raise OSError(number, "in the enclave")
        return bool(found.get("got"))

    return attempt
