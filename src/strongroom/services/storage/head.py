# SPDX-License-Identifier: Apache-2.0
r"""The head record: which tree counts, at which value of the device's counter.

    head   "SRSTOR1\n" | suite u8 | key id (16) | place id (16) | counter u64
           | nonce (12) | text, encrypted | tag (16)
    text   CBOR: root (44 bytes or null), the references that may be forgotten (44 each)

The clear part tells a person which key or owner is wrong; all of it is associated data.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from strongroom.core.codec.cursor import Cursor
from strongroom.core.codec.record import Record
from strongroom.core.crypto import SUITES
from strongroom.core.crypto.aead import NONCE_BYTES
from strongroom.errors import Tampered
from strongroom.services.storage import refusals
from strongroom.services.storage.nodes import pack_ref, unpack_ref
from strongroom.services.storage.objects import Ref
from strongroom.services.storage.place import HEAD, ID_BYTES, Keys

MAGIC = b"SRSTOR1\n"
FOLDER = "head/"
_CLEAR_BYTES = len(MAGIC) + 1 + 2 * ID_BYTES + 8 + NONCE_BYTES
_SUITE_BYTES = {suite_id: bytes([n]) for n, suite_id in enumerate(sorted(SUITES))}


@dataclass(frozen=True)
class _Text(Record):
    TYPE: ClassVar[str] = "strongroom/storage-head/v1"

    root: bytes | None
    forget: bytes


@dataclass(frozen=True)
class Head:
    """One state of a storage.

    Attributes:
        counter: what the device's counter shows when this state counts.
        root: the tree; None is the empty one.
        forget: objects that this state no longer needs and that may still lie there.
    """

    counter: int
    root: Ref | None
    forget: tuple[Ref, ...]

    @property
    def name(self) -> str:
        """The head's name within its place."""
        return head_name(self.counter)

    def seal(self, keys: Keys, random: Callable[[int], bytes] = os.urandom) -> bytes:
        """Return the record under the keys of its place; `open_head` inverts it."""
        root = None if self.root is None else pack_ref(self.root)
        text = _Text(root, b"".join(map(pack_ref, self.forget))).to_bytes()
        counter, nonce = self.counter.to_bytes(8, "big"), random(NONCE_BYTES)
        clear = MAGIC + _SUITE_BYTES[keys.suite.id] + keys.key_id + keys.place_id
        clear += counter + nonce
        aead = keys.cipher(HEAD, self.counter).aead
        return clear + aead.encrypt(nonce, text, keys.aad + HEAD + clear)

    @classmethod
    def open(cls, keys: Keys, data: bytes) -> Self:
        """Return what a record says, once it is known to be of this place.

        Raises:
            Untrusted: of another app, device or suite (storage.key), or of another
                owner or namespace (storage.owner).
            Tampered: cut or altered (storage.head).
        """
        if len(data) < _CLEAR_BYTES:
            got = f"{len(data)} bytes"
            raise refusals.bad_head(got)
        clear = data[:_CLEAR_BYTES]
        counter = _check_clear(keys, clear)
        nonce = clear[-NONCE_BYTES:]
        aead = keys.cipher(HEAD, counter).aead
        try:
            text = aead.decrypt(nonce, data[_CLEAR_BYTES:], keys.aad + HEAD + clear)
        except Tampered as error:
            raise refusals.bad_head("altered or cut bytes") from error
        return cls(counter, *_parse(text))


def head_name(counter: int) -> str:
    """Return where the head for `counter` lies within its place."""
    return f"{FOLDER}{counter:016x}"


def _check_clear(keys: Keys, clear: bytes) -> int:
    cursor = Cursor(clear, "head of a storage")
    if cursor.take(len(MAGIC)) != MAGIC:
        raise refusals.bad_head("a record of another format")
    suite_byte, key_id = cursor.take(1), cursor.take(ID_BYTES)
    if suite_byte != _SUITE_BYTES[keys.suite.id] or key_id != keys.key_id:
        raise refusals.other_key(keys.suite.id)
    if cursor.take(ID_BYTES) != keys.place_id:
        raise refusals.other_owner(keys.place.owner, keys.place.namespace)
    return cursor.big(8)


def _parse(text: bytes) -> tuple[Ref | None, tuple[Ref, ...]]:
    """Parse authenticated text.

    Raises:
        Malformed: the key's holder wrote something else than a head.
    """
    record = _Text.from_bytes(text)
    cursor = Cursor(record.root or b"", "root of a storage")
    root = unpack_ref(cursor) if record.root is not None else None
    cursor.end()
    cursor = Cursor(record.forget, "objects of a storage to forget")
    forget = []
    while cursor.left:
        forget.append(unpack_ref(cursor))
    return root, tuple(forget)
