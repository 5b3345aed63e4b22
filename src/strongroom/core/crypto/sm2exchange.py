# SPDX-License-Identifier: Apache-2.0
"""SM2 key exchange (GB/T 32918.3) over the curve of GB/T 32918.5.

libcrypto has no interface for it, so it is composed of libcrypto's points. The
standard computes V = [d + x*r](P + [y*]R), x* and y* being half of the bits of the
ephemeral points. Here V = [d]Q + [r]([x*]Q) with Q = P + [y*]R, the same point: so
no secret goes through modular arithmetic, and the two secret numbers are each the
only scalar of one EC_POINT_mul, which is libcrypto's ladder in constant time. The
one addition of points after it is not promised to take constant time (LIMITATIONS).
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

from strongroom.core.crypto import points
from strongroom.core.crypto.buffers import Buffer, wipe
from strongroom.core.crypto.hashing import SM3
from strongroom.core.crypto.libcrypto import failed, libcrypto, sm2_group
from strongroom.core.crypto.points import SM2_BYTES
from strongroom.core.crypto.sm2 import MAX_SIGNER_ID_BYTES, SIGNER_ID
from strongroom.core.crypto.sm2key import private_number, public_from_seed
from strongroom.errors import Malformed

_HALF = 32
_UNCOMPRESSED = 4
_A = bytes.fromhex("fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc")
_B = bytes.fromhex("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93")
_G = bytes.fromhex(
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)


@dataclass(frozen=True)
class Party:
    """What one side knows of the other, or shows of itself.

    Attributes:
        public: the long-term key, 65 bytes.
        ephemeral: the key of this exchange only, 65 bytes.
        identity: the ID that both sides know this party by.
    """

    public: bytes
    ephemeral: bytes
    identity: bytes = SIGNER_ID

    def __post_init__(self) -> None:
        """Refuse points off the curve (steps A6, B5) and IDs that ENTL cannot count."""
        points.check_sm2(self.public)
        points.check_sm2(self.ephemeral)
        if len(self.identity) > MAX_SIGNER_ID_BYTES:
            message = f"an SM2 ID is at most {MAX_SIGNER_ID_BYTES} bytes"
            raise Malformed(message)


@dataclass(frozen=True)
class Confirmation:
    """The optional hashes of steps A9, A10, B8 and B10: one to send, one to get."""

    send: bytes
    expect: bytes


def exchange_into(
    seed: Buffer,
    ephemeral_seed: Buffer,
    peer: Party,
    *,
    identity: bytes = SIGNER_ID,
    initiator: bool,
    out: memoryview,
) -> Confirmation:
    """Fill `out` with the agreed key and return the confirmation hashes.

    Args:
        seed: the own long-term key, 40 bytes as for signing.
        ephemeral_seed: the own key of this exchange, 40 bytes; used once.
        peer: the other side.
        identity: the own ID.
        initiator: whether this is user A of the standard.
        out: the key, of the length that both sides agreed on.

    Raises:
        Malformed: a key or an ID of the peer is none, or its two keys make V the
            point at infinity (steps A7, B6).
        Misconfigured: libcrypto cannot do it.
    """
    own = Party(public_from_seed(seed), public_from_seed(ephemeral_seed), identity)
    a, b = (own, peer) if initiator else (peer, own)
    za, zb = digest_z(a.public, a.identity), digest_z(b.public, b.identity)
    with _agreed_point(seed, ephemeral_seed, own, peer) as v:
        shared = bytearray(v[1:]) + za + zb
        try:
            X963KDF(SM3.algorithm, len(out), None).derive_into(shared, out)
            inner = SM3.digest(
                v[1 : 1 + _HALF], za, zb, a.ephemeral[1:], b.ephemeral[1:]
            )
        finally:
            wipe(shared)
        by_b = SM3.digest(b"\x02", v[1 + _HALF :], inner)
        by_a = SM3.digest(b"\x03", v[1 + _HALF :], inner)
    return Confirmation(by_a, by_b) if initiator else Confirmation(by_b, by_a)


def digest_z(public: bytes, identity: bytes) -> bytes:
    """Return Z, the digest of ID, curve and key (GB/T 32918.3 section 5.5)."""
    entl = (8 * len(identity)).to_bytes(2, "big")
    return SM3.digest(entl, identity, _A, _B, _G, public[1:])


@contextmanager
def _agreed_point(
    seed: Buffer, ephemeral_seed: Buffer, own: Party, peer: Party
) -> Iterator[memoryview]:
    """Lend V as an uncompressed point, wiped afterwards."""
    library, group = libcrypto(), sm2_group()
    v, q, turned, add = (library.EC_POINT_new(group) for _ in range(4))
    x_own, x_peer = (library.BN_bin2bn(_short(p), 16, None) for p in (own, peer))
    out = (ctypes.c_ubyte * SM2_BYTES)()
    try:
        with private_number(seed) as d, private_number(ephemeral_seed) as r:
            done = (
                _load(q, peer.public)
                and _load(add, peer.ephemeral)
                and _multiply(add, add, x_peer)
                and library.EC_POINT_add(group, q, q, add, None) == 1
            )
            if done and library.EC_POINT_is_at_infinity(group, q):
                message = "the peer's two keys cancel out: V is the point at infinity"
                raise Malformed(message)
            done = (
                done
                and _multiply(turned, q, x_own)
                and _multiply(v, q, d)
                and _multiply(add, turned, r)
                and library.EC_POINT_add(group, v, v, add, None) == 1
                and not library.EC_POINT_is_at_infinity(group, v)
                and library.EC_POINT_point2oct(
                    group, v, _UNCOMPRESSED, out, SM2_BYTES, None
                )
                == SM2_BYTES
            )
        if not done:
            raise failed(what="agree on a key")
        yield memoryview(out).cast("B")
    finally:
        library.OPENSSL_cleanse(out, SM2_BYTES)
        for point in (v, q, turned, add):
            library.EC_POINT_clear_free(point)
        for number in (x_own, x_peer):
            library.BN_clear_free(number)


def _short(party: Party) -> bytes:
    """Return 2^127 + (x mod 2^127) of the ephemeral point (steps A4, A6, B3, B5)."""
    low = bytearray(party.ephemeral[1 + _HALF // 2 : 1 + _HALF])
    low[0] |= 0x80
    return bytes(low)


def _load(point: int, raw: bytes) -> bool:
    library = libcrypto()
    done: int = library.EC_POINT_oct2point(sm2_group(), point, raw, len(raw), None)
    return done == 1


def _multiply(out: int, point: int, number: int) -> bool:
    """Set `out` to [number]point; with one scalar this is the constant-time ladder."""
    library, group = libcrypto(), sm2_group()
    done: int = library.EC_POINT_mul(group, out, None, point, number, None)
    return done == 1
