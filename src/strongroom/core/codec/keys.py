# SPDX-License-Identifier: Apache-2.0
"""Public keys on their way between parties: the suite, the use and the raw bytes."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from strongroom.core.codec.record import Record
from strongroom.core.crypto import KemPublic, VerifyingKey, suite
from strongroom.errors import Malformed


@dataclass(frozen=True)
class PublicKey(Record):
    """A public key that has been checked to be one of its suite."""

    suite: str
    use: Literal["sign", "kem"]
    raw: bytes

    def __post_init__(self) -> None:
        if self.use == "sign":
            _verifying(self.suite, self.raw)
        else:
            _kem(self.suite, self.raw)

    @classmethod
    def of(cls, key: VerifyingKey | KemPublic) -> "PublicKey":
        """Return the record of a key."""
        use: Literal["sign", "kem"] = "sign" if isinstance(key, VerifyingKey) else "kem"
        return cls(key.suite_id, use, key.raw)

    def verifying(self) -> VerifyingKey:
        """Return the key that signatures are verified with.

        Raises:
            Malformed: this is a key for boxes.
        """
        if self.use != "sign":
            message = "this public key is for sealing, not for signatures"
            raise Malformed(message)
        return _verifying(self.suite, self.raw)

    def kem(self) -> KemPublic:
        """Return the key that boxes are sealed to.

        Raises:
            Malformed: this is a key for signatures.
        """
        if self.use != "kem":
            message = "this public key is for signatures, not for sealing"
            raise Malformed(message)
        return _kem(self.suite, self.raw)

    @property
    def key_id(self) -> bytes:
        """The first 32 bytes of the digest of the raw key."""
        key = self.verifying() if self.use == "sign" else self.kem()
        return key.key_id


@lru_cache(maxsize=256)
def _verifying(suite_id: str, raw: bytes) -> VerifyingKey:
    return suite(suite_id).verifying_key(raw)


@lru_cache(maxsize=256)
def _kem(suite_id: str, raw: bytes) -> KemPublic:
    return suite(suite_id).kem_public(raw)
