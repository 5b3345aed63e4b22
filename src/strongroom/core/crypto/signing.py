# SPDX-License-Identifier: Apache-2.0
"""Signatures: Ed25519 (RFC 8032) and SM2 with SM3 (GB/T 32918.2).

A private key is a seed: the same seed gives the same key everywhere.
"""

from abc import ABC, abstractmethod
from functools import cached_property, partial
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from strongroom.core.crypto import points, sm2, sm2key
from strongroom.core.crypto.buffers import Buffer
from strongroom.core.crypto.hashing import SHA384, SM3, Hashing
from strongroom.core.crypto.resting import check_seed, resting
from strongroom.errors import Untrusted

KEY_ID_BYTES = 32


class VerifyingKey(ABC):
    """A public key that signatures are verified with; equal by its bytes."""

    suite_id: ClassVar[str]
    _hashing: ClassVar[Hashing]

    def __init__(self, raw: Buffer) -> None:
        self.raw = bytes(raw)
        self._check()

    @cached_property
    def key_id(self) -> bytes:
        """The first 32 bytes of the digest of the raw key."""
        return self._hashing.digest(self.raw)[:KEY_ID_BYTES]

    def verify(self, signature: bytes, message: Buffer) -> None:
        """Return if `signature` is this key's over `message`.

        Raises:
            Untrusted: it is not.
        """
        if not self._holds(signature, message):
            raise Untrusted.because(
                rule="signature",
                owner="core",
                expected=f"a signature by the key {self.key_id.hex()[:16]}",
                got="one that does not verify",
                remedy="Get the statement again from the one who signed it.",
            )

    @abstractmethod
    def _check(self) -> None: ...

    @abstractmethod
    def _holds(self, signature: bytes, message: Buffer) -> bool: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash((self.suite_id, self.raw))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key_id.hex()[:16]}>"


class SigningKey(ABC):
    """A private key that signs.

    Attributes:
        public: the half to give away.
    """

    public: VerifyingKey

    @property
    def suite_id(self) -> str:
        """The suite of this key."""
        return self.public.suite_id

    @abstractmethod
    def sign(self, message: Buffer) -> bytes:
        """Return the signature of `message`."""


class Ed25519VerifyingKey(VerifyingKey):
    """32 bytes of RFC 8032."""

    suite_id = "intl"
    _hashing = SHA384

    def _check(self) -> None:
        points.check_ed25519(self.raw)

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def _holds(self, signature: bytes, message: Buffer) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Ed25519SigningKey(SigningKey):
    """A seed of 32 bytes; signatures are 64 raw bytes."""

    SEED_BYTES = 32

    def __init__(self, seed: Buffer, *, transient: bool) -> None:
        check_seed(seed, self.SEED_BYTES)
        load = Ed25519PrivateKey.from_private_bytes
        self._key = resting(load, seed, transient=transient)
        self.public = Ed25519VerifyingKey(self._key().public_key().public_bytes_raw())

    def sign(self, message: Buffer) -> bytes:
        """Return R || S of RFC 8032."""
        return self._key().sign(message)


class Sm2VerifyingKey(VerifyingKey):
    """65 bytes: the uncompressed point of SEC 1."""

    suite_id = "sm"
    _hashing = SM3

    def _check(self) -> None:
        points.check_sm2(self.raw)

    @cached_property
    def _key(self) -> sm2key.Key:
        return sm2key.public_key(self.raw)

    def _holds(self, signature: bytes, message: Buffer) -> bool:
        return sm2.verify(self._key, signature, message)


class Sm2SigningKey(SigningKey):
    """A seed of 40 bytes; signatures are DER of GB/T 35276."""

    SEED_BYTES = sm2key.SEED_BYTES

    def __init__(self, seed: Buffer, *, transient: bool) -> None:
        check_seed(seed, self.SEED_BYTES)
        self.public = Sm2VerifyingKey(sm2key.public_from_seed(seed))
        load = partial(sm2key.private_key, self.public.raw)
        self._key = resting(load, seed, transient=transient)

    def sign(self, message: Buffer) -> bytes:
        """Return the DER of r and s."""
        return sm2.sign(self._key(), message)
