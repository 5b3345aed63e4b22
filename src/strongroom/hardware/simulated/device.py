# SPDX-License-Identifier: Apache-2.0
"""The simulated device: one unique key, and everything that comes from it.

    device unique key -> device id, attestation key, counter key
                      -> app root key (by context) -> one-purpose keys   (HW-3, 7.6)

Keys lie in secret memory only; the unique key also in its file, as safe as the
file's owner. One process at a time has the device open.
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.core.codec.record import Record
from strongroom.core.crypto import SecretBuffer, VerifyingKey, suite
from strongroom.core.rats import Event, PlatformFacts, Register
from strongroom.errors import Conflict
from strongroom.hardware.parts import files
from strongroom.hardware.parts.counters import Counters
from strongroom.hardware.parts.keys import COUNTERS, KEY_BYTES, derive, purpose_key
from strongroom.hardware.parts.locks import process_locks
from strongroom.hardware.parts.registers import RegisterBank
from strongroom.hardware.parts.rng import Generator
from strongroom.hardware.simulated.abi import KIND
from strongroom.hardware.simulated.attest import make_evidence
from strongroom.hardware.simulated.firmware import FIRMWARE_SVN, firmware_event
from strongroom.hardware.simulated.keys import attestation_seed, device_id
from strongroom.hardware.simulated.manufacturer import SimulatedManufacturer

_DEVICE, _DUK, _COUNTERS, _LOCK = "device.cbor", "duk.key", "counters", "lock"
_BOOTS = "device/boots"


@dataclass(frozen=True)
class _Device(Record):
    TYPE = "strongroom/simulated-device/v1"

    suite: str
    device_id: bytes
    chain: tuple[bytes, ...]
    debug: bool


class SimulatedDevice:
    """An open device; implements `RootOfTrust`, made by `open` only.

    Attributes:
        kind: "simulated".
        suite_id: the one suite of this device.
        device_id: 32 bytes, public.
        boot_count: how often this device has been opened, this time included.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        with ExitStack() as held:
            held.callback(os.close, lock)
            self._record = _Device.from_bytes(files.read_public(folder / _DEVICE))
            row = self._suite = suite(self._record.suite)
            self._random = Generator()
            duk = held.enter_context(files.read_secret(folder / _DUK, KEY_BYTES))
            if device_id(row, duk) != self._record.device_id:
                raise files.damaged(folder / _DEVICE)
            self._attestation_seed = held.enter_context(attestation_seed(row, duk))
            counter_key = held.enter_context(derive(row, duk, COUNTERS))
            self._counters = Counters(folder / _COUNTERS, row, counter_key)
            held.callback(self._counters.close)
            self.boot_count = self._counters.increment(_BOOTS)
            self._registers = RegisterBank(row.id)
            self._registers.extend("firmware", firmware_event(row.id))
            self._duk, self._held = duk, held.pop_all()

    @classmethod
    def provision(
        cls,
        folder: Path,
        manufacturer: SimulatedManufacturer,
        suite_id: str,
        now: int,
        *,
        debug: bool = False,
    ) -> None:
        """Make a device in `folder`, once: draw its unique key, have it certified.

        The record that makes the folder a device is written last.

        Args:
            folder: of mode 0700, made if missing.
            manufacturer: whose root verifiers will trust.
            suite_id: the suite of the device, which is the manufacturer's.
            now: Unix seconds; the certificate begins here.
            debug: whether its evidence says that debugging is on.

        Raises:
            Conflict: there is a device already, or the suites differ.
        """
        row = suite(suite_id)
        if manufacturer.suite_id != suite_id:
            message = f"a manufacturer of suite {manufacturer.suite_id} makes no others"
            raise Conflict(message)
        files.make_private(folder)
        lock = files.lock(folder / _LOCK)
        try:
            if (folder / _DEVICE).exists():
                message = f"{folder} already holds a device: it is provisioned once"
                raise Conflict(message)
            with SecretBuffer(KEY_BYTES) as duk:
                Generator().fill(duk)
                name = device_id(row, duk)
                with attestation_seed(row, duk) as seed:
                    key = row.signing_key(seed.view, transient=True).public
                chain = manufacturer.certify(key, name, now)
                with derive(row, duk, COUNTERS) as counter_key:
                    Counters.create(folder / _COUNTERS, row, counter_key)
                files.write_secret(folder / _DUK, duk)
            record = _Device(suite_id, name, chain, debug)
            files.write_public(folder / _DEVICE, record.to_bytes())
        finally:
            os.close(lock)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Power on: take the lock, load the unique key, count the boot.

        Raises:
            NotFound: there is no device.
            Conflict: another monitor has it open.
            Tampered: one of its files is missing, altered or cut.
            Misconfigured: the folder is open to others, or no secret memory.
        """
        files.require_private(folder)
        files.require_private(folder / _DEVICE)
        return cls(folder, files.lock(folder / _LOCK))

    @property
    def kind(self) -> str:
        """The kind of platform."""
        return KIND

    @property
    def suite_id(self) -> str:
        """The one suite of this device."""
        return self._record.suite

    @property
    def device_id(self) -> bytes:
        """What this device is called in its evidence, 32 bytes."""
        return self._record.device_id

    def extend(self, name: str, event_name: str, digest: bytes) -> None:
        """Measure an event into the register called `name`.

        Raises:
            NotFound: there is no such register.
            LimitReached: its event log is full.
            Malformed: the digest is not of this device's suite.
        """
        self._registers.extend(name, Event(event_name, digest))

    def registers(self) -> tuple[Register, ...]:
        """Return the measurement registers as they stand."""
        return self._registers.read()

    def attest(self, *, nonce: bytes, monitor_key: VerifyingKey, now: int) -> bytes:
        """Return evidence of this device; `verify` is the inverse.

        Raises:
            Malformed: the nonce is not 8 to 64 bytes, or the key of another suite.
        """
        facts = PlatformFacts(
            kind=KIND,
            suite_id=self.suite_id,
            device_id=self.device_id,
            firmware_svn=FIRMWARE_SVN,
            boot_count=self.boot_count,
            debug=self._record.debug,
            registers=self._registers.read(),
            monitor_key=monitor_key,
            nonce=nonce,
            issued_at=now,
            locks=process_locks(),
        )
        key = self._suite.signing_key(self._attestation_seed.view, transient=True)
        return make_evidence(key, self._record.chain, facts)

    def derive(self, purpose: str, context: bytes) -> SecretBuffer:
        """Return 32 bytes for `purpose` under the app root key of `context`.

        The caller closes them. Every device, context and purpose has its own.
        """
        return purpose_key(self._suite, self._duk, purpose, context)

    def counter(self, name: str) -> int:
        """Return the monotonic counter called `name`; one never incremented is 0."""
        return self._counters.value("app/" + name)

    def increment(self, name: str) -> int:
        """Add one durably and return the new value."""
        return self._counters.increment("app/" + name)

    def random(self, n: int) -> bytes:
        """Return `n` random bytes.

        Raises:
            Unavailable: the generator has failed a health test.
        """
        return self._random.bytes(n)

    def fill(self, secret: SecretBuffer) -> None:
        """Fill `secret` with random bytes, no copy on the way.

        Raises:
            Unavailable: the generator has failed a health test; `secret` is wiped.
        """
        self._random.fill(secret)

    def close(self) -> None:
        """Wipe every key and let go of the device; closing twice is harmless."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
