# SPDX-License-Identifier: Apache-2.0
"""The manufacturer of simulated devices: a root and an intermediate key in a folder.

The root signs the intermediate once; the intermediate certifies devices. Both keys
exist in secret memory and in their files of mode 0600, nowhere else.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.core.codec.certificate import Certificate, Role
from strongroom.core.codec.cwt import issue
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.crypto import SecretBuffer, VerifyingKey, suite
from strongroom.errors import Conflict
from strongroom.hardware.parts import files
from strongroom.hardware.parts.rng import Generator
from strongroom.hardware.simulated.abi import subject

ROOT = "Strongroom SIMULATED device root"
INTERMEDIATE = "Strongroom SIMULATED device manufacturer"

_YEAR_S = 365 * 86400
_ROOT_S, _INTERMEDIATE_S, _DEVICE_S = 20 * _YEAR_S, 10 * _YEAR_S, 5 * _YEAR_S
_SERIAL_BYTES = 16
_RECORD, _ROOT_KEY, _ISSUING_KEY = "manufacturer.cbor", "root.key", "issuing.key"


@dataclass(frozen=True)
class _Manufacturer(Record):
    TYPE = "strongroom/simulated-manufacturer/v1"

    suite: str
    root: bytes
    intermediate: bytes


class SimulatedManufacturer:
    """Certifies simulated devices; a context manager that wipes its key.

    Attributes:
        suite_id: the suite of every key here.
        root: the root certificate, for `Endorsements.roots`.
        intermediate: the certificate of the key that certifies devices.
    """

    def __init__(self, record: _Manufacturer, issuing_seed: SecretBuffer) -> None:
        self.suite_id = record.suite
        self.root, self.intermediate = record.root, record.intermediate
        self._seed = issuing_seed
        self._random = Generator()

    @classmethod
    def create(cls, folder: Path, suite_id: str, now: int) -> Self:
        """Make a manufacturer in a new or empty folder.

        Raises:
            Conflict: there is one already.
        """
        row = suite(suite_id)
        files.make_private(folder)
        if (folder / _RECORD).exists():
            message = f"{folder} already holds a manufacturer"
            raise Conflict(message)
        random = Generator()
        size = row.sign_seed_bytes
        with SecretBuffer(size) as root_seed, SecretBuffer(size) as issuing_seed:
            random.fill(root_seed)
            random.fill(issuing_seed)
            root_key = row.signing_key(root_seed.view, transient=True)
            issuing = row.signing_key(issuing_seed.view, transient=True).public
            root = _certificate("root", ROOT, root_key.public, now, random)
            middle = _certificate("intermediate", INTERMEDIATE, issuing, now, random)
            record = _Manufacturer(
                suite_id, issue(root_key, root), issue(root_key, middle)
            )
            files.write_secret(folder / _ROOT_KEY, root_seed)
            files.write_secret(folder / _ISSUING_KEY, issuing_seed)
        files.write_public(folder / _RECORD, record.to_bytes())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the manufacturer that `create` made; the root key stays on the disk.

        Raises:
            NotFound: there is none.
            Tampered: a file is missing or altered.
        """
        files.require_private(folder)
        files.require_private(folder / _RECORD)
        record = _Manufacturer.from_bytes(files.read_public(folder / _RECORD))
        size = suite(record.suite).sign_seed_bytes
        return cls(record, files.read_secret(folder / _ISSUING_KEY, size))

    def certify(
        self, key: VerifyingKey, device_id: bytes, now: int
    ) -> tuple[bytes, ...]:
        """Return the chain of a device's attestation key: leaf, intermediate, root."""
        issuer = suite(self.suite_id).signing_key(self._seed.view, transient=True)
        name = subject(device_id)
        leaf = _certificate("attestation", name, key, now, self._random)
        return issue(issuer, leaf), self.intermediate, self.root

    def close(self) -> None:
        """Wipe the key."""
        self._seed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_LIFETIMES: dict[Role, tuple[str, int]] = {
    "root": (ROOT, _ROOT_S),
    "intermediate": (ROOT, _INTERMEDIATE_S),
    "attestation": (INTERMEDIATE, _DEVICE_S),
}


def _certificate(
    role: Role, name: str, key: VerifyingKey, now: int, random: Generator
) -> Certificate:
    issuer, lifetime_s = _LIFETIMES[role]
    return Certificate(
        issuer=issuer,
        subject=name,
        public_key=PublicKey.of(key),
        serial=random.bytes(_SERIAL_BYTES),
        issued_at=now,
        not_before=now,
        expires_at=now + lifetime_s,
        role=role,
    )
