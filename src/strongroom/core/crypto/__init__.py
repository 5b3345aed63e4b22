# SPDX-License-Identifier: Apache-2.0
"""The only door to `cryptography`, libcrypto and libgcrypt.

buffers   bytes where they lie            hashing   SM3 | SHA-384, HMAC, HKDF
aead      AES-256-GCM    sm4gcm  SM4-GCM  signing   SM2 | Ed25519
kem       HPKE, hybrid   hpke_sm  HPKE over SM2     secret    memfd_secret memory
suites    the one table that says what goes with what
"""

from strongroom.core.crypto.aead import Aead
from strongroom.core.crypto.buffers import (
    Buffer,
    constant_time_equal,
    reuse_freed_memory,
)
from strongroom.core.crypto.hashing import Hasher
from strongroom.core.crypto.kem import KemKey, KemPublic
from strongroom.core.crypto.secret import SecretBuffer
from strongroom.core.crypto.signing import SigningKey, VerifyingKey
from strongroom.core.crypto.suites import SUITES, Suite, prepare, suite

__all__ = [
    "SUITES",
    "Aead",
    "Buffer",
    "Hasher",
    "KemKey",
    "KemPublic",
    "SecretBuffer",
    "SigningKey",
    "Suite",
    "VerifyingKey",
    "constant_time_equal",
    "prepare",
    "reuse_freed_memory",
    "suite",
]
