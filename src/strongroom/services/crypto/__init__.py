# SPDX-License-Identifier: Apache-2.0
"""Crypto operations by handle (IF-8 to IF-13, KDF): keys never leave the ring.

algorithms  the literal table        policy      what a ring allows
keyring     make, rotate, shred      snapshot    a ring at rest
ciphers     encrypt, decrypt         signatures  sign, verify, MAC
agreement   X25519, SM2 exchange     wrapping    envelopes, wrapped keys
"""

from strongroom.services.crypto.agreement import (
    Agreed,
    Sm2Side,
    agree,
    agree_sm2,
    confirm,
    decapsulate,
    encapsulate,
)
from strongroom.services.crypto.algorithms import ALGORITHMS, algorithm
from strongroom.services.crypto.ciphers import (
    decrypt,
    decrypt_from_outside,
    decrypt_unauthenticated,
    encrypt,
    encrypt_to,
    encrypt_unauthenticated,
)
from strongroom.services.crypto.keyring import KeyRing
from strongroom.services.crypto.policy import Policy
from strongroom.services.crypto.records import (
    HANDLE_BYTES,
    ROOT,
    Ciphertext,
    Handle,
    KeyInfo,
    KeySpec,
    PublicKey,
    Signature,
    Tag,
    UnauthenticatedCiphertext,
    WrappedKey,
    as_purpose,
)
from strongroom.services.crypto.signatures import (
    holds,
    mac,
    sign,
    verify,
    verify_mac,
    verify_value,
)
from strongroom.services.crypto.snapshot import counter_of
from strongroom.services.crypto.wrapping import (
    open_envelope,
    seal_envelope,
    unwrap,
    wrap,
)

__all__ = [
    "ALGORITHMS",
    "HANDLE_BYTES",
    "ROOT",
    "Agreed",
    "Ciphertext",
    "Handle",
    "KeyInfo",
    "KeyRing",
    "KeySpec",
    "Policy",
    "PublicKey",
    "Signature",
    "Sm2Side",
    "Tag",
    "UnauthenticatedCiphertext",
    "WrappedKey",
    "agree",
    "agree_sm2",
    "algorithm",
    "as_purpose",
    "confirm",
    "counter_of",
    "decapsulate",
    "decrypt",
    "decrypt_from_outside",
    "decrypt_unauthenticated",
    "encapsulate",
    "encrypt",
    "encrypt_to",
    "encrypt_unauthenticated",
    "holds",
    "mac",
    "open_envelope",
    "seal_envelope",
    "sign",
    "unwrap",
    "verify",
    "verify_mac",
    "verify_value",
    "wrap",
]
