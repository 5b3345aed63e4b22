# SPDX-License-Identifier: Apache-2.0
"""The system's libcrypto (OpenSSL 3 or later) by ctypes: only what SM2 needs.

`cryptography` bundles OpenSSL but has no SM2 interface; its copy cannot be reached.
"""

import ctypes
from functools import cache

from strongroom.core.crypto.forks import reseed_after_fork
from strongroom.core.crypto.native import INT, POINTER, SIZE, declare, find
from strongroom.errors import Misconfigured

_NAMES = ("libcrypto.so.3", "libcrypto.so.4", "libcrypto.3.dylib", "libcrypto-3-x64")
_TEXT = ctypes.c_char_p

_PROTOTYPES = {
    "ERR_clear_error": (None, ()),
    "RAND_add": (None, (POINTER, INT, ctypes.c_double)),
    "OPENSSL_cleanse": (None, (POINTER, SIZE)),
    "BN_new": (POINTER, ()),
    "BN_clear_free": (None, (POINTER,)),
    "BN_CTX_new": (POINTER, ()),
    "BN_CTX_free": (None, (POINTER,)),
    "BN_bin2bn": (POINTER, (POINTER, INT, POINTER)),
    "BN_bn2nativepad": (INT, (POINTER, POINTER, INT)),
    "BN_set_flags": (None, (POINTER, INT)),
    "BN_copy": (POINTER, (POINTER, POINTER)),
    "BN_sub_word": (INT, (POINTER, ctypes.c_ulong)),
    "BN_add_word": (INT, (POINTER, ctypes.c_ulong)),
    "BN_nnmod": (INT, (POINTER, POINTER, POINTER, POINTER)),
    "EC_GROUP_new_by_curve_name": (POINTER, (INT,)),
    "EC_GROUP_get0_order": (POINTER, (POINTER,)),
    "EC_POINT_new": (POINTER, (POINTER,)),
    "EC_POINT_clear_free": (None, (POINTER,)),
    "EC_POINT_mul": (INT, (POINTER,) * 6),
    "EC_POINT_add": (INT, (POINTER,) * 5),
    "EC_POINT_is_at_infinity": (INT, (POINTER, POINTER)),
    "EC_POINT_oct2point": (INT, (POINTER, POINTER, POINTER, SIZE, POINTER)),
    "EC_POINT_point2oct": (SIZE, (POINTER, POINTER, INT, POINTER, SIZE, POINTER)),
    "EVP_sm3": (POINTER, ()),
    "EVP_PKEY_CTX_new_from_name": (POINTER, (POINTER, _TEXT, _TEXT)),
    "EVP_PKEY_CTX_new": (POINTER, (POINTER, POINTER)),
    "EVP_PKEY_CTX_free": (None, (POINTER,)),
    "EVP_PKEY_CTX_set1_id": (INT, (POINTER, POINTER, INT)),
    "EVP_PKEY_fromdata_init": (INT, (POINTER,)),
    "EVP_PKEY_fromdata": (INT, (POINTER, POINTER, INT, POINTER)),
    "EVP_PKEY_free": (None, (POINTER,)),
    "EVP_MD_CTX_new": (POINTER, ()),
    "EVP_MD_CTX_free": (None, (POINTER,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (POINTER, POINTER)),
    "EVP_DigestSignInit": (INT, (POINTER,) * 5),
    "EVP_DigestSign": (INT, (POINTER, POINTER, POINTER, POINTER, SIZE)),
    "EVP_DigestVerifyInit": (INT, (POINTER,) * 5),
    "EVP_DigestVerify": (INT, (POINTER, POINTER, SIZE, POINTER, SIZE)),
    "EVP_PKEY_verify_init": (INT, (POINTER,)),
    "EVP_PKEY_verify": (INT, (POINTER, POINTER, SIZE, POINTER, SIZE)),
    "EVP_PKEY_encrypt_init": (INT, (POINTER,)),
    "EVP_PKEY_encrypt": (INT, (POINTER, POINTER, POINTER, POINTER, SIZE)),
    "EVP_PKEY_decrypt_init": (INT, (POINTER,)),
    "EVP_PKEY_decrypt": (INT, (POINTER, POINTER, POINTER, POINTER, SIZE)),
}


class Parameter(ctypes.Structure):
    """`OSSL_PARAM`; an all-zero one ends a list."""


Parameter._fields_ = (
    ("key", _TEXT),
    ("data_type", ctypes.c_uint),
    ("data", POINTER),
    ("data_size", SIZE),
    ("return_size", SIZE),
)


UNSIGNED, UTF8, OCTETS = 2, 4, 5


@cache
def libcrypto() -> ctypes.CDLL:
    """Return the library.

    Raises:
        Misconfigured: it is not on this machine; the message names the package.
    """
    library = find(_NAMES, "crypto")
    if library is None or not declare(library, _PROTOTYPES):
        message = (
            "SM2 needs the system's OpenSSL 3 or later: install libssl3 (Debian, "
            "Ubuntu), openssl-libs (RHEL, openEuler) or openssl@3 (Homebrew), "
            "or use the suite 'intl'"
        )
        raise Misconfigured(message)
    reseed_after_fork(library.RAND_add)
    return library


@cache
def sm2_group() -> int:
    """Return the curve of GB/T 32918.5, shared and never freed.

    Raises:
        Misconfigured: this libcrypto was built without it.
    """
    group = libcrypto().EC_GROUP_new_by_curve_name(1172)
    if not group:
        message = (
            "the system's libcrypto was built without SM2: install one that has it"
        )
        raise Misconfigured(message)
    return int(group)


def failed(what: str) -> Misconfigured:
    """Return the error for an operation that cannot fail on a sound machine."""
    libcrypto().ERR_clear_error()
    return Misconfigured(f"libcrypto could not {what} with SM2: update OpenSSL")
