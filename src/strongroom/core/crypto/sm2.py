# SPDX-License-Identifier: Apache-2.0
"""SM2 signature and public-key encryption (GB/T 32918.2, .4, .5) by libcrypto.

The signer's ID is always set, to the default of GB/T 35276: OpenSSL 3.0 would
otherwise sign with an empty one and 4.0 with this one.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.core.crypto.buffers import Buffer, pinned, size
from strongroom.core.crypto.libcrypto import (
    OCTETS,
    UNSIGNED,
    UTF8,
    Parameter,
    libcrypto,
    sm2_group,
)
from strongroom.core.crypto.points import SM2_BYTES
from strongroom.errors import Malformed, Misconfigured

SIGNER_ID = b"1234567812345678"
SEED_BYTES = 40
SCALAR_BYTES = 32
SIGNATURE_MAX_BYTES = 72

_PUBLIC, _KEYPAIR = 0x86, 0x87
_CONSTANT_TIME = 4
_UNCOMPRESSED = 4


class Key:
    """An `EVP_PKEY` of SM2, public or with its private half; freed with its owner."""

    def __init__(
        self, public: bytes, scalar: ctypes.Array[ctypes.c_char] | None
    ) -> None:
        self._library = library = libcrypto()
        self.pointer = ctypes.c_void_p()
        octets, curve = ctypes.create_string_buffer(public), b"SM2"
        rows = [
            _parameter(b"group", UTF8, ctypes.c_char_p(curve), len(curve)),
            _parameter(b"pub", OCTETS, octets, len(public)),
        ]
        if scalar is not None:
            rows.append(_parameter(b"priv", UNSIGNED, scalar, SCALAR_BYTES))
        rows.append(Parameter())
        context = library.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        try:
            made = (
                library.EVP_PKEY_fromdata_init(context) == 1
                and library.EVP_PKEY_fromdata(
                    context,
                    ctypes.byref(self.pointer),
                    _PUBLIC if scalar is None else _KEYPAIR,
                    (Parameter * len(rows))(*rows),
                )
                == 1
            )
        finally:
            library.EVP_PKEY_CTX_free(context)
        if not made:
            library.ERR_clear_error()
            message = "libcrypto refuses this SM2 key"
            raise Malformed(message)

    def __del__(self) -> None:
        if hasattr(self, "pointer"):
            self._library.EVP_PKEY_free(self.pointer)


def public_key(raw: bytes) -> Key:
    """Return the public key of an uncompressed point.

    Raises:
        Malformed: libcrypto refuses the point.
    """
    return Key(raw, None)


def private_key(seed: Buffer, public: bytes) -> Key:
    """Return the private key of `seed`, whose point `public` already is."""
    with _scalar(seed) as number:
        native = ctypes.create_string_buffer(SCALAR_BYTES)
        try:
            libcrypto().BN_bn2nativepad(number, native, SCALAR_BYTES)
            return Key(public, native)
        finally:
            libcrypto().OPENSSL_cleanse(native, SCALAR_BYTES)


def public_from_seed(seed: Buffer) -> bytes:
    """Return the uncompressed point of the private key of `seed`.

    With the generator alone EC_POINT_mul is a Montgomery ladder in constant time.
    """
    library, group = libcrypto(), sm2_group()
    out = ctypes.create_string_buffer(SM2_BYTES)
    with _scalar(seed) as number:
        point = library.EC_POINT_new(group)
        try:
            written = (
                library.EC_POINT_mul(group, point, number, None, None, None) == 1
                and library.EC_POINT_point2oct(
                    group, point, _UNCOMPRESSED, out, SM2_BYTES, None
                )
                == SM2_BYTES
            )
        finally:
            library.EC_POINT_clear_free(point)
    if not written:
        raise _failed("compute a public key")
    return out.raw


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
        raise _failed("sign")
    return out.raw[: length.value]


def verify(key: Key, signature: bytes, message: Buffer) -> bool:
    """Return whether `signature` is a strict DER signature of `message`."""
    library = libcrypto()
    with _digest_context(key) as context, pinned(message) as address:
        valid = (
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


def encrypt(key: Key, plaintext: Buffer) -> bytes:
    """Return the DER ciphertext (GB/T 35276) of a short `plaintext`."""
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
        raise _failed("encrypt")
    return out.raw[: length.value]


def decrypt(key: Key, ciphertext: bytes) -> bytes | None:
    """Return the plaintext, or None where `ciphertext` is not for this key."""
    library, length = libcrypto(), ctypes.c_size_t(len(ciphertext))
    out = ctypes.create_string_buffer(max(1, length.value))
    with _key_context(key) as context:
        done = (
            library.EVP_PKEY_decrypt_init(context) == 1
            and library.EVP_PKEY_decrypt(
                context, out, ctypes.byref(length), ciphertext, len(ciphertext)
            )
            == 1
        )
    plaintext = ctypes.string_at(out, length.value) if done else None
    library.OPENSSL_cleanse(out, len(out))
    if not done:
        library.ERR_clear_error()
    return plaintext


@contextmanager
def _scalar(seed: Buffer) -> Iterator[int]:
    """Lend d of [1, n-2]: FIPS 186-5 A.2.1 on 64 bits more than the order has."""
    library = libcrypto()
    wide, modulus, number = (library.BN_new() for _ in range(3))
    context = library.BN_CTX_new()
    try:
        with pinned(seed) as address:
            library.BN_bin2bn(address, SEED_BYTES, wide)
        library.BN_copy(modulus, library.EC_GROUP_get0_order(sm2_group()))
        library.BN_sub_word(modulus, 2)
        for secret in (wide, modulus, number):
            library.BN_set_flags(secret, _CONSTANT_TIME)
        if library.BN_nnmod(number, wide, modulus, context) != 1:
            raise _failed("reduce a seed")
        library.BN_add_word(number, 1)
        yield number
    finally:
        library.BN_CTX_free(context)
        for used in (wide, modulus, number):
            library.BN_clear_free(used)


@contextmanager
def _key_context(key: Key) -> Iterator[int]:
    library = libcrypto()
    context = library.EVP_PKEY_CTX_new(key.pointer, None)
    try:
        yield context
    finally:
        library.EVP_PKEY_CTX_free(context)


@contextmanager
def _digest_context(key: Key) -> Iterator[int]:
    library = libcrypto()
    digest = library.EVP_MD_CTX_new()
    try:
        with _key_context(key) as context:
            library.EVP_PKEY_CTX_set1_id(context, SIGNER_ID, len(SIGNER_ID))
            library.EVP_MD_CTX_set_pkey_ctx(digest, context)
            yield digest
    finally:
        library.EVP_MD_CTX_free(digest)


def _parameter(
    name: bytes, kind: int, data: ctypes.Array[ctypes.c_char] | ctypes.c_char_p, n: int
) -> Parameter:
    address = ctypes.cast(data, ctypes.c_void_p)
    return Parameter(name, kind, address, n, ctypes.c_size_t(-1).value)


def _failed(what: str) -> Misconfigured:
    libcrypto().ERR_clear_error()
    return Misconfigured(f"libcrypto could not {what} with SM2: update OpenSSL")
