# SPDX-License-Identifier: Apache-2.0
"""What a monitor has, and what it knows of each enclave from its creation on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from strongroom.core.codec.bundle import Manifest
from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import SigningKey
from strongroom.core.rats import RootOfTrust
from strongroom.system.monitor.events import LAST_INTERFACE, EventLog


class Device(RootOfTrust, Protocol):
    """A root of trust that has a name."""

    @property
    def device_id(self) -> bytes:
        """What this device is called in its evidence."""


@dataclass(frozen=True)
class Trunk:
    """What all enclaves of one monitor share: device, key, clock.

    Attributes:
        device: used under `lock` only.
        key: the monitor's signing key of this boot.
        clock: gives Unix seconds.
        log: of what the ordinary side and the enclaves ask for (LOG-2).
    """

    device: Device
    key: SigningKey
    clock: Callable[[], int]
    log: EventLog = field(default_factory=EventLog)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Birth:
    """What the monitor knows of an enclave from its creation on (HW-5).

    `signer` signed its bundle; `config` is the digest of the configuration bytes;
    `methods` are the numbers that may be called, empty for all; `locks` hold for its
    process.
    """

    enclave_id: bytes
    handle: bytes
    owner_uid: int
    manifest: Manifest
    measurement: bytes
    signer: PublicKey
    config: bytes
    memory_bytes: int
    methods: frozenset[int]
    created_at: int
    locks: tuple[str, ...]

    def names(self) -> dict[str, str]:
        """Return what the log calls the app and whose it is."""
        return {"app": self.measurement.hex(), "party": self.signer.key_id.hex()}

    def called(self, method: int) -> dict[str, str]:
        """Return what the log calls a method: of a service, the interface it is.

        The broker brings no files: it is part of the template, and its methods are
        its own.
        """
        found = {"method": str(method)}
        manifest = self.manifest
        if manifest.kind == "service" and manifest.files and method <= LAST_INTERFACE:
            found["interface"] = f"IF-{method}"
        return found
