# SPDX-License-Identifier: Apache-2.0
"""Signature schemes and MACs by name, for keys that an app uses by handle (IF-12).

A private key is a seed, and the same seed gives the same key everywhere.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.crypto.buffers import Buffer, constant_time_equal
from strongroom.core.crypto.hashing import SHA384, SM3, Hashing
from strongroom.core.crypto.signing import (
    Ed25519SigningKey,
    SigningKey as SuiteKey,
    Sm2SigningKey,
)
from strongroom.errors import Untrusted

_EXTRA_BYTES = 8  # so that a seed reduced into the order is uniform (FIPS 186-5 A.2.1)
_MLDSA_SEED_BYTES = 32
_MAC_KEY_BYTES = 32


class ProvingKey(ABC):
    """A key that signs, or makes MACs, and checks what it made.

    Attributes:
        public: the half to give away, as its scheme encodes it; empty for a MAC.
    """

    public: bytes

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """Return the proof of `message`."""

    @abstractmethod
    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether a proof is this key's over `message`."""


class SuiteSigner(ProvingKey):
    """Ed25519 or SM2, as the suites have them."""

    def __init__(self, key: SuiteKey) -> None:
        self._key, self.public = key, key.public.raw

    def sign(self, message: bytes) -> bytes:
        """Return the suite's signature."""
        return self._key.sign(message)

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether a signature is this key's."""
        try:
            self._key.public.verify(signature, message)
        except Untrusted:
            return False
        return True


class Ecdsa(ProvingKey):
    """ECDSA (FIPS 186-5); signatures are DER of r and s, the public key SEC 1."""

    def __init__(
        self, seed: Buffer, curve: ec.EllipticCurve, digest: hashes.HashAlgorithm
    ) -> None:
        number = int.from_bytes(bytes(seed), "big") % (curve.group_order - 1) + 1
        self._key = ec.derive_private_key(number, curve)
        self._scheme = ec.ECDSA(digest)
        self.public = self._key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    def sign(self, message: bytes) -> bytes:
        """Return the DER of r and s."""
        return self._key.sign(message, self._scheme)

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether a signature is this key's."""
        try:
            self._key.public_key().verify(signature, message, self._scheme)
        except InvalidSignature:
            return False
        return True


class MlDsa65(ProvingKey):
    """ML-DSA-65 (FIPS 204), hedged; the context is empty."""

    def __init__(self, seed: Buffer) -> None:
        self._key = mldsa.MLDSA65PrivateKey.from_seed_bytes(bytes(seed))
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 3309 bytes of a signature."""
        return self._key.sign(message)

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether a signature is this key's."""
        try:
            self._key.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Mac(ProvingKey):
    """HMAC (RFC 2104); it proves to whoever has the key, and to nobody else."""

    public = b""

    def __init__(self, key: Buffer, hashing: Hashing) -> None:
        self._key, self._hashing = bytes(key), hashing

    def sign(self, message: bytes) -> bytes:
        """Return the tag."""
        return self._hashing.mac(self._key, message)

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether a tag is this key's; compared in constant time."""
        return constant_time_equal(self.sign(message), signature)


def _p256(seed: Buffer) -> ProvingKey:
    return Ecdsa(seed, ec.SECP256R1(), hashes.SHA256())


def _p384(seed: Buffer) -> ProvingKey:
    return Ecdsa(seed, ec.SECP384R1(), hashes.SHA384())


SIGNATURES: dict[str, tuple[int, Callable[[Buffer], ProvingKey]]] = {
    "sm2": (
        Sm2SigningKey.SEED_BYTES,
        lambda seed: SuiteSigner(Sm2SigningKey(seed, transient=False)),
    ),
    "ed25519": (
        Ed25519SigningKey.SEED_BYTES,
        lambda seed: SuiteSigner(Ed25519SigningKey(seed, transient=False)),
    ),
    "ecdsa-p256": (32 + _EXTRA_BYTES, _p256),
    "ecdsa-p384": (48 + _EXTRA_BYTES, _p384),
    "ml-dsa-65": (_MLDSA_SEED_BYTES, MlDsa65),
}
MACS: dict[str, tuple[int, Callable[[Buffer], ProvingKey]]] = {
    "hmac-sm3": (_MAC_KEY_BYTES, partial(Mac, hashing=SM3)),
    "hmac-sha384": (_MAC_KEY_BYTES, partial(Mac, hashing=SHA384)),
}
"""Seed or key bytes of each, and what makes the key of them."""
