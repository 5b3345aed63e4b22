# SPDX-License-Identifier: Apache-2.0
"""HPKE's base mode (RFC 9180 sections 4 to 6) over SM2, SM3 and SM4-GCM.

RFC 9180 registers no SM algorithms, so both suite ids are private strings. The KEM:
a fresh secret of 32 bytes, carried by SM2 public-key encryption (GB/T 32918.4), then
ExtractAndExpand over the encapsulation and the receiver's key as DHKEM does, which
binds the shared secret to both. The encapsulation is C1 || C3 || C2, 129 bytes.
"""

import secrets
from dataclasses import dataclass
from functools import cached_property, partial

from strongroom.core.crypto import points, sm2, sm2key
from strongroom.core.crypto.aead import NONCE_BYTES, tampered
from strongroom.core.crypto.buffers import Buffer, size
from strongroom.core.crypto.hashing import SM3, Hashing
from strongroom.core.crypto.kem import KemKey, KemPublic
from strongroom.core.crypto.resting import check_seed, resting
from strongroom.core.crypto.sm2der import OVERHEAD_BYTES
from strongroom.core.crypto.sm4gcm import KEY_BYTES, sm4_gcm

_KEM_SUITE = b"strongroom/kem/sm2/v1"
_HPKE_SUITE = b"strongroom/hpke/sm2-sm3-sm4gcm/v1"
_BASE_MODE = b"\x00"
_SECRET_BYTES = 32
ENCAPSULATION_BYTES = OVERHEAD_BYTES + _SECRET_BYTES


@dataclass(frozen=True)
class Schedule:
    """The labelled derivations of RFC 9180 over one digest, in mode base.

    Attributes:
        hashing: the digest of HKDF.
        kem, hpke: the suite ids in the labels, of sections 4.1 and 5.1.
        key_bytes: how long a key of the AEAD is.
    """

    hashing: Hashing
    kem: bytes
    hpke: bytes
    key_bytes: int

    def shared_secret(self, agreed: Buffer, kem_context: bytes) -> bytes:
        """Return 32 bytes by ExtractAndExpand (section 4.1)."""
        prk = self._extract(self.kem, b"", b"eae_prk", bytes(agreed))
        return self._expand(self.kem, prk, b"shared_secret", kem_context, _SECRET_BYTES)

    def key_and_nonce(self, shared: bytes, info: bytes) -> tuple[bytes, bytes]:
        """Return the AEAD's key and first nonce by KeySchedule (section 5.1)."""
        context = (
            _BASE_MODE
            + self._extract(self.hpke, b"", b"psk_id_hash", b"")
            + self._extract(self.hpke, b"", b"info_hash", info)
        )
        secret = self._extract(self.hpke, shared, b"secret", b"")
        key = self._expand(self.hpke, secret, b"key", context, self.key_bytes)
        nonce = self._expand(self.hpke, secret, b"base_nonce", context, NONCE_BYTES)
        return key, nonce

    def _extract(self, suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return self.hashing.extract(salt, b"HPKE-v1" + suite + label + ikm)

    def _expand(
        self, suite: bytes, prk: bytes, label: bytes, info: bytes, length: int
    ) -> bytes:
        labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return self.hashing.expand(prk, labeled, length)


_SM = Schedule(SM3, _KEM_SUITE, _HPKE_SUITE, KEY_BYTES)


class Sm2KemPublic(KemPublic):
    """65 bytes: the uncompressed point of SEC 1."""

    suite_id = "sm"
    _hashing = SM3

    def _check(self) -> None:
        points.check_sm2(self.raw)

    @cached_property
    def _key(self) -> sm2key.Key:
        return sm2key.public_key(self.raw)

    def seal(self, plaintext: Buffer, info: bytes) -> bytes:
        """Return encapsulation and SM4-GCM ciphertext."""
        carried = secrets.token_bytes(_SECRET_BYTES)
        enc = sm2.encrypt(self._key, carried)
        shared = _SM.shared_secret(carried, enc + self.raw)
        key, nonce = _SM.key_and_nonce(shared, info)
        return enc + sm4_gcm(key).encrypt(nonce, plaintext, b"")


class Sm2KemKey(KemKey):
    """A seed of 40 bytes, reduced as for signing."""

    SEED_BYTES = sm2key.SEED_BYTES

    def __init__(self, seed: Buffer, *, transient: bool) -> None:
        check_seed(seed, self.SEED_BYTES)
        self.public = Sm2KemPublic(sm2key.public_from_seed(seed))
        load = partial(sm2key.private_key, self.public.raw)
        self._key = resting(load, seed, transient=transient)

    def open(self, box: Buffer, info: bytes) -> bytes:
        """Return what `seal` was given."""
        if size(box) < ENCAPSULATION_BYTES:
            raise tampered()
        enc = bytes(memoryview(box)[:ENCAPSULATION_BYTES])
        carried = sm2.decrypt(self._key(), enc)
        if carried is None or len(carried) != _SECRET_BYTES:
            raise tampered()
        shared = _SM.shared_secret(carried, enc + self.public.raw)
        key, nonce = _SM.key_and_nonce(shared, info)
        return sm4_gcm(key).decrypt(nonce, memoryview(box)[len(enc) :], b"")
