# SPDX-License-Identifier: Apache-2.0
"""SM2 signature and public-key encryption (GB/T 32918.2, .4, .5) by libcrypto.

The signer's ID is always set, to the default of GB/T 35276: OpenSSL 3.0 would
otherwise sign with an empty one and 4.0 with this one.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.core.crypto.buffers import Buffer, pinned, size
from strongroom.core.crypto.libcrypto import failed, libcrypto
from strongroom.core.crypto.sm2key import Key

SIGNER_ID = b"1234567812345678"
SIGNATURE_MAX_BYTES = 72
ENCRYPTION_OVERHEAD = 65 + 32
"""C1 is an uncompressed point and C3 a digest of SM3."""

_INTEGER, _OCTETS, _SEQUENCE = 2, 4, 0x30
_SHORT_FORM = 0x80


def sign(key: Key, message: Buffer) -> bytes:
    """Return the DER signature (GB/T 35276) of `message` under the default ID."""
    library, length = libcrypto(), ctypes.c_size_t(SIGNATURE_MAX_BYTES)
    out = ctypes.create_string_buffer(SIGNATURE_MAX_BYTES)
    with _digest_context(key) as context, pinned(message) as address:
        done = (
            library.EVP_DigestSignInit(
                context, None, library.EVP_sm3(), None, key.pointer
            )
            == 1
            and library.EVP_DigestSign(
                context, out, ctypes.byref(length), address, size(message)
            )
            == 1
        )
    if not done:
        raise failed(what="sign")
    return out.raw[: length.value]


def verify(
    key: Key, signature: bytes, message: Buffer, signer_id: bytes = SIGNER_ID
) -> bool:
    """Return whether `signature` is a strict DER signature of `message`."""
    library = libcrypto()
    with (
        _digest_context(key, signer_id) as context,
        pinned(message) as address,
    ):
        valid: bool = (
            library.EVP_DigestVerifyInit(
                context, None, library.EVP_sm3(), None, key.pointer
            )
            == 1
            and library.EVP_DigestVerify(
                context, signature, len(signature), address, size(message)
            )
            == 1
        )
    if not valid:
        library.ERR_clear_error()
    return valid


def verify_digest(key: Key, signature: bytes, digest: bytes) -> bool:
    """Return whether `signature` is a strict DER signature of e = `digest`.

    For those who sign without ZA, as TPMs do: they know no ID of a signer. Nothing
    of ours is signed so.
    """
    library = libcrypto()
    with _key_context(key) as context:
        valid: bool = (
            library.EVP_PKEY_verify_init(context) == 1
            and library.EVP_PKEY_verify(
                context, signature, len(signature), digest, len(digest)
            )
            == 1
        )
    if not valid:
        library.ERR_clear_error()
    return valid


def encrypt(key: Key, plaintext: Buffer) -> bytes:
    """Return C1 || C3 || C2 (GB/T 32918.4) of a `plaintext` of at most 64 bytes."""
    library, length = libcrypto(), ctypes.c_size_t(size(plaintext) + 128)
    out = ctypes.create_string_buffer(length.value)
    with _key_context(key) as context, pinned(plaintext) as address:
        done = (
            library.EVP_PKEY_encrypt_init(context) == 1
            and library.EVP_PKEY_encrypt(
                context, out, ctypes.byref(length), address, size(plaintext)
            )
            == 1
        )
    if not done:
        raise failed(what="encrypt")
    return _from_der(out.raw[: length.value])


def decrypt(key: Key, ciphertext: bytes) -> bytes | None:
    """Return the plaintext of C1 || C3 || C2, or None where the key is another."""
    der = _to_der(ciphertext)
    library, length = libcrypto(), ctypes.c_size_t(len(der))
    out = ctypes.create_string_buffer(max(1, length.value))
    with _key_context(key) as context:
        done = (
            library.EVP_PKEY_decrypt_init(context) == 1
            and library.EVP_PKEY_decrypt(
                context, out, ctypes.byref(length), der, len(der)
            )
            == 1
        )
    plaintext = ctypes.string_at(out, length.value) if done else None
    library.OPENSSL_cleanse(out, len(out))
    if not done:
        library.ERR_clear_error()
    return plaintext


@contextmanager
def _key_context(key: Key) -> Iterator[int]:
    library = libcrypto()
    context = library.EVP_PKEY_CTX_new(key.pointer, None)
    try:
        yield context
    finally:
        library.EVP_PKEY_CTX_free(context)


@contextmanager
def _digest_context(key: Key, signer_id: bytes = SIGNER_ID) -> Iterator[int]:
    library = libcrypto()
    digest = library.EVP_MD_CTX_new()
    try:
        with _key_context(key) as context:
            library.EVP_PKEY_CTX_set1_id(context, signer_id, len(signer_id))
            library.EVP_MD_CTX_set_pkey_ctx(digest, context)
            yield digest
    finally:
        library.EVP_MD_CTX_free(digest)


def _to_der(flat: bytes) -> bytes:
    """Return C1 || C3 || C2 as the DER of GB/T 35276; `_from_der` is the inverse."""
    body = b"".join(
        _item(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
        for number in (
            int.from_bytes(flat[1:33], "big"),
            int.from_bytes(flat[33:65], "big"),
        )
    )
    body += _item(_OCTETS, flat[65:97]) + _item(_OCTETS, flat[97:])
    return _item(_SEQUENCE, body) if flat[:1] == b"\x04" else b""


def _from_der(der: bytes) -> bytes:
    body = der[2:] if der[1] < _SHORT_FORM else der[3:]
    items = []
    while body:
        end = 2 + body[1]
        items.append(body[2:end])
        body = body[end:]
    x, y, digest, data = items
    point = b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (x, y))
    return b"\x04" + point + digest + data


def _item(tag: int, body: bytes) -> bytes:
    long = b"\x81" if len(body) >= _SHORT_FORM else b""
    return bytes([tag]) + long + bytes([len(body)]) + body
