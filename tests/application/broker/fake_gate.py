# SPDX-License-Identifier: Apache-2.0
"""A machine for tests: a real simulated device, a monitor key, gates in memory.

The gate is a fake that implements our own protocol: counters in a dictionary that
outlives every broker, as the device's do, and a log of what crossed.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import SecretBuffer, Suite, suite
from strongroom.core.rats import LOCKS, AppFacts, Call, Destruction, Evidence
from strongroom.errors import StrongroomError
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer
from strongroom.system.monitor.report import encode_app_evidence

START = 1_800_000_000


class Crash(BaseException):
    """The machine lost power: nothing after this happens."""


class Clock:
    """The host's clock, which tests turn as a host could."""

    def __init__(self, now: int = START) -> None:
        self.time = now

    def __call__(self) -> int:
        """Return the time."""
        return self.time


@dataclass
class Memory:
    """What of a device outlives a broker: counters, and the root of sealing keys."""

    root: bytes = field(default_factory=lambda: os.urandom(32))
    counters: dict[str, int] = field(default_factory=dict)


class FakeGate:
    """`EnclaveGate` for one broker; `before` is told every step, and may crash it."""

    def __init__(
        self,
        memory: Memory,
        clock: Callable[[], int],
        config: bytes = b"",
        calls: Iterable[Call] = (),
        report: Callable[[bytes, bytes], bytes] | None = None,
        before: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.memory = memory
        self.config = config
        self.answers: list[bytes | StrongroomError] = []
        self._clock = clock
        self._calls = iter(calls)
        self._report = report
        self._before = before

    def receive(self) -> Call | None:
        """Return the next call that the test has put in."""
        return next(self._calls, None)

    def reply(self, payload: bytes) -> None:
        """Keep the answer."""
        self.answers.append(payload)

    def fail(self, error: StrongroomError) -> None:
        """Keep the error."""
        self.answers.append(error)

    def report(self, nonce: bytes, user_data: bytes) -> bytes:
        """Return app evidence of the machine's monitor."""
        assert self._report is not None
        return self._report(nonce, user_data)

    def sealing_key(self, label: str) -> SecretBuffer:
        """Return a key that depends on device and label."""
        key = hashlib.sha256(self.memory.root + label.encode()).digest()
        secret = SecretBuffer(32)
        secret.view[:] = key
        return secret

    def counter(self, label: str) -> int:
        """Return a counter."""
        self._before(f"counter {label}")
        return self.memory.counters.get(label, 0)

    def increment(self, label: str) -> int:
        """Add one to a counter."""
        self._before(f"increment {label}")
        value = self.memory.counters.get(label, 0) + 1
        self.memory.counters[label] = value
        self._before(f"incremented {label}")
        return value

    def random(self, n: int) -> bytes:
        """Return random bytes."""
        return os.urandom(n)

    def now(self) -> int:
        """Return the host's time."""
        return self._clock()


@dataclass(frozen=True)
class Enclave:
    """What the monitor knows of an enclave that it started."""

    id: bytes
    measurement: bytes
    config: bytes
    product: str = "sums"


class Machine:
    """A simulated device with its monitor key, and all that the monitor signs."""

    def __init__(self, folder: Path, suite_id: str, clock: Clock) -> None:
        self.row: Suite = suite(suite_id)
        self.clock = clock
        maker = SimulatedManufacturer.create(folder / "maker", suite_id, START - 10)
        SimulatedDevice.provision(folder / "device", maker, suite_id, START - 10)
        self.root = maker.root
        self.device = SimulatedDevice.open(folder / "device")
        for name in ("monitor", "template", "config"):
            self.device.extend(name, "test", self.row.digest(name.encode()))
        seed = os.urandom(self.row.sign_seed_bytes)
        self.monitor = self.row.signing_key(seed)
        self._platform = self.attest()

    def attest(self) -> bytes:
        """Return platform evidence of now."""
        return self.device.attest(
            nonce=os.urandom(32), monitor_key=self.monitor.public, now=self.clock()
        )

    def close(self) -> None:
        """Power off."""
        self.device.close()

    def start(self, measurement: bytes, config: bytes = b"") -> Enclave:
        """Start an enclave."""
        return Enclave(os.urandom(16), measurement, self.row.digest(config))

    def report(self, enclave: Enclave, nonce: bytes, user_data: bytes) -> bytes:
        """Return app evidence."""
        facts = AppFacts(
            enclave_id=enclave.id,
            measurement=enclave.measurement,
            signer=bytes(32),
            product=enclave.product,
            svn=1,
            suite_id=self.row.id,
            memory_bytes=1 << 20,
            threads=1,
            processes=0,
            debug=False,
            permissions=(),
            locks=LOCKS,
            config=enclave.config,
            nonce=nonce,
            user_data=user_data,
            issued_at=self.clock(),
        )
        return encode_app_evidence(self.monitor, facts)

    def evidence(self, enclave: Enclave, nonce: bytes, user_data: bytes) -> Evidence:
        """Return both layers of evidence."""
        return Evidence(
            kind="simulated",
            platform=self._platform,
            app=self.report(enclave, nonce, user_data),
        )

    def destroy(self, enclave: Enclave, **changes: object) -> bytes:
        """Return the destruction record of an enclave."""
        given: dict[str, object] = {
            "suite": self.row.id,
            "enclave_id": enclave.id,
            "measurement": enclave.measurement,
            "created_at": self.clock(),
            "destroyed_at": self.clock(),
            "reason": "requested",
            "exit": "0",
            "memory_bytes": 1 << 20,
        }
        record = Destruction(**(given | changes))  # type: ignore[arg-type]  # tests vary any
        return sign_record(self.monitor, record)
