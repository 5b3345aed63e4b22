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
from strongroom.core.crypto.sm2der import OVERHEAD_BYTES, from_der, to_der
from strongroom.core.crypto.sm2key import Key
from strongroom.errors import Malformed

SIGNER_ID = b"1234567812345678"
SIGNATURE_MAX_BYTES = 72
MAX_SIGNER_ID_BYTES = 8191
"""ENTL counts the bits of an ID in 16 bits (GB/T 32918.2 section 5.5)."""
MAX_PLAINTEXT_BYTES = 64 << 10


def sign(key: Key, message: Buffer, signer_id: bytes = SIGNER_ID) -> bytes:
    """Return the DER signature (GB/T 35276) of `message` by the signer of that ID."""
    library, length = libcrypto(), ctypes.c_size_t(SIGNATURE_MAX_BYTES)
    out = ctypes.create_string_buffer(SIGNATURE_MAX_BYTES)
    with _digest_context(key, signer_id) as context, pinned(message) as address:
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
    """Return C1 || C3 || C2 (GB/T 32918.4) of 1 to `MAX_PLAINTEXT_BYTES` bytes.

    Step A5 draws a new k where the key stream is all zeros, which is likely for data
    of one byte: the ciphertext would be the plaintext.

    Raises:
        Malformed: `plaintext` is empty or too long.
    """
    if not 0 < size(plaintext) <= MAX_PLAINTEXT_BYTES:
        message = f"SM2 encrypts 1 to {MAX_PLAINTEXT_BYTES} bytes"
        raise Malformed(message)
    while True:
        flat = from_der(_encrypt_der(key, plaintext))
        if memoryview(flat)[OVERHEAD_BYTES:] != plaintext:
            return flat


def decrypt(key: Key, ciphertext: bytes) -> bytes | None:
    """Return the plaintext of C1 || C3 || C2, or None where the key is another.

    Nor is there one where the key stream is all zeros (step B4).
    """
    try:
        der = to_der(ciphertext)
    except Malformed:
        return None
    library, length = libcrypto(), ctypes.c_size_t(len(der))
    out = ctypes.create_string_buffer(length.value)
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
    return plaintext if plaintext != ciphertext[OVERHEAD_BYTES:] else None


def _encrypt_der(key: Key, plaintext: Buffer) -> bytes:
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
    return out.raw[: length.value]


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
