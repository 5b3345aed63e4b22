# SPDX-License-Identifier: Apache-2.0
"""One-purpose keys from a root (KDF, HW-3): device key -> app root key -> these.

The first arrow is the device's and the monitor's (system/monitor/derive.py). A key is
HKDF (RFC 5869) of a root and a salt, over the deterministic encoding of purpose,
algorithm, label, whether it may leave, version and length: another value of any of
them gives a key that has nothing to do with this one. A key is written straight into
secret memory.
"""

from strongroom.core.codec import cbor
from strongroom.core.crypto import Buffer, SecretBuffer
from strongroom.core.crypto.hashing import Hashing
from strongroom.services.crypto.kinds import Algorithm
from strongroom.services.crypto.records import KeySpec

_KEY, _KEYRING = "strongroom/crypto/key/v1", "strongroom/crypto/keyring/v1"
KEYRING_SALT_BYTES = 32


def derive_key(
    hashing: Hashing,
    root: Buffer,
    salt: bytes,
    spec: KeySpec,
    version: int,
    row: Algorithm,
) -> SecretBuffer:
    """Return the key of `spec` and `version` under `root`; the caller closes it."""
    info = cbor.encode([_KEY, spec.to_value(), version, row.draw_bytes])
    with SecretBuffer(row.draw_bytes) as drawn:
        hashing.hkdf_into(root, salt=salt, info=info, out=drawn.view)
        return made(row, drawn.view)


def keyring_key(
    hashing: Hashing, root: Buffer, salt: bytes, counter: int, length: int
) -> SecretBuffer:
    """Return the key that a keyring of `counter` rests under."""
    info = cbor.encode([_KEYRING, counter, length])
    key = SecretBuffer(length)
    hashing.hkdf_into(root, salt=salt, info=info, out=key.view)
    return key


def made(row: Algorithm, drawn: memoryview) -> SecretBuffer:
    """Return the key that `drawn`, uniform bytes, make; the caller closes it."""
    key = SecretBuffer(row.key_bytes)
    try:
        row.make(drawn, key.view)
    except BaseException:
        key.close()
        raise
    return key
