# SPDX-License-Identifier: Apache-2.0
"""What the tests of protected storage run in: stores, counters, a key."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from strongroom.core.crypto import Buffer, SecretBuffer, suite
from strongroom.services.storage import Place, Storage

if TYPE_CHECKING:
    from strongroom.core.rats.stores import BlockStore

KEY = bytes(range(32))


def place_of(suite_id: str, owner: str = "clinic", namespace: str = "main") -> Place:
    value = {
        "type": Place.TYPE,
        "suite": suite_id,
        "app": "registry",
        "owner": owner,
        "namespace": namespace,
    }
    return Place.from_value(value)


class Counters:
    """Counters that never go back, as the gate gives them."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def counter(self, label: str) -> int:
        return self.values.get(label, 0)

    def increment(self, label: str) -> int:
        self.values[label] = self.values.get(label, 0) + 1
        return self.values[label]


class MemoryStore:
    """A store in memory; `objects` is what an attacker on the host has."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.objects.get(name)

    def put(self, name: str, data: Buffer) -> None:
        self.objects[name] = bytes(data)

    def sync(self) -> None:
        """Do nothing: memory is as durable as this store gets."""

    def delete(self, names: Iterable[str]) -> None:
        for name in list(names):
            self.objects.pop(name, None)

    def names(self, prefix: str) -> Iterator[str]:
        return iter([name for name in self.objects if name.startswith(prefix)])


class World:
    """One device, one store, one key."""

    def __init__(self, suite_id: str) -> None:
        self.suite_id = suite_id
        self.store: BlockStore = MemoryStore()
        self.counters = Counters()
        self._drawn = 0

    @property
    def objects(self) -> dict[str, bytes]:
        """What the host has, if it is a store in memory."""
        assert isinstance(self.store, MemoryStore)
        return self.store.objects

    @objects.setter
    def objects(self, objects: dict[str, bytes]) -> None:
        assert isinstance(self.store, MemoryStore)
        self.store.objects = objects

    def random(self, n: int) -> bytes:
        """Return bytes that differ each time and are the same in each run."""
        self._drawn += 1
        return suite(self.suite_id).digest(self._drawn.to_bytes(8, "big"))[:n]

    def open(
        self,
        owner: str = "clinic",
        *,
        namespace: str = "main",
        key: bytes = KEY,
        create: bool = False,
    ) -> Storage:
        with SecretBuffer(len(key)) as secret:
            secret.view[:] = key
            place = place_of(self.suite_id, owner, namespace)
            return Storage.open(
                self.store,
                self.counters,
                secret,
                place,
                create=create,
                random=self.random,
            )
