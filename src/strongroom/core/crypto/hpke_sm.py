# SPDX-License-Identifier: Apache-2.0
"""HPKE's base mode (RFC 9180 sections 4 to 6) over SM2, SM3 and SM4-GCM.

RFC 9180 registers no SM algorithms, so both suite ids are private strings. The KEM:
a fresh secret of 32 bytes, carried by SM2 public-key encryption (GB/T 32918.4), then
ExtractAndExpand over the encapsulation and the receiver's key as DHKEM does, which
binds the shared secret to both. The encapsulation is C1 || C3 || C2, 129 bytes.
"""

import secrets
from functools import cached_property

from typing_extensions import override

from strongroom.core.crypto import points, sm2
from strongroom.core.crypto.aead import NONCE_BYTES, tampered
from strongroom.core.crypto.buffers import Buffer, size
from strongroom.core.crypto.hashing import SM3
from strongroom.core.crypto.kem import KemKey, KemPublic
from strongroom.core.crypto.resting import resting
from strongroom.core.crypto.sm4gcm import KEY_BYTES, sm4_gcm

_KEM_SUITE = b"strongroom/kem/sm2/v1"
_HPKE_SUITE = b"strongroom/hpke/sm2-sm3-sm4gcm/v1"
_BASE_MODE = b"\x00"
_SECRET_BYTES = 32
ENCAPSULATION_BYTES = points.SM2_BYTES + 32 + _SECRET_BYTES


class Sm2KemPublic(KemPublic):
    """65 bytes: the uncompressed point of SEC 1."""

    suite_id = "sm"
    _hashing = SM3

    @override
    def _check(self) -> None:
        points.check_sm2(self.raw)

    @cached_property
    def _key(self) -> sm2.Key:
        return sm2.public_key(self.raw)

    @override
    def seal(self, plaintext: Buffer, info: bytes) -> bytes:
        carried = secrets.token_bytes(_SECRET_BYTES)
        enc = _flat(sm2.encrypt(self._key, carried))
        key, nonce = _key_schedule(carried, enc, self.raw, info)
        return enc + sm4_gcm(key).encrypt(nonce, plaintext, b"")


class Sm2KemKey(KemKey):
    """A seed of 40 bytes, reduced as for signing."""

    SEED_BYTES = sm2.SEED_BYTES

    def __init__(self, seed: Buffer, *, transient: bool) -> None:
        self._public = b""
        self._key = resting(self._load, seed, self.SEED_BYTES, transient=transient)
        self.public = Sm2KemPublic(self._public or sm2.public_from_seed(seed))
        self._public = self.public.raw

    def _load(self, seed: Buffer) -> sm2.Key:
        self._public = self._public or sm2.public_from_seed(seed)
        return sm2.private_key(seed, self._public)

    @override
    def open(self, box: Buffer, info: bytes) -> bytes:
        enc = bytes(memoryview(box)[:ENCAPSULATION_BYTES])
        if size(box) < ENCAPSULATION_BYTES:
            raise tampered()
        carried = sm2.decrypt(self._key(), _der(enc))
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


def _der(enc: bytes) -> bytes:
    """Return C1 || C3 || C2 as the DER that libcrypto reads; `_flat` is the inverse."""
    numbers = b"".join(
        _item(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))
        for number in (
            int.from_bytes(enc[1:33], "big"),
            int.from_bytes(enc[33:65], "big"),
        )
    )
    body = numbers + _item(4, enc[65:97]) + _item(4, enc[97:])
    return _item(0x30, body) if enc[0] == 4 else b""  # noqa: PLR2004 - uncompressed


def _flat(der: bytes) -> bytes:
    body, items = der[2:] if der[1] < 0x80 else der[3:], []  # noqa: PLR2004 - X.690
    while body:
        items.append(body[2 : 2 + body[1]])
        body = body[2 + body[1] :]
    x, y, c3, c2 = items
    point = b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (x, y))
    return b"\x04" + point + c3 + c2


def _item(tag: int, body: bytes) -> bytes:
    long = b"\x81" if len(body) > 0x7F else b""  # noqa: PLR2004 - X.690 8.1.3
    return bytes([tag]) + long + bytes([len(body)]) + body
