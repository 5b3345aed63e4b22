# SPDX-License-Identifier: Apache-2.0
"""Key agreement by X25519 (RFC 7748 section 6.1)."""

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)

from strongroom.core.crypto.buffers import Buffer
from strongroom.core.crypto.hashing import Hashing
from strongroom.core.crypto.resting import check_seed
from strongroom.errors import Malformed

KEY_BYTES = 32


def public_from_seed(seed: Buffer) -> bytes:
    """Return the public key, 32 bytes, of a private key of 32 bytes."""
    check_seed(seed, KEY_BYTES)
    return X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def shared_secret(seed: Buffer, peer: bytes) -> bytes:
    """Return the shared secret, 32 bytes, as RFC 7748 has it: not yet a key.

    Raises:
        Malformed: `peer` is not 32 bytes, or is a point of small order, with which
            the secret would be zero and known to everybody.
    """
    check_seed(seed, KEY_BYTES)
    try:
        public = X25519PublicKey.from_public_bytes(peer)
        return X25519PrivateKey.from_private_bytes(seed).exchange(public)
    except ValueError as error:
        message = "these bytes are not a usable X25519 public key"
        raise Malformed(message) from error


def agree_into(
    seed: Buffer, peer: bytes, *, hashing: Hashing, info: bytes, out: memoryview
) -> None:
    """Fill `out` with HKDF over the shared secret, under both public keys.

    RFC 7748 section 6.1 wants both keys in the derivation; they stand in it in the
    order of their bytes, so that both sides get the same.

    Raises:
        Malformed: `peer` is not a usable public key.
    """
    both = b"".join(sorted((public_from_seed(seed), bytes(peer))))
    hashing.hkdf_into(shared_secret(seed, peer), salt=b"", info=both + info, out=out)
