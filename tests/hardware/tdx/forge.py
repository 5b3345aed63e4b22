# SPDX-License-Identifier: Apache-2.0
"""Trust domains that never were, with the logs of what they measured."""

import json
from dataclasses import dataclass, field, replace
from hashlib import sha384

from strongroom.core.rats import HardwareEvidence, Trust
from tests.hardware.dcap.forge import IntelWorld, Td, world
from tests.hardware.tcg.forge import BOOT, Log

RUNTIME = 0x08000001
CCEL = Log(
    events=tuple(replace(each, register=each.register % 4 + 1) for each in BOOT),
    algorithms=("sha384",),
)
"""A log of firmware and boot loader: its registers 1 to 4 are RTMR 0 to 3."""


@dataclass(frozen=True)
class Event:
    """An event of a runtime log; `digest` is worked out unless it is given."""

    register: int
    name: str
    payload: bytes = b""
    kind: int = RUNTIME
    digest: bytes | None = None
    version: int = 1

    def measured(self) -> bytes:
        if self.digest is not None:
            return self.digest
        if self.version > 1:
            told = f'"name":"{self.name}","payload":"{self.payload.hex()}"'
            return sha384(f'{{{told},"type":{self.kind}}}'.encode()).digest()
        head = self.kind.to_bytes(4, "little")
        return sha384(b":".join((head, self.name.encode(), self.payload))).digest()

    def row(self) -> dict[str, object]:
        return {
            "imr": self.register,
            "event_type": self.kind,
            "digest": self.measured().hex(),
            "event": self.name,
            "event_payload": self.payload.hex(),
            **({"version": self.version} if self.version > 1 else {}),
        }


RUN = (
    Event(0, "", kind=0x80000008, digest=sha384(b"firmware").digest()),
    Event(3, "app-id", bytes(20)),
    Event(3, "compose-hash", bytes(32)),
)


def runtime_log(events: tuple[Event, ...] = RUN) -> bytes:
    """Return a runtime log as a guest hands it out."""
    return json.dumps([each.row() for each in events]).encode()


def run_registers(events: tuple[Event, ...] = RUN) -> bytes:
    """Return RTMR 0 to 3 after the events of a runtime log."""
    values = [bytes(48)] * 4
    for each in events:
        extended = values[each.register] + each.measured().ljust(48, b"\0")
        values[each.register] = sha384(extended).digest()
    return b"".join(values)


def boot_registers(log: Log = CCEL) -> bytes:
    """Return RTMR 0 to 3 after a measured boot."""
    registers = log.registers("sha384")
    return b"".join(registers[index] for index in range(1, 5))


@dataclass(frozen=True)
class Forge:
    """A TD's evidence, and the endorsements that belong to it."""

    kind: str = "tdx v4"
    rtmrs: bytes = bytes(48 * 4)
    td: Td = field(default_factory=Td)
    changes: dict[str, object] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def world(self) -> IntelWorld:
        """Return the platform whose TD this is; each call makes another."""
        td = replace(self.td, rtmrs=self.rtmrs)
        return world(self.kind, **{"td": td, **self.changes})

    def made(self) -> tuple[HardwareEvidence, Trust]:
        """Return evidence and what to verify it with."""
        made = self.world()
        parts = {"quote": made.quote(), **self.parts}
        return HardwareEvidence("tdx", parts), Trust(made.endorsements())


BOOTED = Forge(rtmrs=boot_registers(), parts={"event_log": CCEL.agile()})
RAN = Forge(rtmrs=run_registers(), parts={"runtime_event_log": runtime_log()})
