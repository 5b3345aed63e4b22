# SPDX-License-Identifier: Apache-2.0
"""A device's measurement registers: they start at zero and only ever extend."""

import threading

from strongroom.core.rats import REGISTERS, Event, Register
from strongroom.core.rats.registers import MAX_EVENTS, extended, initial_value
from strongroom.errors import LimitReached, NotFound


class RegisterBank:
    """All registers of one power-on, with their event logs."""

    def __init__(self, suite_id: str) -> None:
        self._suite_id, self._lock = suite_id, threading.Lock()
        power_on = initial_value(suite_id)
        self._registers = {
            name: Register(index, name, power_on, ())
            for index, name in enumerate(REGISTERS)
        }

    def extend(self, name: str, event: Event) -> None:
        """Measure `event` into the register called `name`; there is no way back.

        Raises:
            NotFound: there is no such register.
            LimitReached: its event log is full.
            Malformed: the digest is not of this suite.
        """
        with self._lock:
            old = self._registers.get(name)
            if old is None:
                message = f"there is no register {name!r}: {', '.join(REGISTERS)}"
                raise NotFound(message)
            if len(old.events) >= MAX_EVENTS:
                message = f"register {name} has taken {MAX_EVENTS} events"
                raise LimitReached(message)
            value = extended(self._suite_id, old.value, event)
            events = (*old.events, event)
            self._registers[name] = Register(old.index, name, value, events)

    def read(self) -> tuple[Register, ...]:
        """Return all registers at one moment, in order."""
        with self._lock:
            return tuple(self._registers[name] for name in REGISTERS)
