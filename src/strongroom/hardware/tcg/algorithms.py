# SPDX-License-Identifier: Apache-2.0
"""Hash algorithms as TPMs and event logs name them (TCG Algorithm Registry)."""

from collections.abc import Callable
from hashlib import sha1, sha256, sha384, sha512
from typing import Literal

from strongroom.core.crypto.hashing import SM3

Algorithm = Literal["sha1", "sha256", "sha384", "sha512", "sm3"]

ALGORITHMS: dict[int, Algorithm] = {
    0x0004: "sha1",
    0x000B: "sha256",
    0x000C: "sha384",
    0x000D: "sha512",
    0x0012: "sm3",
}
"""TPM_ALG_ID to name; other hashes are of no bank that is verified here."""

SIZES: dict[Algorithm, int] = {
    "sha1": 20,
    "sha256": 32,
    "sha384": 48,
    "sha512": 64,
    "sm3": 32,
}
"""Bytes of a digest."""

WEAK = "sha1"
"""Collisions are within reach of whoever wants one (NIST SP 800-131A)."""


def _sha1(data: bytes) -> bytes:
    return sha1(data, usedforsecurity=False).digest()


_DIGESTS: dict[Algorithm, Callable[[bytes], bytes]] = {
    "sha1": _sha1,
    "sha256": lambda data: sha256(data).digest(),
    "sha384": lambda data: sha384(data).digest(),
    "sha512": lambda data: sha512(data).digest(),
    "sm3": SM3.digest,
}


def hasher(algorithm: Algorithm) -> Callable[[bytes], bytes]:
    """Return the function of that name."""
    return _DIGESTS[algorithm]
