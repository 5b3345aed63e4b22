# SPDX-License-Identifier: Apache-2.0
"""Envelopes, and keys that travel: wrapped under another key, never bare.

An envelope is HPKE's base mode (RFC 9180) or its SM twin, to a public key. A key is
wrapped by an authenticated cipher or in an envelope; what it is for is bound to it.
A key made to open envelopes of data unwraps no keys, nor the other way round: what
opens data would give away a key that came in an envelope (KM-3).
"""

from strongroom.core.codec import cbor
from strongroom.core.crypto import Buffer, SecretBuffer
from strongroom.core.crypto.aead import NONCE_BYTES, TAG_BYTES, tampered
from strongroom.errors import Tampered
from strongroom.services.crypto import refusals
from strongroom.services.crypto.ciphers import MAX_MESSAGES, require_named
from strongroom.services.crypto.keyring import KeyRing
from strongroom.services.crypto.kinds import Cipher, Envelope
from strongroom.services.crypto.records import (
    Handle,
    KeySpec,
    PublicKey,
    Purpose,
    WrappedKey,
)
from strongroom.services.crypto.shelf import Lent


def seal_envelope(
    ring: KeyRing, public: PublicKey, plaintext: Buffer, info: bytes
) -> bytes:
    """Return encapsulation and ciphertext (RFC 9180 section 6.1).

    Raises:
        Malformed: not a public key of an envelope.
        Refused: the policy does not allow the algorithm.
    """
    row = ring.policy.require_algorithm(public.algorithm)
    if not isinstance(row, Envelope):
        raise refusals.wrong_use_of_algorithm(
            row.name, "envelope", " or ".join(row.purposes)
        )
    return row.row.kem_public(public.raw).seal(plaintext, info)


def open_envelope(ring: KeyRing, handle: Handle, box: bytes, info: bytes) -> bytes:
    """Return what was sealed to `handle`, in its newest version or an older one.

    Raises:
        NotFound: no such key.
        Refused: the key opens no envelopes, or is shredded.
        Tampered: altered, another `info`, or to another key.
    """
    return open_with_any(ring, handle, box, info, "encrypt")[0]


def open_with_any(
    ring: KeyRing, handle: Handle, box: bytes, info: bytes, purpose: Purpose
) -> tuple[bytes, bytes]:
    """Return what was sealed, and the public half of the version that opens it.

    Raises:
        As `open_envelope`.
    """
    found = ring.info(handle)
    numbers = [each.number for each in found.versions if not each.shredded]
    for number in reversed(numbers or [found.newest.number]):
        with ring.lend(handle, purpose, number) as lent:
            if not isinstance(lent.row, Envelope):
                raise refusals.wrong_algorithm(lent.info, "a key that opens envelopes")
            key = lent.row.load(lent.key)
        try:
            return key.open(box, info), key.public.raw
        except Tampered:
            continue
    raise tampered()


def wrap(ring: KeyRing, under: Handle | PublicKey, key: Handle) -> bytes:
    """Return the newest version of an extractable key as a `WrappedKey`.

    Args:
        ring: the keys.
        under: a key of an authenticated cipher made to wrap, or somebody's public
            key of an envelope.
        key: the key that is to travel.

    Raises:
        Malformed: `under` is not a public key of an envelope.
        NotFound: no such key.
        Refused: `key` was made to stay, or `under` is not to wrap with.
        LimitReached: too many keys under one key.
    """
    with ring.lend(key, ring.info(key).spec.purpose) as travelling:
        spec = travelling.info.spec
        if not spec.extractable:
            raise refusals.not_extractable(travelling.info)
        if isinstance(under, PublicKey):
            named = b"", 0, under.algorithm
            body = seal_envelope(ring, under, travelling.key, _bound(*named, spec))
            return WrappedKey(*named, spec=spec, nonce=b"", body=body).to_bytes()
        with ring.lend(under, "wrap") as lent:
            named = lent.info.id, lent.version.number, lent.row.name
            aead = _cipher(lent).cipher(lent.key)
            ring.count_message(lent, MAX_MESSAGES)
        nonce = ring.entropy.bytes(NONCE_BYTES)
        body = aead.encrypt(nonce, travelling.key, _bound(*named, spec))
        return WrappedKey(*named, spec=spec, nonce=nonce, body=body).to_bytes()


def unwrap(ring: KeyRing, under: Handle, wrapped: bytes) -> Handle:
    """Return the key in a `WrappedKey`; it is marked as imported (KM-2).

    Raises:
        Malformed: not a wrapped key.
        NotFound: no such key or version.
        Refused: the policy allows no imports or not this key, or `under` may not
            unwrap it.
        Tampered: altered, or wrapped for another key.
        LimitReached: the ring is full.
    """
    parsed = WrappedKey.from_bytes(wrapped)
    ring.policy.require_imports(parsed.spec.label)
    row = ring.policy.require(parsed.spec)
    bound = _bound(parsed.key, parsed.version, parsed.algorithm, parsed.spec)
    if not parsed.key:
        return _unwrap_envelope(ring, under, parsed, bound, row.key_bytes)
    require_named(under, parsed.key)
    with ring.lend(under, "wrap", parsed.version) as lent:
        aead = _cipher(lent).cipher(lent.key)
        same = parsed.algorithm == lent.row.name and len(parsed.nonce) == NONCE_BYTES
    if not same or len(parsed.body) != row.key_bytes + TAG_BYTES:
        raise tampered()
    key = SecretBuffer(row.key_bytes)
    try:
        aead.decrypt_into(parsed.nonce, parsed.body, bound, key.view)
    except BaseException:
        key.close()
        raise
    return ring.adopt(parsed.spec, key)


def _unwrap_envelope(
    ring: KeyRing, under: Handle, parsed: WrappedKey, bound: bytes, length: int
) -> Handle:
    raw = open_with_any(ring, under, parsed.body, bound, "wrap")[0]
    if parsed.nonce or parsed.version or len(raw) != length:
        raise tampered()
    key = SecretBuffer(length)
    key.view[:] = raw
    return ring.adopt(parsed.spec, key)


def _cipher(lent: Lent) -> Cipher:
    if not isinstance(lent.row, Cipher):
        raise refusals.wrong_algorithm(lent.info, "an authenticated cipher")
    return lent.row


def _bound(key: Handle, version: int, algorithm: str, spec: KeySpec) -> bytes:
    """Return what the wrapping covers besides the key: by what, and what it is for."""
    return cbor.encode([WrappedKey.TYPE, key, version, algorithm, spec.to_value()])
