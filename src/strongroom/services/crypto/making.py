# SPDX-License-Identifier: Apache-2.0
"""Random numbers (IF-8) and the life of a key (IF-9), in the names of this room."""

from strongroom.core.crypto import SecretBuffer
from strongroom.errors import LimitReached
from strongroom.services.crypto.keyring import KeyRing
from strongroom.services.crypto.records import ROOT, Handle, KeySpec, Purpose

MAX_RANDOM_BYTES = 64 << 10


def random(ring: KeyRing, n: int) -> bytes:
    """Return `n` random bytes that passed the health tests of the generator.

    Raises:
        LimitReached: fewer than one, or more than 65536.
        Unavailable: the generator has failed its tests.
    """
    if not 0 < n <= MAX_RANDOM_BYTES:
        message = f"1 to {MAX_RANDOM_BYTES} random bytes at a time, not {n}"
        raise LimitReached(message)
    return ring.entropy.bytes(n)


def generate_key(
    ring: KeyRing,
    purpose: Purpose,
    algorithm: str,
    label: str,
    *,
    extractable: bool = False,
) -> Handle:
    """Make a key inside; raises as `KeyRing.generate`."""
    return ring.generate(purpose, algorithm, label, extractable=extractable)


def derive_key(
    ring: KeyRing, spec: KeySpec, source: Handle = ROOT, salt: bytes = b""
) -> Handle:
    """Derive a key of one purpose; raises as `KeyRing.derive`."""
    return ring.derive(spec, source, salt)


def import_key(ring: KeyRing, spec: KeySpec, key: SecretBuffer) -> Handle:
    """Take a key from outside, if the policy allows any; as `KeyRing.adopt`."""
    return ring.adopt(spec, key)


def rotate_key(ring: KeyRing, handle: Handle) -> int:
    """Make the next version of a key; raises as `KeyRing.rotate`."""
    return ring.rotate(handle)


def shred_key(ring: KeyRing, handle: Handle, version: int | None = None) -> None:
    """Wipe a key or an old version of it; raises as `KeyRing.shred`."""
    ring.shred(handle, version)
