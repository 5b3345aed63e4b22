# SPDX-License-Identifier: Apache-2.0
"""SM2 keys in libcrypto: a private key from a seed, its point, and both as handles.

The private number is reduced, multiplied and copied inside libcrypto, in constant
time, and what held it on the way is wiped.
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
    failed,
    libcrypto,
    sm2_group,
)
from strongroom.core.crypto.points import SM2_BYTES
from strongroom.errors import Malformed

SEED_BYTES = 40
SCALAR_BYTES = 32

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


def private_key(public: bytes, seed: Buffer) -> Key:
    """Return the private key of `seed`, whose point `public` already is."""
    with private_number(seed) as number:
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
    with private_number(seed) as number:
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
        raise failed(what="compute a public key")
    return out.raw


@contextmanager
def private_number(seed: Buffer) -> Iterator[int]:
    """Lend d of [1, n-2]: FIPS 186-5 A.2.1 on 64 bits more than the order has."""
    library = libcrypto()
    wide, modulus, number = (library.BN_new() for _ in range(3))
    context = library.BN_CTX_new()
    try:
        with pinned(seed) as address:
            library.BN_bin2bn(address, size(seed), wide)
        library.BN_copy(modulus, library.EC_GROUP_get0_order(sm2_group()))
        library.BN_sub_word(modulus, 2)
        for secret in (wide, modulus, number):
            library.BN_set_flags(secret, _CONSTANT_TIME)
        if library.BN_nnmod(number, wide, modulus, context) != 1:
            raise failed(what="reduce a seed")
        library.BN_add_word(number, 1)
        yield number
    finally:
        library.BN_CTX_free(context)
        for used in (wide, modulus, number):
            library.BN_clear_free(used)


def _parameter(
    name: bytes, kind: int, data: ctypes.Array[ctypes.c_char] | ctypes.c_char_p, n: int
) -> Parameter:
    address = ctypes.cast(data, ctypes.c_void_p)
    return Parameter(name, kind, address, n, ctypes.c_size_t(-1).value)
