# SPDX-License-Identifier: Apache-2.0
"""The algorithm suites: one literal table, and nothing is chosen anywhere else.

`sm` is the Chinese commercial cryptography that GB/T 45230-2025 builds on, `intl`
the international one. Everything signed or encrypted names its suite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from strongroom.core.crypto.aead import NONCE_BYTES, TAG_BYTES, Aead, AesGcm
from strongroom.core.crypto.buffers import Buffer
from strongroom.core.crypto.hashing import SHA384, SM3, Hasher, Hashing
from strongroom.core.crypto.hpke_sm import Sm2KemKey, Sm2KemPublic
from strongroom.core.crypto.kem import HybridKemKey, HybridKemPublic, KemKey, KemPublic
from strongroom.core.crypto.signing import (
    Ed25519SigningKey,
    Ed25519VerifyingKey,
    SigningKey,
    Sm2SigningKey,
    Sm2VerifyingKey,
    VerifyingKey,
)
from strongroom.core.crypto.sm4gcm import libgcrypt, sm4_gcm
from strongroom.errors import Malformed


@dataclass(frozen=True)
class Suite:
    """One row: every algorithm that goes together, and its sizes in bytes."""

    id: str
    aead_key_bytes: int
    sign_seed_bytes: int
    kem_seed_bytes: int
    cose_sign_alg: int
    """Number in the COSE registry (RFC 9864), private use (RFC 9053) for SM."""
    cose_aead_alg: int
    floe_params: bytes
    """FLOE's parameters with 1 MiB segments; the first two bytes name AEAD and KDF."""
    hashing: Hashing
    passphrase_key: Callable[[bytes, bytes], bytes]
    """(passphrase, salt) -> a key of `aead_key_bytes`; deliberately slow."""
    _aead: Callable[[Buffer], Aead]
    _signing_key: type[Ed25519SigningKey | Sm2SigningKey]
    _verifying_key: Callable[[Buffer], VerifyingKey]
    _kem_key: type[HybridKemKey | Sm2KemKey]
    _kem_public: Callable[[Buffer], KemPublic]
    nonce_bytes: int = NONCE_BYTES
    tag_bytes: int = TAG_BYTES

    @property
    def digest_bytes(self) -> int:
        """The length of a digest."""
        return self.hashing.digest_bytes

    def digest(self, *parts: Buffer) -> bytes:
        """Return the digest of `parts` one after another."""
        return self.hashing.digest(*parts)

    def hasher(self) -> Hasher:
        """Return a digest to feed piece by piece."""
        return self.hashing.hasher()

    def mac(self, key: Buffer, *parts: Buffer) -> bytes:
        """Return the HMAC of `parts` one after another."""
        return self.hashing.mac(key, *parts)

    def hkdf(
        self, key: Buffer, *, salt: bytes = b"", info: bytes, length: int
    ) -> bytes:
        """Return `length` bytes of HKDF (RFC 5869)."""
        return self.hashing.hkdf(key, salt=salt, info=info, length=length)

    def hkdf_into(
        self,
        key: Buffer,
        *,
        salt: bytes = b"",
        info: bytes,
        out: bytearray | memoryview,
    ) -> None:
        """Fill `out`, which may be secret memory, with HKDF (RFC 5869)."""
        self.hashing.hkdf_into(key, salt=salt, info=info, out=out)

    def hkdf_expand(self, key: Buffer, info: bytes, length: int) -> bytes:
        """Return `length` bytes of HKDF-Expand from a key that is already uniform."""
        return self.hashing.expand(key, info, length)

    def aead(self, key: Buffer) -> Aead:
        """Return the AEAD under `key`."""
        return self._aead(key)

    def signing_key(self, seed: Buffer, *, transient: bool = False) -> SigningKey:
        """Return the signing key of `seed`; see `resting` for `transient`."""
        return self._signing_key(seed, transient=transient)

    def verifying_key(self, raw: Buffer) -> VerifyingKey:
        """Return the key that `raw` is.

        Raises:
            Malformed: `raw` is not a usable public key.
        """
        return _known_key(self._verifying_key, bytes(raw))

    def kem_key(self, seed: Buffer, *, transient: bool = False) -> KemKey:
        """Return the KEM key of `seed`; see `resting` for `transient`."""
        return self._kem_key(seed, transient=transient)

    def kem_public(self, raw: Buffer) -> KemPublic:
        """Return the key that `raw` is.

        Raises:
            Malformed: `raw` is not a usable public key.
        """
        return self._kem_public(raw)


@lru_cache(maxsize=1024)
def _known_key(make: Callable[[Buffer], VerifyingKey], raw: bytes) -> VerifyingKey:
    """Return the public key that `raw` is: checked, and loaded at first use, once."""
    return make(raw)


def _scrypt(passphrase: bytes, salt: bytes) -> bytes:
    """Stretch by scrypt (RFC 7914): 128 MiB and about half a second."""
    return Scrypt(salt, AesGcm.KEY_BYTES, n=2**17, r=8, p=1).derive(passphrase)


def _pbkdf2_sm3(passphrase: bytes, salt: bytes) -> bytes:
    """Stretch by PBKDF2 (RFC 8018, GM/T 0091) with HMAC-SM3: about half a second."""
    return PBKDF2HMAC(SM3.algorithm, 16, salt, 600_000).derive(passphrase)


_ONE_MIB_SEGMENTS = (1 << 20).to_bytes(4, "big") + (32).to_bytes(4, "big")

SUITES: dict[str, Suite] = {
    "sm": Suite(
        id="sm",
        aead_key_bytes=16,
        sign_seed_bytes=Sm2SigningKey.SEED_BYTES,
        kem_seed_bytes=Sm2KemKey.SEED_BYTES,
        cose_sign_alg=-70001,
        cose_aead_alg=-70002,
        floe_params=b"\xf0\xf0" + _ONE_MIB_SEGMENTS,
        hashing=SM3,
        passphrase_key=_pbkdf2_sm3,
        _aead=sm4_gcm,
        _signing_key=Sm2SigningKey,
        _verifying_key=Sm2VerifyingKey,
        _kem_key=Sm2KemKey,
        _kem_public=Sm2KemPublic,
    ),
    "intl": Suite(
        id="intl",
        aead_key_bytes=32,
        sign_seed_bytes=Ed25519SigningKey.SEED_BYTES,
        kem_seed_bytes=HybridKemKey.SEED_BYTES,
        cose_sign_alg=-19,
        cose_aead_alg=3,
        floe_params=b"\x00\x00" + _ONE_MIB_SEGMENTS,
        hashing=SHA384,
        passphrase_key=_scrypt,
        _aead=AesGcm,
        _signing_key=Ed25519SigningKey,
        _verifying_key=Ed25519VerifyingKey,
        _kem_key=HybridKemKey,
        _kem_public=HybridKemPublic,
    ),
}


def suite(suite_id: str) -> Suite:
    """Return the suite of that id.

    Raises:
        Malformed: there is none.
    """
    row = SUITES.get(suite_id)
    if row is None:
        message = f"there is no suite {suite_id!r}: it is one of {', '.join(SUITES)}"
        raise Malformed(message)
    return row


def prepare() -> None:
    """Load the system libraries now, before a lock-down hides their files.

    One key is made and used, since OpenSSL reads its settings at first use.

    Raises:
        Misconfigured: SM2 is not to be had on this machine.
    """
    libgcrypt()
    Sm2SigningKey(bytes(Sm2SigningKey.SEED_BYTES), transient=False).sign(b"")
