# SPDX-License-Identifier: Apache-2.0
"""What an enclave may ask of the monitor during a call (HW-4, IF-3, IF-8)."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from strongroom.core.codec.bundle import Manifest
from strongroom.core.crypto import SigningKey
from strongroom.core.rats import AppFacts, RootOfTrust
from strongroom.errors import Malformed
from strongroom.system.monitor.derive import AppVault
from strongroom.system.monitor.report import encode_app_evidence

T = TypeVar("T")


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
    """

    device: Device
    key: SigningKey
    clock: Callable[[], int]
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Birth:
    """What the monitor knows of an enclave from its creation on (HW-5).

    `signer` is a key id; `config` the digest of the configuration bytes; `methods`
    are the numbers that may be called, empty for all; `locks` hold for its process.
    """

    enclave_id: bytes
    handle: bytes
    owner_uid: int
    manifest: Manifest
    measurement: bytes
    signer: bytes
    config: bytes
    memory_bytes: int
    methods: frozenset[int]
    created_at: int
    locks: tuple[str, ...]


class EnclaveRequests:
    """Answers the enclave-side commands of one enclave, under its measurement."""

    def __init__(self, trunk: Trunk, birth: Birth) -> None:
        self._trunk, self._birth = trunk, birth
        self._vault = AppVault(trunk.device, trunk.lock, birth.measurement)

    def answer(self, command: str, fields: dict[str, object]) -> dict[str, object]:
        """Return the reply's fields; `fields` fit the command table already.

        A key is a `SecretBuffer`, which whoever sends the reply closes.
        """
        match command:
            case "REPORT":
                nonce = _take(fields, "nonce", bytes)
                user_data = _take(fields, "user_data", bytes)
                return {
                    "report": app_report(self._trunk, self._birth, nonce, user_data)
                }
            case "SEALING_KEY":
                return {"key": self._vault.sealing_key(_take(fields, "label", str))}
            case "COUNTER":
                return {"value": self._vault.counter(_take(fields, "label", str))}
            case "INCREMENT":
                return {"value": self._vault.increment(_take(fields, "label", str))}
            case "RANDOM":
                count = _take(fields, "n", int)
                with self._trunk.lock:
                    return {"random": self._trunk.device.random(count)}
            case "NOW":
                return {"value": self._trunk.clock()}
            case _:
                message = f"gate: no answer to {command}"
                raise Malformed(message)


def app_report(trunk: Trunk, birth: Birth, nonce: bytes, user_data: bytes) -> bytes:
    """Return app evidence about an enclave, signed by the monitor (IF-3).

    The enclave asks with user data of its own (RA-1); the host asks without (RA-2).
    """
    manifest = birth.manifest
    facts = AppFacts(
        enclave_id=birth.enclave_id,
        measurement=birth.measurement,
        signer=birth.signer,
        product=manifest.name,
        svn=manifest.svn,
        suite_id=manifest.suite,
        memory_bytes=birth.memory_bytes,
        threads=manifest.threads,
        processes=manifest.processes,
        debug=False,
        permissions=_permissions(birth),
        locks=birth.locks,
        config=birth.config,
        nonce=nonce,
        user_data=user_data,
        issued_at=trunk.clock(),
    )
    return encode_app_evidence(trunk.key, facts)


def _permissions(birth: Birth) -> tuple[str, ...]:
    """Return what the app was allotted (RES-1, SYS-1), as text for policies."""
    manifest = birth.manifest
    return (
        *(f"storage:{name}" for name in manifest.storage),
        *(f"peer:{name}" for name in manifest.peers),
        *(f"method:{number}" for number in sorted(birth.methods)),
    )


def _take(fields: dict[str, object], name: str, kind: type[T]) -> T:
    value = fields[name]
    if not isinstance(value, kind):
        message = f"gate: {name} is not of type {kind.__name__}"
        raise Malformed(message)
    return value
