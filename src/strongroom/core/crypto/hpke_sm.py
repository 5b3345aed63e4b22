# SPDX-License-Identifier: Apache-2.0
"""HPKE's base mode (RFC 9180 sections 4 to 6) over SM2, SM3 and SM4-GCM.

RFC 9180 registers no SM algorithms, so both suite ids are private strings. The KEM:
a fresh secret of 32 bytes, carried by SM2 public-key encryption (GB/T 32918.4), then
ExtractAndExpand over the encapsulation and the receiver's key as DHKEM does, which
binds the shared secret to both. The encapsulation is C1 || C3 || C2, 129 bytes.
"""

import secrets
from functools import cached_property, partial

from strongroom.core.crypto import points, sm2, sm2key
from strongroom.core.crypto.aead import NONCE_BYTES, tampered
from strongroom.core.crypto.buffers import Buffer, size
from strongroom.core.crypto.hashing import SM3
from strongroom.core.crypto.kem import KemKey, KemPublic
from strongroom.core.crypto.resting import check_seed, resting
from strongroom.core.crypto.sm2der import OVERHEAD_BYTES
from strongroom.core.crypto.sm4gcm import KEY_BYTES, sm4_gcm

_KEM_SUITE = b"strongroom/kem/sm2/v1"
_HPKE_SUITE = b"strongroom/hpke/sm2-sm3-sm4gcm/v1"
_BASE_MODE = b"\x00"
_SECRET_BYTES = 32
ENCAPSULATION_BYTES = OVERHEAD_BYTES + _SECRET_BYTES


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
        key, nonce = _key_schedule(carried, enc, self.raw, info)
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
        key, nonce = _key_schedule(carried, enc, self.public.raw, info)
        return sm4_gcm(key).decrypt(nonce, memoryview(box)[len(enc) :], b"")


def _key_schedule(
    carried: bytes, enc: bytes, receiver: bytes, info: bytes
) -> tuple[bytes, bytes]:
    """RFC 9180 sections 4.1 (ExtractAndExpand) and 5.1 (KeySchedule, mode base)."""
    eae = _extract(_KEM_SUITE, b"", b"eae_prk", carried)
    shared = _expand(_KEM_SUITE, eae, b"shared_secret", enc + receiver, _SECRET_BYTES)
    context = (
        _BASE_MODE
        + _extract(_HPKE_SUITE, b"", b"psk_id_hash", b"")
        + _extract(_HPKE_SUITE, b"", b"info_hash", info)
    )
    secret = _extract(_HPKE_SUITE, shared, b"secret", b"")
    key = _expand(_HPKE_SUITE, secret, b"key", context, KEY_BYTES)
    nonce = _expand(_HPKE_SUITE, secret, b"base_nonce", context, NONCE_BYTES)
    return key, nonce


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return SM3.extract(salt, b"HPKE-v1" + suite + label + ikm)


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return SM3.expand(prk, labeled, length)
