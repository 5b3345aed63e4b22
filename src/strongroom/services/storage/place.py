# SPDX-License-Identifier: Apache-2.0
"""Whose storage it is, and the keys that follow from that (docs/specs/storage.md)."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from strongroom.core.codec.record import Record
from strongroom.core.crypto import Aead, SecretBuffer, suite
from strongroom.errors import Malformed

Kind: TypeAlias = Literal[b"B", b"N", b"H"]
"""What an object is: a block, a node of the tree, a head."""

BLOCK: Kind = b"B"
NODE: Kind = b"N"
HEAD: Kind = b"H"
ID_BYTES = 16
KEY_BYTES = 32
MAX_TEXT = 256
_KEPT_CIPHERS = 256
_SALT = b"strongroom/storage/v1"


@dataclass(frozen=True)
class Place(Record):
    """One storage: suite, application, owner and a namespace of the owner's.

    It is the beginning of the associated data of everything stored in it.
    """

    TYPE: ClassVar[str] = "strongroom/storage-place/v1"

    suite: Literal["sm", "intl"]
    app: str
    """Name or measurement of the application; the sealing key is bound to it too."""
    owner: str
    """Whose data it is: a party id, for instance."""
    namespace: str

    def __post_init__(self) -> None:
        """Refuse names that nobody could show or compare."""
        for text in (self.app, self.owner, self.namespace):
            if not 0 < len(text) <= MAX_TEXT or not text.isprintable():
                message = f"storage names are 1 to {MAX_TEXT} printable letters"
                raise Malformed(message)


class Cipher(NamedTuple):
    """What objects of one kind and version are sealed with.

    Attributes:
        aead: under their key.
        when: the version, 8 bytes.
        aad: what is authenticated before the id: place, kind and version.
        folder: what their names begin with.
    """

    aead: Aead
    when: bytes
    aad: bytes
    folder: str


class Keys:
    """The keys of one place; only the root of them is kept, in secret memory.

    Attributes:
        place: whose they are.
        aad: the encoding of the place.
        key_id: tells the app's sealing key and suite apart from others; public.
        place_id: tells owners and namespaces under one key apart; public.
        prefix: what the names of all objects of the place begin with.
    """

    def __init__(self, key: SecretBuffer, place: Place) -> None:
        """Derive from the app's sealing key, 32 bytes, which stays the caller's.

        Raises:
            Malformed: `key` is not 32 bytes.
        """
        if len(key) != KEY_BYTES:
            message = f"a storage key is {KEY_BYTES} bytes, not {len(key)}"
            raise Malformed(message)
        self.place, self.aad = place, place.to_bytes()
        self.suite = suite(place.suite)
        self.key_id = self.suite.hkdf(
            key.view, salt=_SALT, info=b"key id", length=ID_BYTES
        )
        self._root = SecretBuffer(self.suite.digest_bytes)
        self.suite.hkdf_into(key.view, salt=_SALT, info=self.aad, out=self._root.view)
        self._ciphers: dict[tuple[Kind, int], Cipher] = {}
        self.place_id = self.suite.hkdf_expand(self._root.view, b"P", ID_BYTES)
        self.prefix = f"{self.place_id.hex()}/"

    def cipher(self, kind: Kind, version: int) -> Cipher:
        """Return the cipher for the objects of one kind and version.

        So a key serves one transaction, or those of one opening that were given up,
        far below the limit of random nonces (SP 800-38D section 8.3).
        """
        found = self._ciphers.get((kind, version))
        if found is None:
            row, when = self.suite, version.to_bytes(8, "big")
            key = row.hkdf_expand(self._root.view, kind + when, row.aead_key_bytes)
            aad, folder = self.aad + kind + when, f"{self.prefix}{version:016x}-"
            found = Cipher(row.aead(key), when, aad, folder)
            if len(self._ciphers) >= _KEPT_CIPHERS:
                self._ciphers.clear()
            self._ciphers[kind, version] = found
        return found

    def close(self) -> None:
        """Wipe the root key; nothing can be read or written afterwards."""
        self._ciphers.clear()
        self._root.close()
