# SPDX-License-Identifier: Apache-2.0
"""Blocks over an untrusted store: secret, authentic, newest (STOR, 7.8, IF-6, IF-7).

    ID.NAME      nonce || ciphertext || tag, named by its nonce and tag
    ID.head.N    the same, of the state's version N and the name of the tree's root

Without the key nobody makes another object of the same nonce and tag, so the name
identifies it; a digest over the whole would cost more than to decrypt it.

ID stands for app, owner and namespace, so that many may share one store.

Nothing is ever overwritten. A commit writes new objects, then head.N+1, then counts the
device's counter from N to N+1, then deletes what nobody refers to any more. The head
that counts is the one of the counter's value: before the count a crash leaves the old
state whole, after it the new one. Whoever turns the store back, has no such head.

One enclave at a time may have a namespace open; the ordinary side sees to that.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from strongroom.core.codec import cbor
from strongroom.core.codec.record import Record
from strongroom.core.crypto import SecretBuffer, suite
from strongroom.core.crypto.aead import NONCE_BYTES, TAG_BYTES
from strongroom.core.rats.stores import Counter, ObjectStore
from strongroom.errors import (
    Conflict,
    LimitReached,
    Malformed,
    NotFound,
    Refused,
    Stale,
    Tampered,
)
from strongroom.services.storage.tree import Entry, Node, Tree

MAX_BLOCK_BYTES = 8 << 20
_MAX_ID, _ID_DIGITS = 256, 16
_KEY = b"strongroom/storage/v1/key\0"


@dataclass(frozen=True)
class Head(Record):
    """The state of a namespace: its version, and the root of the tree or ""."""

    TYPE = "strongroom/storage-head/v1"

    version: int
    root: str


@dataclass(frozen=True)
class Place:
    """Whose store it is: in the associated data of every object (7.8).

    `app` is the measurement, `owner` whoever the blocks belong to, `namespace` one of
    the manifest's.
    """

    app: bytes
    owner: str
    namespace: str

    @property
    def label(self) -> str:
        """What key and counter of the device are called."""
        return f"storage/{self.namespace}/{self.owner}"


@dataclass
class Transaction:
    """Blocks that are written together or not at all; see `ProtectedStore.write`."""

    blocks: dict[str, bytes] = field(default_factory=dict)

    def put(self, block: str, data: bytes) -> None:
        """Write a block, once the transaction ends well."""
        if not 0 < len(block) <= _MAX_ID or len(data) > MAX_BLOCK_BYTES:
            message = f"a block has a short name and at most {MAX_BLOCK_BYTES} bytes"
            raise LimitReached(message)
        self.blocks[block] = data


class ProtectedStore:
    """One namespace of one app, open."""

    def __init__(
        self,
        suite_id: str,
        place: Place,
        key: SecretBuffer,
        counter: Counter,
        objects: ObjectStore,
        random: Callable[[int], bytes],
    ) -> None:
        """Open the namespace at the version of the device's counter.

        Args:
            suite_id: of the app.
            place: whose it is.
            key: the app's own key for `place.label`, 32 bytes; read once.
            counter: the app's counters on the device.
            objects: the untrusted store.
            random: gives random bytes.

        Raises:
            Stale: `storage.rollback`, the store is an older copy, or lost its newest.
            Tampered: `storage.object`, its head was altered.
        """
        self._row, self._place = suite(suite_id), place
        self._counter, self._objects, self._random = counter, objects, random
        context = b"\0".join([place.app, place.owner.encode(), b""])
        size = self._row.aead_key_bytes
        self._aead = self._row.aead(
            self._row.hkdf(key.view, info=_KEY + context, length=size)
        )
        where = [place.app, place.owner, place.namespace]
        self._id = self._row.digest(cbor.encode(where)).hex()[:_ID_DIGITS]
        self._tree = Tree(self._row, self._load_node, self._save_node)
        self._head = self._newest()

    @property
    def version(self) -> int:
        """How often the namespace has been committed."""
        return self._head.version

    def load(self, block: str) -> bytes:
        """Return the newest content of a block (IF-7).

        Raises:
            NotFound: there is no such block.
            Tampered: `storage.object`.
        """
        entry = self._tree.find(self._head.root, block)
        if entry is None:
            message = f"there is no block {block!r} in {self._place.namespace}"
            raise NotFound(message)
        return self._open(entry.name, f"block {block} {entry.version}")

    def blocks(self) -> tuple[str, ...]:
        """Return the ids of all blocks."""
        return tuple(each.block for each in self._tree.entries(self._head.root))

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """Collect blocks and commit them together as the context ends well (IF-6).

        Raises:
            Conflict: another enclave has committed since this one opened.
        """
        transaction = Transaction()
        yield transaction
        if transaction.blocks:
            self._commit(transaction.blocks)

    def version_of(self, block: str) -> int:
        """Return how often a block was written; 0 if never."""
        entry = self._tree.find(self._head.root, block)
        return entry.version if entry else 0

    def collect(self) -> int:
        """Delete objects that a crash left behind; return how many."""
        used = {self._head_name(self.version), *self._tree.names(self._head.root)}
        lost = [name for name in self._mine() if name not in used]
        for name in lost:
            self._objects.delete(name)
        return len(lost)

    def _commit(self, blocks: dict[str, bytes]) -> None:
        if self._counter.counter(self._place.label) != self.version:
            message = "another enclave has written to this namespace: open it again"
            raise Conflict(message)
        root, old = self._head.root, list[str]()
        for block, data in sorted(blocks.items()):
            before = self._tree.find(root, block)
            version = before.version + 1 if before else 1
            name = self._seal(data, f"block {block} {version}")
            root = self._tree.put(root, Entry(block, name, version), old)
            old += [before.name] if before else []
        head = Head(self.version + 1, root)
        where = f"head {head.version}"
        sealed = self._encrypt(head.to_bytes(), where)
        self._objects.put(self._head_name(head.version), sealed)
        self._counter.increment(self._place.label)
        gone, self._head = self._head_name(self.version), head
        for name in (gone, *old):
            self._objects.delete(name)

    def _newest(self) -> Head:
        count = self._counter.counter(self._place.label)
        if count == 0:
            return Head(0, "")
        sealed = self._objects.get(self._head_name(count))
        if sealed is None:
            raise self._rolled_back(count)
        where = f"head {count}"
        head = Head.from_bytes(self._decrypt(sealed, where))
        if head.version != count:
            raise _altered(where)
        return head

    def _rolled_back(self, count: int) -> Refused:
        heads = [name.rpartition(".head.")[2] for name in self._mine()]
        newest = max((int(n) for n in heads if n.isdecimal()), default=0)
        return Stale.because(
            rule="storage.rollback",
            owner="storage protection",
            expected=f"the store at version {count}, as the device has counted",
            got=f"an older copy, at version {newest}" if newest else "an empty store",
            remedy="Put the newest copy of the store back: an older one never opens.",
        )

    def _load_node(self, name: str) -> Node:
        return Node.from_bytes(self._open(name, "node"))

    def _save_node(self, node: Node) -> str:
        return self._seal(node.to_bytes(), "node")

    def _seal(self, data: bytes, where: str) -> str:
        sealed = self._encrypt(data, where)
        name = self._name(sealed)
        self._objects.put(name, sealed)
        return name

    def _open(self, name: str, where: str) -> bytes:
        sealed = self._objects.get(name)
        if sealed is None or self._name(sealed) != name:
            raise _altered(where)
        return self._decrypt(sealed, where)

    def _encrypt(self, data: bytes, where: str) -> bytes:
        nonce = self._random(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, self._aad(where))

    def _decrypt(self, sealed: bytes, where: str) -> bytes:
        try:
            view = memoryview(sealed)
            return self._aead.decrypt(
                view[:NONCE_BYTES], view[NONCE_BYTES:], self._aad(where)
            )
        except (Tampered, Malformed) as error:
            raise _altered(where) from error

    def _aad(self, where: str) -> bytes:
        return f"strongroom/storage/v1\0{self._place.namespace}\0{where}".encode()

    def _name(self, sealed: bytes) -> str:
        return f"{self._id}.{sealed[:NONCE_BYTES].hex()}{sealed[-TAG_BYTES:].hex()}"

    def _head_name(self, version: int) -> str:
        return f"{self._id}.head.{version}"

    def _mine(self) -> list[str]:
        return [n for n in self._objects.names() if n.startswith(f"{self._id}.")]


def _altered(where: str) -> Refused:
    return Tampered.because(
        rule="storage.object",
        owner="storage protection",
        expected=f"{where}, as it was stored",
        got="nothing, or something that was altered or moved",
        remedy="Restore the object from a copy; nothing else makes it readable.",
    )
