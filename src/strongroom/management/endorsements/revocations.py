# SPDX-License-Identifier: Apache-2.0
"""Keys that a verifier revokes itself: what names one, and the document that says so.

A key is named by 32 bytes. For hardware they are the SHA-256 of its
SubjectPublicKeyInfo in DER, whatever certificate it stands in.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats.claims import ID_BYTES
from strongroom.errors import Malformed
from strongroom.management.endorsements.documents import REVOKED, Incoming


def revocation(key: str, kinds: Sequence[str]) -> Incoming:
    """Return the document that revokes a key.

    Args:
        key: its id in hex, or the path of a file with its certificate or public key.
        kinds: kinds of evidence that may not stand on it.

    Raises:
        Malformed: a file with something else, or with more than one key.
        OSError: neither an id nor a file that can be read.
    """
    try:
        key_id = bytes.fromhex(key)
    except ValueError:
        key_id = b""
    if len(key_id) != ID_BYTES:
        key_id = hashlib.sha256(_spki(Path(key).read_bytes())).digest()
    return Incoming(REVOKED, tuple(kinds), key_id, key)


def _spki(data: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo in a certificate or public key, PEM or DER."""
    if data.lstrip().startswith(b"-----BEGIN PUBLIC KEY"):
        return ForeignKey.from_pem(data).spki
    try:
        return ForeignKey.from_spki(data).spki
    except Malformed:
        return Certificate.read(data).spki
