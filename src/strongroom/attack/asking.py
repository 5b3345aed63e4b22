# SPDX-License-Identifier: Apache-2.0
"""How attempts on the gate are made: what is sent, what is heard, who is served."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from strongroom.attack.calls import connected
from strongroom.attack.route import REFUSALS
from strongroom.attack.target import Target
from strongroom.errors import (
    Conflict,
    Malformed,
    StrongroomError,
    Unavailable,
    error_from_value,
)
from strongroom.system.monitor.gate import (
    ERROR,
    GateConnection,
    recv_frame,
    send_frame,
)

TIMELY: Final[tuple[type[StrongroomError], ...]] = (*REFUSALS, Conflict)
"""The refusals of the gate; `Conflict` is that of a command that comes too late."""

_WAIT_S = 5.0


@contextmanager
def asking(at: Target) -> Iterator[GateConnection]:
    """Open a connection that has to serve still when all was tried over it."""
    with connected(at) as gate:
        yield gate
        gate.call("STATUS", {})


@contextmanager
def connections(at: Target, count: int) -> Iterator[list[GateConnection]]:
    """Open many connections at once."""
    links: list[socket.socket] = []
    try:
        for _ in range(count):
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            links.append(link)
            link.settimeout(_WAIT_S)
            link.connect(os.fspath(at.socket))
        yield [GateConnection(link) for link in links]
    finally:
        for link in links:
            link.close()


def any_works(attempts: Iterable[Callable[[], object]]) -> bool:
    """Return True if one is not refused; else raise the refusal of the last."""
    last: StrongroomError | None = None
    for attempt in attempts:
        try:
            attempt()
        except TIMELY as error:
            last = error
        else:
            return True
    if last is not None:
        raise last
    return False


def ask(
    gate: GateConnection,
    number: int,
    fields: dict[str, object],
    fds: Iterable[int] = (),
) -> None:
    """Send a frame of any number and hear the answer."""
    send_frame(gate.link, number, 1, fields, list(fds))
    answered(gate)


def say(at: Target, data: bytes) -> None:
    """Send bytes over a connection of their own; see that others are still served."""
    with connected(at) as gate:
        gate.link.sendall(data)
        gate.link.shutdown(socket.SHUT_WR)
        try:
            if not answered(gate):
                message = "closed without an answer"
                raise Malformed(message)
        except Unavailable as error:  # the monitor's own word for half a frame
            raise Malformed(error.message) from error
        finally:
            if not answers(at):
                message = "the monitor answers nobody any more"
                raise OSError(message)


def answered(gate: GateConnection) -> bool:
    """Return whether there is an answer; raises what it says."""
    frame = recv_frame(gate.link)
    if frame is None:
        return False
    frame.close()
    if frame.number == ERROR:
        raise error_from_value(frame.fields)
    return True


def answers(at: Target) -> bool:
    """Return whether the monitor says how it is."""
    try:
        with connected(at) as gate:
            return "suite" in gate.call("STATUS", {})
    except (OSError, StrongroomError):
        return False
