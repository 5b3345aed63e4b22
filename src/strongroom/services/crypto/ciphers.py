# SPDX-License-Identifier: Apache-2.0
"""Encryption and decryption by handle (IF-10, IF-11).

A ciphertext names its key, version and algorithm. Authenticated ones bind all of
that and the caller's associated data. Under a key pair they are an envelope or an SM2
ciphertext to its own public half; SM2 binds no associated data, so any is refused.
Unauthenticated ones are another type, made and opened by functions of other names.
"""

from strongroom.core.codec import cbor
from strongroom.core.crypto import Buffer, points, sm2, sm2der, sm2key
from strongroom.core.crypto.aead import NONCE_BYTES, tampered
from strongroom.core.crypto.blockmodes import BLOCK_BYTES
from strongroom.core.crypto.buffers import size
from strongroom.errors import LimitReached, Malformed, Tampered
from strongroom.services.crypto import refusals
from strongroom.services.crypto.keyring import KeyRing
from strongroom.services.crypto.kinds import (
    Cipher,
    Envelope,
    LegacyCipher,
    Sm2Encryption,
)
from strongroom.services.crypto.records import (
    Ciphertext,
    Handle,
    PublicKey,
    UnauthenticatedCiphertext,
)
from strongroom.services.crypto.shelf import Lent

MAX_PLAINTEXT_BYTES = 32 << 20
"""Larger data belongs into sealed files (services/sealing)."""
MAX_MESSAGES = 2**32
"""With random nonces of 96 bits (SP 800-38D section 8.3)."""


def encrypt(
    ring: KeyRing, handle: Handle, plaintext: Buffer, associated_data: bytes = b""
) -> bytes:
    """Return an authenticated `Ciphertext` of `plaintext` under the newest version.

    Raises:
        NotFound: no such key.
        Refused: the key is not to encrypt with, shredded, or does not authenticate.
        LimitReached: too long, or too many messages under one key.
    """
    _check_size(plaintext)
    with ring.lend(handle, "encrypt") as lent:
        named = _named(lent)
        if not isinstance(lent.row, Cipher):
            body = _to_itself(lent, plaintext, associated_data)
            return Ciphertext(*named, nonce=b"", body=body).to_bytes()
        ring.count_message(lent, MAX_MESSAGES)
        aead = lent.row.cipher(lent.key)
    nonce = ring.entropy.bytes(NONCE_BYTES)
    body = aead.encrypt(nonce, plaintext, _bound(*named, associated_data))
    return Ciphertext(*named, nonce=nonce, body=body).to_bytes()


def decrypt(
    ring: KeyRing, handle: Handle, ciphertext: bytes, associated_data: bytes = b""
) -> bytes:
    """Return the plaintext of a `Ciphertext`, by the version that made it.

    Raises:
        Malformed: not such a ciphertext; an unauthenticated one is none.
        NotFound: no such key or version.
        Refused: another key's, or the key may not be used for it.
        Tampered: altered, or other associated data.
    """
    parsed = Ciphertext.from_bytes(ciphertext)
    require_named(handle, parsed.key)
    with ring.lend(handle, "encrypt", parsed.version) as lent:
        named = _named(lent)
        if not isinstance(lent.row, Cipher):
            return _by_itself(lent, parsed, associated_data)
        _check_form(parsed, lent, NONCE_BYTES)
        aead = lent.row.cipher(lent.key)
    return aead.decrypt(parsed.nonce, parsed.body, _bound(*named, associated_data))


def encrypt_to(ring: KeyRing, public: PublicKey, plaintext: Buffer) -> bytes:
    """Return the SM2 ciphertext (DER of GB/T 35276) of 1 to 65536 bytes to a key.

    Raises:
        Malformed: not an SM2 encryption key, or a length that SM2 does not encrypt.
        Refused: the policy does not allow SM2 encryption.
    """
    row = ring.policy.require_algorithm(public.algorithm)
    if not isinstance(row, Sm2Encryption):
        message = f"a key of {row.name} is not one to encrypt to: see `seal_envelope`"
        raise Malformed(message)
    points.check_sm2(public.raw)
    return _seal_sm2(public.raw, plaintext)


def decrypt_from_outside(ring: KeyRing, handle: Handle, der: bytes) -> bytes:
    """Return the plaintext of what others encrypted to a key by `encrypt_to`.

    Raises:
        Malformed: not the DER of GB/T 35276.
        NotFound: no such key.
        Refused: the key is not an SM2 key to encrypt with, or is shredded.
        Tampered: altered, or to another key; the older versions are tried as well.
    """
    info = ring.info(handle)
    numbers = [each.number for each in info.versions if not each.shredded]
    for number in reversed(numbers or [info.newest.number]):
        with ring.lend(handle, "encrypt", number) as lent:
            if not isinstance(lent.row, Sm2Encryption):
                raise refusals.wrong_algorithm(lent.info, "an SM2 key to decrypt with")
            try:
                return _open_sm2(lent, der)
            except Tampered:
                continue
    raise tampered()


def encrypt_unauthenticated(ring: KeyRing, handle: Handle, plaintext: Buffer) -> bytes:
    """Return an `UnauthenticatedCiphertext`; whoever alters it is not noticed.

    Raises:
        NotFound: no such key.
        Refused: the key is not of a legacy mode, which the policy must have named.
        LimitReached: too long.
    """
    _check_size(plaintext)
    with ring.lend(handle, "encrypt") as lent:
        if not isinstance(lent.row, LegacyCipher):
            raise refusals.wrong_algorithm(lent.info, "a key of a legacy mode")
        ring.count_message(lent, MAX_MESSAGES)
        iv = ring.entropy.bytes(BLOCK_BYTES)
        body = lent.row.mode.encrypt(lent.key, iv, plaintext)
        return UnauthenticatedCiphertext(*_named(lent), iv=iv, body=body).to_bytes()


def decrypt_unauthenticated(ring: KeyRing, handle: Handle, ciphertext: bytes) -> bytes:
    """Return what an `UnauthenticatedCiphertext` gives, which may be anybody's.

    Raises:
        Malformed: not such a ciphertext, or its padding is none.
        NotFound: no such key or version.
        Refused: another key's, or the key is not of that legacy mode.
    """
    parsed = UnauthenticatedCiphertext.from_bytes(ciphertext)
    require_named(handle, parsed.key)
    with ring.lend(handle, "encrypt", parsed.version) as lent:
        row = lent.row
        if not isinstance(row, LegacyCipher) or row.name != parsed.algorithm:
            raise refusals.wrong_algorithm(lent.info, f"a key of {parsed.algorithm}")
        return row.mode.decrypt(lent.key, parsed.iv, parsed.body)


def require_named(handle: Handle, key: Handle) -> None:
    """Refuse what another key made.

    Raises:
        Refused: `key` is not `handle`.
    """
    if key != handle:
        raise refusals.other_key(handle, key)


def _named(lent: Lent) -> tuple[Handle, int, str]:
    return lent.info.id, lent.version.number, lent.row.name


def _bound(key: Handle, version: int, algorithm: str, associated_data: bytes) -> bytes:
    """Return what the tag covers besides the data: the header and the caller's."""
    return cbor.encode([Ciphertext.TYPE, key, version, algorithm, associated_data])


def _to_itself(lent: Lent, plaintext: Buffer, associated_data: bytes) -> bytes:
    """Encrypt to the public half of a key."""
    row = _public_kind(lent, associated_data)
    if isinstance(row, Envelope):
        public = row.row.kem_public(lent.version.public)
        return public.seal(plaintext, _bound(*_named(lent), associated_data))
    return _seal_sm2(lent.version.public, plaintext)


def _by_itself(lent: Lent, parsed: Ciphertext, associated_data: bytes) -> bytes:
    """Decrypt with the private half of a key."""
    row = _public_kind(lent, associated_data)
    _check_form(parsed, lent, 0)
    if isinstance(row, Envelope):
        key = row.load(lent.key)
        return key.open(parsed.body, _bound(*_named(lent), associated_data))
    return _open_sm2(lent, parsed.body)


def _check_form(parsed: Ciphertext, lent: Lent, nonce_bytes: int) -> None:
    if parsed.algorithm != lent.row.name or len(parsed.nonce) != nonce_bytes:
        raise tampered()


def _public_kind(lent: Lent, associated_data: bytes) -> Envelope | Sm2Encryption:
    """Return the row of a key pair that can bind what it is to bind."""
    if isinstance(lent.row, LegacyCipher):
        raise refusals.unauthenticated(lent.info)
    if isinstance(lent.row, Envelope):
        return lent.row
    if not isinstance(lent.row, Sm2Encryption):
        raise refusals.wrong_algorithm(lent.info, "a cipher")
    if associated_data:
        raise refusals.no_associated_data(lent.info)
    return lent.row


def _seal_sm2(public: bytes, plaintext: Buffer) -> bytes:
    return sm2der.to_der(sm2.encrypt(sm2key.public_key(public), plaintext))


def _open_sm2(lent: Lent, der: bytes) -> bytes:
    key = sm2key.private_key(lent.version.public, lent.key)
    plaintext = sm2.decrypt(key, sm2der.from_der(der))
    if plaintext is None:
        raise tampered()
    return plaintext


def _check_size(plaintext: Buffer) -> None:
    if size(plaintext) > MAX_PLAINTEXT_BYTES:
        message = (
            f"one message is at most {MAX_PLAINTEXT_BYTES} bytes: seal a file instead"
        )
        raise LimitReached(message)
