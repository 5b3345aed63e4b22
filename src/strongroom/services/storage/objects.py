# SPDX-License-Identifier: Apache-2.0
"""One stored object: sealed, named by its own authenticator, opened only as itself.

    object   version u64 | nonce (12) | text, encrypted | tag (16)
    name     place id / version-nonce-tag, in hex

Whoever refers to an object keeps version, nonce, tag and length of it (`Ref`). Under a
key that the store does not have, these commit to the whole ciphertext: another one with
the same nonce and tag would be a forgery of GCM. So the tree needs no digest of the
bytes, which would cost several times the encryption.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from strongroom.core.crypto import Buffer, constant_time_equal
from strongroom.core.crypto.aead import NONCE_BYTES, TAG_BYTES
from strongroom.core.rats.stores import BlockStore
from strongroom.errors import LimitReached, Refused, Tampered
from strongroom.services.storage import refusals
from strongroom.services.storage.place import Keys, Kind

HEADER_BYTES = 8 + NONCE_BYTES
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES
MAX_OBJECT_BYTES = 64 << 20


class Ref(NamedTuple):
    """All that must be known of an object to accept it and nothing else."""

    version: int
    """The counter that the writing transaction was to reach."""
    nonce: bytes
    tag: bytes
    length: int
    """Bytes of text."""

    @property
    def name(self) -> str:
        """The object's name within its place."""
        return f"{self.version:016x}-{(self.nonce + self.tag).hex()}"


class Box:
    """Seals objects of one place into a store, and opens them from it."""

    def __init__(
        self,
        keys: Keys,
        store: BlockStore,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.keys, self.store, self._random = keys, store, random
        self.prefix = keys.prefix
        self._scratch = bytearray()
        self._room = self._text = memoryview(self._scratch)

    def put(self, kind: Kind, ident: bytes, version: int, data: Buffer) -> Ref:
        """Seal `data` and give it to the store; durable after its next `sync`.

        Not safe to call from two threads at once: the room for the ciphertext is
        used again.

        Raises:
            LimitReached: `data` is over `MAX_OBJECT_BYTES`.
        """
        length = len(data)
        if length + OVERHEAD_BYTES != len(self._room):
            self._make_room(length)
        sealed, nonce = self._room, self._random(NONCE_BYTES)
        cipher = self.keys.cipher(kind, version)
        sealed[:HEADER_BYTES] = cipher.when + nonce
        cipher.aead.encrypt_into(nonce, data, cipher.aad + ident, self._text)
        tag = sealed[-TAG_BYTES:].tobytes()
        self.store.put(cipher.folder + (nonce + tag).hex(), sealed)
        return Ref(version, nonce, tag, length)

    def get(self, kind: Kind, ident: bytes, ref: Ref) -> bytes:
        """Return the text of an object.

        Raises:
            Tampered, Stale: what the store gave is not that object.
        """
        out = bytearray(ref.length)
        self.get_into(kind, ident, ref, out)
        return bytes(out)

    def get_into(
        self, kind: Kind, ident: bytes, ref: Ref, out: bytearray | memoryview
    ) -> None:
        """Write the text of an object into `out`, which has exactly its length.

        Raises:
            Tampered: it is gone (storage.missing), cut (storage.truncated), another
                one (storage.swapped) or changed (storage.altered).
            Stale: an older one (storage.stale-block).
        """
        version, nonce, tag, length = ref
        cipher = self.keys.cipher(kind, version)
        data = self.store.get(cipher.folder + (nonce + tag).hex())
        if data is None:
            raise refusals.missing(describe(kind, ident))
        if not (
            len(data) == length + OVERHEAD_BYTES
            and data.startswith(cipher.when + nonce)
            and constant_time_equal(data[-TAG_BYTES:], tag)
        ):
            raise _mismatch(describe(kind, ident), ref, data)
        sealed = memoryview(data)[HEADER_BYTES:]
        try:
            cipher.aead.decrypt_into(nonce, sealed, cipher.aad + ident, out)
        except Tampered as error:
            raise refusals.altered(describe(kind, ident)) from error

    def delete(self, refs: list[Ref]) -> None:
        """Let the store forget objects that nothing refers to any more."""
        self.store.delete([self.prefix + ref.name for ref in refs])

    def _make_room(self, length: int) -> None:
        """Have room for exactly one object with `length` bytes of text."""
        if length > MAX_OBJECT_BYTES:
            message = f"a block is at most {MAX_OBJECT_BYTES} bytes, not {length}"
            raise LimitReached(message)
        total = length + OVERHEAD_BYTES
        if len(self._scratch) < total:
            self._scratch = bytearray(total)
        self._room = memoryview(self._scratch)[:total]
        self._text = self._room[HEADER_BYTES:]


def _mismatch(what: str, ref: Ref, data: bytes) -> Refused:
    """Say what lies there instead, as far as its own header can be believed."""
    expected = ref.length + OVERHEAD_BYTES
    other = data[8:HEADER_BYTES] != ref.nonce and data[-TAG_BYTES:] != ref.tag
    if len(data) < OVERHEAD_BYTES or (not other and len(data) != expected):
        return refusals.truncated(what, expected, len(data))
    if not other:
        return refusals.altered(what)
    version = int.from_bytes(data[:8], "big")
    if version < ref.version:
        return refusals.stale_block(what, ref.version, version)
    return refusals.swapped(what)


def describe(kind: Kind, ident: bytes) -> str:
    """Name an object for a person, without what an owner may have called it."""
    what = {b"B": "a block", b"N": "a node of the tree", b"H": "the head"}[kind]
    return f"{what} ({len(ident)}-byte id)" if ident else what
