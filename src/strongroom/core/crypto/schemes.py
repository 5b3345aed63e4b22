# SPDX-License-Identifier: Apache-2.0
"""Signature schemes by one shape: SM2, Ed25519, ECDSA and ML-DSA.

A private key is loaded from secret memory for one operation and dropped. What a
scheme calls a context is SM2's ID of the signer (empty: the default of GB/T 35276)
and ML-DSA's context string; the others have none.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA65PrivateKey,
    MLDSA65PublicKey,
)

from strongroom.core.crypto import points, sm2, sm2key
from strongroom.core.crypto.buffers import Buffer, size, wipe
from strongroom.core.crypto.resting import check_seed
from strongroom.core.crypto.signing import Ed25519SigningKey, Ed25519VerifyingKey
from strongroom.errors import Malformed, Untrusted

Sign = Callable[[Buffer, bytes], bytes]
"""(message, context) -> signature, by a key that is loaded."""


class Scheme(ABC):
    """One signature scheme.

    Attributes:
        key_bytes: the length of a private key.
        draw_bytes: how many uniform bytes make one.
        public_bytes: the length of a public key.
        max_context_bytes: the longest context, 0 where there is none.
    """

    key_bytes: int
    public_bytes: int
    max_context_bytes = 0

    @property
    def draw_bytes(self) -> int:
        """How many uniform bytes a private key is made of."""
        return self.key_bytes

    def make(self, drawn: memoryview, key: memoryview) -> None:
        """Make a private key of uniform bytes; most are themselves the key."""
        key[:] = drawn

    @abstractmethod
    def public(self, key: Buffer) -> bytes:
        """Return the public half of a private key.

        Raises:
            Malformed: `key` is none.
        """

    @abstractmethod
    def load(self, key: Buffer, public: bytes) -> Sign:
        """Return what signs with `key`; the memory of it is not needed any more.

        Args:
            key: the private key.
            public: its public half, which spares some schemes the computation.
        """

    def verify(
        self, public: bytes, signature: bytes, message: Buffer, context: bytes = b""
    ) -> bool:
        """Return whether `signature` is `public`'s over `message`.

        Raises:
            Malformed: `public` is not a key, or the context is too long.
        """
        self.check_context(context)
        return self._holds(public, signature, message, context)

    def check_context(self, context: bytes) -> None:
        """Refuse a context that the scheme cannot sign with.

        Raises:
            Malformed: it has no context, or a shorter one.
        """
        if len(context) > self.max_context_bytes:
            message = (
                f"a context is at most {self.max_context_bytes} bytes in this scheme"
            )
            raise Malformed(message)

    @abstractmethod
    def _holds(
        self, public: bytes, signature: bytes, message: Buffer, context: bytes
    ) -> bool: ...


class Sm2Scheme(Scheme):
    """SM2 with SM3 (GB/T 32918.2); signatures in the DER of GB/T 35276."""

    key_bytes, public_bytes = sm2key.SEED_BYTES, points.SM2_BYTES
    max_context_bytes = sm2.MAX_SIGNER_ID_BYTES

    def public(self, key: Buffer) -> bytes:
        """Return the uncompressed point of SEC 1."""
        check_seed(key, self.key_bytes)
        return sm2key.public_from_seed(key)

    def load(self, key: Buffer, public: bytes) -> Sign:
        """Return what signs with `key`."""
        loaded = sm2key.private_key(public, key)
        return lambda message, identity: sm2.sign(
            loaded, message, identity or sm2.SIGNER_ID
        )

    def _holds(
        self, public: bytes, signature: bytes, message: Buffer, context: bytes
    ) -> bool:
        points.check_sm2(public)
        key = sm2key.public_key(public)
        return sm2.verify(key, signature, message, context or sm2.SIGNER_ID)


class Ed25519Scheme(Scheme):
    """Ed25519 (RFC 8032); signatures of 64 bytes."""

    key_bytes, public_bytes = Ed25519SigningKey.SEED_BYTES, points.ED25519_BYTES

    def public(self, key: Buffer) -> bytes:
        """Return the encoded point."""
        return Ed25519SigningKey(key, transient=False).public.raw

    def load(self, key: Buffer, _public: bytes) -> Sign:
        """Return what signs with `key`."""
        loaded = Ed25519SigningKey(key, transient=False)
        return lambda message, _: loaded.sign(message)

    def _holds(
        self, public: bytes, signature: bytes, message: Buffer, _context: bytes
    ) -> bool:
        key = Ed25519VerifyingKey(public)
        try:
            key.verify(signature, message)
        except Untrusted:
            return False
        return True


class EcdsaScheme(Scheme):
    """ECDSA (FIPS 186-5) with the nonce of RFC 6979; signatures in DER.

    A private key is the number d, big-endian. RFC 6979 needs no random numbers, so
    two forks of one process cannot sign two messages with one nonce.
    """

    def __init__(
        self, curve: ec.EllipticCurve, digest: hashes.HashAlgorithm, oid: str
    ) -> None:
        self._curve = curve
        self._signing = ec.ECDSA(digest, deterministic_signing=True)
        self.key_bytes = curve.key_size // 8
        self.public_bytes = 1 + 2 * self.key_bytes
        rest = b"\xa0" + bytes([len(oid) // 2]) + bytes.fromhex(oid)
        body = b"\x02\x01\x01\x04" + bytes([self.key_bytes])
        self._before = b"\x30" + bytes([len(body + rest) + self.key_bytes]) + body
        self._after = rest

    @property
    def draw_bytes(self) -> int:
        """64 bits more than the key, so that the reduction is close to uniform."""
        return self.key_bytes + 8

    def make(self, drawn: memoryview, key: memoryview) -> None:
        """Reduce by FIPS 186-5 A.2.1, once a key only: it is not constant-time."""
        number = int.from_bytes(drawn, "big") % (self._curve.group_order - 1) + 1
        key[:] = number.to_bytes(self.key_bytes, "big")

    def public(self, key: Buffer) -> bytes:
        """Return the uncompressed point of SEC 1."""
        return (
            self._private(key)
            .public_key()
            .public_bytes(
                serialization.Encoding.X962,
                serialization.PublicFormat.UncompressedPoint,
            )
        )

    def load(self, key: Buffer, _public: bytes) -> Sign:
        """Return what signs with `key`."""
        loaded = self._private(key)
        return lambda message, _: loaded.sign(message, self._signing)

    def _private(self, key: Buffer) -> ec.EllipticCurvePrivateKey:
        """Load d as an ECPrivateKey of SEC 1 section C.4: never a Python number."""
        check_seed(key, self.key_bytes)
        der = bytearray(self._before) + key + self._after
        try:
            loaded = serialization.load_der_private_key(der, None)
        except ValueError as error:
            message = "these bytes are not a private key of that curve"
            raise Malformed(message) from error
        finally:
            wipe(der)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):  # pragma: no cover
            message = "these bytes are not a private key of a curve"
            raise Malformed(message)
        return loaded

    def _holds(
        self, public: bytes, signature: bytes, message: Buffer, _context: bytes
    ) -> bool:
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, public)
        except ValueError as error:
            text = "these bytes are not a point of the curve"
            raise Malformed(text) from error
        try:
            key.verify(signature, message, self._signing)
        except InvalidSignature:
            return False
        return True


class MlDsa65Scheme(Scheme):
    """ML-DSA-65 (FIPS 204), pure, hedged; a private key is its seed xi."""

    key_bytes, public_bytes = 32, 1952
    max_context_bytes = 255

    def public(self, key: Buffer) -> bytes:
        """Return the encoded public key."""
        return self._private(key).public_key().public_bytes_raw()

    def load(self, key: Buffer, _public: bytes) -> Sign:
        """Return what signs with `key`."""
        return self._private(key).sign

    def _private(self, key: Buffer) -> MLDSA65PrivateKey:
        check_seed(key, self.key_bytes)
        return MLDSA65PrivateKey.from_seed_bytes(key)

    def _holds(
        self, public: bytes, signature: bytes, message: Buffer, context: bytes
    ) -> bool:
        if size(public) != self.public_bytes:
            text = f"an ML-DSA-65 key is {self.public_bytes} bytes, not {size(public)}"
            raise Malformed(text)
        try:
            MLDSA65PublicKey.from_public_bytes(public).verify(
                signature, message, context
            )
        except InvalidSignature:
            return False
        return True


SM2_SM3 = Sm2Scheme()
ED25519 = Ed25519Scheme()
ECDSA_P256 = EcdsaScheme(ec.SECP256R1(), hashes.SHA256(), "06082a8648ce3d030107")
ECDSA_P384 = EcdsaScheme(ec.SECP384R1(), hashes.SHA384(), "06052b81040022")
ML_DSA_65 = MlDsa65Scheme()
