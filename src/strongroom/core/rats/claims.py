# SPDX-License-Identifier: Apache-2.0
"""What evidence says: facts that anyone can state, claims that a verifier vouches for.

`PlatformFacts` and `AppFacts` are what an attester puts into evidence; nothing is
known about them but their shape. `PlatformClaims` and `AppClaims` hold the same
fields and take a `Proof`, which only `vouch` gives and only verify functions call
(a test holds the list). So a function that takes claims cannot be given bytes that
nobody verified. This guards against mistakes, not against hostile code in the process.
"""

from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from strongroom.core.crypto import VerifyingKey, suite
from strongroom.core.rats.proof import Proof, require_proof, vouch
from strongroom.core.rats.registers import Register
from strongroom.errors import Malformed

if TYPE_CHECKING:
    from strongroom.core.rats.hardware import HardwareClaims

__all__ = [
    "ID_BYTES",
    "LOCKS",
    "MAX_COUNT",
    "MAX_NONCE_BYTES",
    "MAX_USER_DATA_BYTES",
    "MIN_NONCE_BYTES",
    "AppClaims",
    "AppFacts",
    "AppFields",
    "PlatformClaims",
    "PlatformFacts",
    "PlatformFields",
    "Proof",
    "require_proof",
    "vouch",
]

LOCKS = (
    "user-ns",
    "mount-ns",
    "pid-ns",
    "net-ns",
    "ipc-ns",
    "uts-ns",
    "cgroup-ns",
    "private-root",
    "no-new-privs",
    "no-capabilities",
    "landlock",
    "seccomp",
    "limits",
    "not-dumpable",
    "secret-memory",
)
"""Every lock that a report may name, in the order in which they are applied."""

C = TypeVar("C", bound="PlatformClaims | AppClaims")

MIN_NONCE_BYTES, MAX_NONCE_BYTES = 8, 64
MAX_USER_DATA_BYTES = 64
ID_BYTES = 32
MAX_COUNT = 2**53
_MAX_TEXTS, _MAX_TEXT, _MAX_MODEL = 256, 256, 64


@dataclass(frozen=True, kw_only=True)
class PlatformFields:
    """What a platform states about itself and the monitor key that it binds.

    `device_id` is 32 bytes, `nonce` 8 to 64 bytes as the challenger gave it,
    `issued_at` Unix seconds by the platform's own clock. `locks` are those of the
    monitor's process. `registers` are in the order of `REGISTERS`. `model` is what
    the hardware calls itself, which nobody vouches for; "" where the kind says it all.
    """

    kind: str
    suite_id: str
    device_id: bytes
    firmware_svn: int
    boot_count: int
    debug: bool
    registers: tuple[Register, ...]
    monitor_key: VerifyingKey
    nonce: bytes
    issued_at: int
    locks: tuple[str, ...]
    model: str = ""

    def check(self) -> None:
        """Hold the shape of every field.

        Raises:
            Malformed: names what is wrong.
        """
        _require_size("model", self.model.encode(), 0, _MAX_MODEL)
        _require_size("device_id", self.device_id, ID_BYTES, ID_BYTES)
        _require_size("nonce", self.nonce, MIN_NONCE_BYTES, MAX_NONCE_BYTES)
        _require_counts(self.firmware_svn, self.boot_count, self.issued_at)
        _require_locks(self.locks)
        if self.monitor_key.suite_id != suite(self.suite_id).id:
            message = "the monitor key is of another suite than the platform"
            raise Malformed(message)
        indices = [register.index for register in self.registers]
        if indices != sorted(set(indices)):
            message = "registers are in order and named once"
            raise Malformed(message)

    def register(self, name: str) -> Register | None:
        """Return the register called `name`, or None."""
        return next((each for each in self.registers if each.name == name), None)


@dataclass(frozen=True, kw_only=True)
class PlatformFacts(PlatformFields):
    """Platform fields that nobody has vouched for."""

    def __post_init__(self) -> None:
        self.check()


@dataclass(frozen=True, kw_only=True)
class PlatformClaims(PlatformFields):
    """Platform facts whose signature, chain and event logs hold.

    That they are what a relying party wants (kind, age, firmware, debug, register
    values) is NOT implied: that is appraisal. `hardware` are the claims of the
    hardware that binds the statement, for policies over hardware; None for a
    platform that signs its own.
    """

    hardware: "HardwareClaims | None" = None
    proof: InitVar[Proof]

    def __post_init__(self, proof: Proof) -> None:
        require_proof(proof)
        self.check()

    @classmethod
    def of(
        cls,
        facts: PlatformFacts,
        proof: Proof,
        hardware: "HardwareClaims | None" = None,
    ) -> Self:
        """Return the claims that `facts` become once they are verified."""
        return _claimed(cls, facts, proof, hardware=hardware)


@dataclass(frozen=True, kw_only=True)
class AppFields:
    """What a monitor states about one enclave that it runs.

    `measurement` and `config` are digests of the suite, `signer` a key id of 32
    bytes, `product` and `svn` the manifest's name and SVN, `user_data` up to 64
    bytes of the app's own choice. Sizes in bytes, times in Unix seconds.
    """

    enclave_id: bytes
    measurement: bytes
    signer: bytes
    product: str
    svn: int
    suite_id: str
    memory_bytes: int
    threads: int
    processes: int
    debug: bool
    permissions: tuple[str, ...]
    locks: tuple[str, ...]
    config: bytes
    nonce: bytes
    user_data: bytes
    issued_at: int

    def check(self) -> None:
        """Hold the shape of every field.

        Raises:
            Malformed: names what is wrong.
        """
        digest_bytes = suite(self.suite_id).digest_bytes
        _require_size("enclave_id", self.enclave_id, MIN_NONCE_BYTES, MAX_NONCE_BYTES)
        _require_size("measurement", self.measurement, digest_bytes, digest_bytes)
        _require_size("config", self.config, digest_bytes, digest_bytes)
        _require_size("signer", self.signer, ID_BYTES, ID_BYTES)
        _require_size("nonce", self.nonce, MIN_NONCE_BYTES, MAX_NONCE_BYTES)
        _require_size("user_data", self.user_data, 0, MAX_USER_DATA_BYTES)
        _require_counts(self.svn, self.memory_bytes, self.threads, self.processes)
        _require_counts(self.issued_at)
        _require_locks(self.locks)
        texts = (self.product, *self.permissions)
        if len(texts) > _MAX_TEXTS or any(len(text) > _MAX_TEXT for text in texts):
            message = "the product or the permissions are too long"
            raise Malformed(message)


@dataclass(frozen=True, kw_only=True)
class AppFacts(AppFields):
    """App fields that nobody has vouched for."""

    def __post_init__(self) -> None:
        self.check()


@dataclass(frozen=True, kw_only=True)
class AppClaims(AppFields):
    """App facts signed by the monitor key that verified platform claims bind."""

    proof: InitVar[Proof]

    def __post_init__(self, proof: Proof) -> None:
        require_proof(proof)
        self.check()

    @classmethod
    def of(cls, facts: AppFacts, proof: Proof) -> Self:
        """Return the claims that `facts` become once they are verified."""
        return _claimed(cls, facts, proof)


def _claimed(
    cls: type[C], facts: PlatformFacts | AppFacts, proof: Proof, **more: object
) -> C:
    """Return claims with the fields of `facts`, whose shape was held when made."""
    require_proof(proof)
    claims = object.__new__(cls)
    vars(claims).update(vars(facts), **more)
    return claims


def _require_size(name: str, value: bytes, least: int, most: int) -> None:
    if not least <= len(value) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        message = f"{name} has {wanted} bytes, not {len(value)}"
        raise Malformed(message)


def _require_counts(*values: int) -> None:
    if not all(0 <= value <= MAX_COUNT for value in values):
        message = "a count or time in evidence is out of range"
        raise Malformed(message)


def _require_locks(locks: tuple[str, ...]) -> None:
    if locks != LOCKS and locks != tuple(name for name in LOCKS if name in locks):
        message = "locks are named once, in order, by the names of core.rats.LOCKS"
        raise Malformed(message)
