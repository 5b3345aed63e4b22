# SPDX-License-Identifier: Apache-2.0
"""Ciphers by name, for keys that an app uses by handle (IF-10, IF-11).

A sealing is `nonce || ciphertext || tag`, or what its scheme defines. CBC and CTR are
there for old counterparts: they hide data and prove nothing about it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.padding import PKCS7

from strongroom.core.crypto import sm2, sm2key
from strongroom.core.crypto.aead import (
    NONCE_BYTES,
    Aead,
    AesGcm,
    check_key,
    tampered,
)
from strongroom.core.crypto.buffers import Buffer
from strongroom.core.crypto.hpke_sm import Sm2KemKey
from strongroom.core.crypto.kem import HybridKemKey, KemKey
from strongroom.core.crypto.sm4gcm import sm4_gcm
from strongroom.errors import LimitReached, Malformed, Tampered

Random = Callable[[int], bytes]

SM4_KEY_BYTES = 16
SM2_MAX_BYTES = 64
_BLOCK_BYTES = 16
_BLOCK_BITS = 128


class SealingKey(ABC):
    """A key that encrypts and decrypts whole messages."""

    @abstractmethod
    def encrypt(self, data: bytes, aad: bytes, random: Random) -> bytes:
        """Return the sealing of `data`, which `aad` is bound to."""

    @abstractmethod
    def decrypt(self, sealing: bytes, aad: bytes) -> bytes:
        """Return what `encrypt` was given.

        Raises:
            Tampered: altered, of another key, or with other associated data.
        """


class AeadKey(SealingKey):
    """An AEAD with a random nonce of 96 bits: at most 2^32 messages a key."""

    def __init__(self, aead: Aead) -> None:
        self._aead = aead

    def encrypt(self, data: bytes, aad: bytes, random: Random) -> bytes:
        """Return `nonce || ciphertext || tag`."""
        nonce = random(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, aad)

    def decrypt(self, sealing: bytes, aad: bytes) -> bytes:
        """Return what `encrypt` was given."""
        if len(sealing) < NONCE_BYTES:
            raise tampered()
        view = memoryview(sealing)
        return self._aead.decrypt(view[:NONCE_BYTES], view[NONCE_BYTES:], aad)


class EnvelopeKey(SealingKey):
    """HPKE in one shot (RFC 9180 section 6.1); `aad` is its info."""

    def __init__(self, key: KemKey) -> None:
        self._key = key

    def encrypt(self, data: bytes, aad: bytes, random: Random) -> bytes:
        """Return `enc || ct`."""
        del random
        return self._key.public.seal(data, aad)

    def decrypt(self, sealing: bytes, aad: bytes) -> bytes:
        """Return what `encrypt` was given."""
        return self._key.open(sealing, aad)


class Sm2BoxKey(SealingKey):
    """SM2 encryption (GB/T 32918.4) of at most 64 bytes, such as a key."""

    def __init__(self, seed: Buffer) -> None:
        public = sm2key.public_from_seed(seed)
        self._public = sm2key.public_key(public)
        self._key = sm2key.private_key(public, seed)

    def encrypt(self, data: bytes, aad: bytes, random: Random) -> bytes:
        """Return C1 || C3 || C2."""
        del random
        _no_aad(aad, "SM2 encryption")
        if not 0 < len(data) <= SM2_MAX_BYTES:
            message = f"SM2 encryption takes 1 to {SM2_MAX_BYTES} bytes"
            raise LimitReached(message)
        return sm2.encrypt(self._public, data)

    def decrypt(self, sealing: bytes, aad: bytes) -> bytes:
        """Return what `encrypt` was given."""
        _no_aad(aad, "SM2 encryption")
        try:
            plain = sm2.decrypt(self._key, sealing)
        except Malformed as error:
            raise tampered() from error
        if plain is None:
            raise tampered()
        return plain


class Sm4Mode(SealingKey):
    """SM4 in CBC (padded by PKCS #7) or CTR; unauthenticated, so without `aad`."""

    def __init__(self, key: Buffer, mode: str) -> None:
        check_key(key, SM4_KEY_BYTES)
        self._algorithm, self._is_cbc = algorithms.SM4(bytes(key)), mode == "cbc"

    def encrypt(self, data: bytes, aad: bytes, random: Random) -> bytes:
        """Return `iv || ciphertext`."""
        _no_aad(aad, "a mode without authentication")
        start = random(_BLOCK_BYTES)
        if self._is_cbc:
            padder = PKCS7(_BLOCK_BITS).padder()
            data = padder.update(data) + padder.finalize()
        if self._is_cbc:
            cipher = Cipher(self._algorithm, modes.CBC(start)).encryptor()
        else:
            cipher = Cipher(self._algorithm, modes.CTR(start)).encryptor()
        return start + cipher.update(data) + cipher.finalize()

    def decrypt(self, sealing: bytes, aad: bytes) -> bytes:
        """Return what the bytes decrypt to, altered or not.

        Raises:
            Tampered: no whole number of blocks, or no padding.
        """
        _no_aad(aad, "a mode without authentication")
        if len(sealing) < _BLOCK_BYTES:
            raise tampered()
        start = sealing[:_BLOCK_BYTES]
        if self._is_cbc:
            cipher = Cipher(self._algorithm, modes.CBC(start)).decryptor()
        else:
            cipher = Cipher(self._algorithm, modes.CTR(start)).decryptor()
        try:
            data = cipher.update(sealing[_BLOCK_BYTES:]) + cipher.finalize()
            if not self._is_cbc:
                return data
            unpadder = PKCS7(_BLOCK_BITS).unpadder()
            return unpadder.update(data) + unpadder.finalize()
        except ValueError as error:
            raise tampered() from error


class ChaCha(Aead):
    """ChaCha20-Poly1305 (RFC 8439) by `cryptography`."""

    KEY_BYTES = 32

    def __init__(self, key: Buffer) -> None:
        check_key(key, self.KEY_BYTES)
        self._cipher = ChaCha20Poly1305(key)

    def _encrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> None:
        self._cipher.encrypt_into(nonce, data, aad, out)

    def _decrypt_into(
        self, nonce: Buffer, data: Buffer, aad: Buffer, out: bytearray | memoryview
    ) -> bool:
        try:
            self._cipher.decrypt_into(nonce, data, aad, out)
        except InvalidTag:
            return False
        return True


def _no_aad(aad: bytes, what: str) -> None:
    if aad:
        message = f"{what} binds no associated data: use an AEAD"
        raise Malformed(message)


def _aead(make: Callable[[Buffer], Aead], seed: Buffer) -> SealingKey:
    return AeadKey(make(seed))


CIPHERS: dict[str, tuple[int, Callable[[Buffer], SealingKey]]] = {
    "sm4-gcm": (SM4_KEY_BYTES, partial(_aead, sm4_gcm)),
    "aes-256-gcm": (AesGcm.KEY_BYTES, partial(_aead, AesGcm)),
    "chacha20-poly1305": (ChaCha.KEY_BYTES, partial(_aead, ChaCha)),
    "sm2-encrypt": (sm2key.SEED_BYTES, Sm2BoxKey),
    "hpke-sm2": (
        Sm2KemKey.SEED_BYTES,
        lambda seed: EnvelopeKey(Sm2KemKey(seed, transient=False)),
    ),
    "hpke-x25519-mlkem768": (
        HybridKemKey.SEED_BYTES,
        lambda seed: EnvelopeKey(HybridKemKey(seed, transient=False)),
    ),
    "sm4-cbc": (SM4_KEY_BYTES, partial(Sm4Mode, mode="cbc")),
    "sm4-ctr": (SM4_KEY_BYTES, partial(Sm4Mode, mode="ctr")),
}
"""Seed or key bytes of each, and what makes the key of them."""

__all__ = ["CIPHERS", "SealingKey", "Tampered"]
