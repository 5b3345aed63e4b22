# SPDX-License-Identifier: Apache-2.0
"""Measurement registers: extend-only, and replayed by whoever verifies (C-ROT, 7.2).

    value 0     = zeros, as long as a digest of the suite
    value n + 1 = digest(value n || cbor([event name, event digest]))

The event's name is extended with its digest, so an event log can be neither
reordered nor relabelled without changing the value.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.core.codec import cbor
from strongroom.core.crypto import suite
from strongroom.errors import Malformed

REGISTERS = ("firmware", "monitor", "template", "config")
"""Names by index: the order in which they are filled at boot."""

MAX_EVENTS = 256
_MAX_NAME = 128


@dataclass(frozen=True)
class Event:
    """One thing that was measured: what it is called and its digest."""

    name: str
    digest: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _MAX_NAME:
            message = f"an event's name has 1 to {_MAX_NAME} characters"
            raise Malformed(message)


@dataclass(frozen=True)
class Register:
    """One register as the root of trust states it, with the log that explains it.

    A value of this type has a known name at its own index; that `events` lead to
    `value` is checked by `check_replay`.
    """

    index: int
    name: str
    value: bytes
    events: tuple[Event, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.index < len(REGISTERS) or REGISTERS[self.index] != self.name:
            message = f"registers are {', '.join(REGISTERS)}, in this order"
            raise Malformed(message)
        if len(self.events) > MAX_EVENTS:
            message = f"a register takes at most {MAX_EVENTS} events"
            raise Malformed(message)


def initial_value(suite_id: str) -> bytes:
    """Return what every register holds at power-on."""
    return bytes(suite(suite_id).digest_bytes)


def extended(suite_id: str, value: bytes, event: Event) -> bytes:
    """Return the value of a register that held `value`, after `event`.

    Raises:
        Malformed: the event's digest is not of this suite.
    """
    row = suite(suite_id)
    if len(event.digest) != row.digest_bytes:
        message = f"an event of suite {suite_id} has {row.digest_bytes} bytes"
        raise Malformed(message)
    return row.digest(value, cbor.encode([event.name, event.digest]))


def replay(suite_id: str, events: Iterable[Event]) -> bytes:
    """Return the value that `events` lead to, from power-on."""
    value = initial_value(suite_id)
    for event in events:
        value = extended(suite_id, value, event)
    return value
