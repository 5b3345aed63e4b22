# SPDX-License-Identifier: Apache-2.0
"""Public-key encryption to a KEM key: HPKE base mode (RFC 9180), one message a box.

`intl` is HPKE itself: ML-KEM-768 with X25519 (draft-ietf-hpke-pq), HKDF-SHA384,
AES-256-GCM. `sm` is in hpke_sm.py. A box is the encapsulation, then the ciphertext.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)

from strongroom.core.crypto.aead import tampered
from strongroom.core.crypto.buffers import Buffer
from strongroom.core.crypto.hashing import SHA384, Hashing
from strongroom.core.crypto.resting import check_seed, resting
from strongroom.core.crypto.signing import KEY_ID_BYTES
from strongroom.errors import Malformed

_HPKE = hpke.Suite(
    hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM
)
_MLKEM_SEED_BYTES, _MLKEM_BYTES, _X25519_BYTES = 64, 1184, 32
_ANY_X25519 = X25519PrivateKey.from_private_bytes(bytes(_X25519_BYTES))
"""No secret: every private key meets a point of small order with zero."""


class KemPublic(ABC):
    """A public key that boxes are sealed to; equal by its bytes."""

    suite_id: ClassVar[str]
    _hashing: ClassVar[Hashing]

    def __init__(self, raw: Buffer) -> None:
        self.raw = bytes(raw)
        self._check()

    @cached_property
    def key_id(self) -> bytes:
        """The first 32 bytes of the digest of the raw key."""
        return self._hashing.digest(self.raw)[:KEY_ID_BYTES]

    @abstractmethod
    def seal(self, plaintext: Buffer, info: bytes) -> bytes:
        """Return a box that only the private key opens, and only with `info`."""

    @abstractmethod
    def _check(self) -> None: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash((self.suite_id, self.raw))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key_id.hex()[:16]}>"


class KemKey(ABC):
    """A private key that opens boxes.

    Attributes:
        public: the half to give away.
    """

    public: KemPublic

    @property
    def suite_id(self) -> str:
        """The suite of this key."""
        return self.public.suite_id

    @abstractmethod
    def open(self, box: Buffer, info: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            Tampered: another key, another `info`, or altered bytes.
        """


class HybridKemPublic(KemPublic):
    """The 1184 bytes of ML-KEM-768 (FIPS 203), then the 32 of X25519 (RFC 7748)."""

    suite_id = "intl"
    _hashing = SHA384

    def _check(self) -> None:
        if len(self.raw) != _MLKEM_BYTES + _X25519_BYTES:
            expected = _MLKEM_BYTES + _X25519_BYTES
            message = f"a key for boxes is {expected} bytes, not {len(self.raw)}"
            raise Malformed(message)
        try:  # only an exchange finds a point of small order (RFC 7748 section 6.1)
            self._key  # noqa: B018 - made now, and refused if it is none
            _ANY_X25519.exchange(X25519PublicKey.from_public_bytes(self.raw[-32:]))
        except ValueError as error:
            message = "these bytes are not a usable ML-KEM-768 and X25519 key"
            raise Malformed(message) from error

    @cached_property
    def _key(self) -> hpke.MLKEM768X25519PublicKey:
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_BYTES]),
            X25519PublicKey.from_public_bytes(self.raw[_MLKEM_BYTES:]),
        )

    def seal(self, plaintext: Buffer, info: bytes) -> bytes:
        """Return `enc || ct` of RFC 9180 section 6.1."""
        return _HPKE.encrypt(plaintext, self._key, info)


class HybridKemKey(KemKey):
    """A seed of 96 bytes: d and z of ML-KEM-768, then the X25519 scalar."""

    SEED_BYTES = _MLKEM_SEED_BYTES + _X25519_BYTES

    def __init__(self, seed: Buffer, *, transient: bool) -> None:
        check_seed(seed, self.SEED_BYTES)
        self._key = resting(_load, seed, transient=transient)
        view = memoryview(seed)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(view[:_MLKEM_SEED_BYTES])
        x25519 = X25519PrivateKey.from_private_bytes(view[_MLKEM_SEED_BYTES:])
        self.public = HybridKemPublic(
            mlkem.public_key().public_bytes_raw()
            + x25519.public_key().public_bytes_raw()
        )

    def open(self, box: Buffer, info: bytes) -> bytes:
        """Return what `seal` was given."""
        try:
            return _HPKE.decrypt(box, self._key(), info)
        except (InvalidTag, ValueError) as error:
            raise tampered() from error


def _load(seed: Buffer) -> hpke.MLKEM768X25519PrivateKey:
    view = memoryview(seed)
    return hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(view[:_MLKEM_SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(view[_MLKEM_SEED_BYTES:]),
    )
