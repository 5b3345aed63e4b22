# SPDX-License-Identifier: Apache-2.0
"""Roles as protocols: what a root of trust gives a monitor, and a monitor a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from strongroom.core.codec.binding import Binding
from strongroom.core.codec.record import Record
from strongroom.core.crypto import SecretBuffer, VerifyingKey
from strongroom.core.rats.hardware import HardwareEvidence
from strongroom.core.rats.registers import Register
from strongroom.errors import StrongroomError


class RootOfTrust(Protocol):
    """The Attesting Environment below the monitor (RFC 9334; C-ROT, C-DUK, C-ENG).

    A monitor owns exactly one. No method gives a key of the device away.
    """

    @property
    def kind(self) -> str:
        """The kind of platform, as in `Evidence.kind`."""

    @property
    def suite_id(self) -> str:
        """The one suite of this device."""

    def extend(self, name: str, event_name: str, digest: bytes) -> None:
        """Measure an event into the register called `name`; there is no way back."""

    def registers(self) -> tuple[Register, ...]:
        """Return the measurement registers as they stand."""

    def attest(self, *, nonce: bytes, monitor_key: VerifyingKey, now: int) -> bytes:
        """Return signed platform evidence that binds key, nonce and registers."""

    def derive(self, purpose: str, context: bytes) -> SecretBuffer:
        """Return the 32-byte key of this device for `context` and `purpose` (HW-3)."""

    def counter(self, name: str) -> int:
        """Return the monotonic counter called `name`; one never incremented is 0."""

    def increment(self, name: str) -> int:
        """Add one durably; return the new value once it can no longer be lost."""

    def random(self, n: int) -> bytes:
        """Return `n` random bytes from the health-tested generator (C-RNG)."""

    def fill(self, secret: SecretBuffer) -> None:
        """Fill secret memory with health-tested random bytes, no copy on the way."""

    def close(self) -> None:
        """Wipe every key; nothing works afterwards."""


class Attester(Protocol):
    """What makes evidence about the machine that it runs on (RFC 9334 Attester)."""

    @property
    def kind(self) -> str:
        """The kind of its evidence, as in `HardwareEvidence.kind`."""

    def collect(self, bound: bytes) -> HardwareEvidence:
        """Return fresh evidence that binds `bound`.

        Args:
            bound: what the kind binds: report data or a realm challenge of 64
                bytes, or a nonce of the length that the kind takes.

        Raises:
            Malformed: `bound` has a length that the kind does not bind.
            Misconfigured: this machine is not of the kind, or the user may not ask;
                the message names the file and what to do.
            Unavailable: the device did not answer; the same may succeed later.
        """

    def missing(self) -> str:
        """Return why `collect` cannot succeed on this machine, or "" if it can."""


@dataclass(frozen=True)
class Call:
    """One call that reached an enclave; the descriptors are the enclave's to close."""

    method: int
    payload: bytes
    fds: tuple[int, ...]


@dataclass(frozen=True)
class PlatformNames(Record):
    """What a monitor says of itself to an enclave of its own.

    Attributes:
        device_id: what the device is called in its evidence.
        booted: digest of the measurement registers.
        monitor_key: signs all app evidence of this boot.
        signer: id of the key that signed the enclave's bundle.
        enclave_id: what reports and records call the enclave.
    """

    device_id: bytes
    booted: bytes
    monitor_key: bytes
    signer: bytes
    enclave_id: bytes


class EnclaveGate(Protocol):
    """All that a program in an enclave sees of the outside (HW-4).

    Labels of keys and counters are the app's own: the monitor puts them under the
    app's measurement.
    """

    @property
    def config(self) -> bytes:
        """What the enclave was created with; its digest is in every report."""

    def receive(self) -> Call | None:
        """Wait for the next call; None when the gate has closed."""

    def reply(self, payload: bytes) -> None:
        """Answer the call that was received last."""

    def fail(self, error: StrongroomError) -> None:
        """Answer it with an error; no secret belongs into one."""

    def report(self, nonce: bytes, user_data: bytes) -> bytes:
        """Return app evidence about this enclave, signed by the monitor (IF-3)."""

    def sealing_key(self, label: str) -> SecretBuffer:
        """Return the app's 32-byte sealing key for `label` on this device."""

    def counter(self, label: str) -> int:
        """Return the app's monotonic counter for `label`."""

    def increment(self, label: str) -> int:
        """Add one to it durably and return the new value."""

    def random(self, n: int) -> bytes:
        """Return `n` random bytes (IF-8)."""

    def now(self) -> int:
        """Return the host's time in Unix seconds: an input, not a truth."""


class ServiceGate(EnclaveGate, Protocol):
    """The gate of an app that serves calls of its own (7.5, 7.8, 7.9)."""

    def bound_key(self, binding: Binding, approval: bytes, label: str) -> SecretBuffer:
        """Return the key of a characteristic value that this app may open (SEAL)."""

    def platform(self) -> PlatformNames:
        """Return what the monitor says of itself, its device and this enclave."""

    def tell(self, calls: Sequence[tuple[int, int, str, str]]) -> None:
        """Have the next answer tell the log of calls in here (LOG-2).

        Args:
            calls: number of the interface, count, outcome ("ok" or an error's code)
                and the rule that refused, or "".
        """

    def ask_host(self, question: bytes) -> bytes:
        """Ask whoever called; the answer is the ordinary side's and proves nothing."""
