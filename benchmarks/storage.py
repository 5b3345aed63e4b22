# SPDX-License-Identifier: Apache-2.0
"""Rows about protected storage, against the raw cipher of the same library.

A store's own input and output is no part of the figures: what is written goes to a
store that keeps nothing, what is read comes from a dict in memory. A transaction's
commit, with its nodes and head, is part of them; the device's counters are in memory.
"""

import os
from collections.abc import Callable, Iterable, Iterator

from benchmarks.rows import Row, ratio, timed
from strongroom.core.crypto import Buffer, SecretBuffer, suite
from strongroom.services.storage import Place, ProtectedFiles, Storage

BYTES = {"intl": 256 << 20, "sm": 64 << 20}
BLOCK = 1 << 20


class DiscardingStore:
    """Takes everything and keeps nothing: what writing costs without a store."""

    def get(self, name: str) -> bytes | None:
        """Return nothing."""
        del name
        return None

    def put(self, name: str, data: Buffer) -> None:
        """Keep nothing."""
        del name, data

    def sync(self) -> None:
        """Do nothing."""

    def delete(self, names: Iterable[str]) -> None:
        """Do nothing."""
        list(names)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield nothing."""
        del prefix
        return iter(())


class MemoryStore(DiscardingStore):
    """Keeps everything in a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """Return the bytes as they lie there."""
        return self.objects.get(name)

    def put(self, name: str, data: Buffer) -> None:
        """Keep a copy."""
        self.objects[name] = bytes(data)

    def delete(self, names: Iterable[str]) -> None:
        """Forget."""
        for name in names:
            self.objects.pop(name, None)


class Counters:
    """Counters in memory: what a device's cost is a row of its own elsewhere."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}

    def counter(self, label: str) -> int:
        """Return one."""
        return self._values.get(label, 0)

    def increment(self, label: str) -> int:
        """Add one."""
        self._values[label] = self.counter(label) + 1
        return self._values[label]


def rows(n: int) -> Iterator[Row]:
    """Measure all rows about protected storage; a ratio is speed over speed."""
    for suite_id in ("intl", "sm"):
        raw_write, raw_read = _raw(suite_id)
        for name, raw, ours in (
            ("write, blocks in one transaction", raw_write, _write_blocks(suite_id)),
            ("write, one file", raw_write, _write_file(suite_id)),
            ("read, blocks", raw_read, _read_blocks(suite_id)),
            ("read, one file", raw_read, _read_file(suite_id)),
        ):
            title = f"protected {name} of 1 MiB, {suite_id} / raw AEAD"
            yield ratio(title, ">= 0.9", raw, ours, n)


def _raw(suite_id: str) -> tuple[Callable[[], float], Callable[[], float]]:
    """Return the raw cipher over as many bytes, writing and reading one buffer."""
    row, count = suite(suite_id), BYTES[suite_id] // BLOCK
    aead = row.aead(os.urandom(row.aead_key_bytes))
    nonce, text, out = bytes(row.nonce_bytes), os.urandom(BLOCK), bytearray(BLOCK)
    room = bytearray(BLOCK + row.tag_bytes)
    sealed = [aead.encrypt(nonce, text, b"") for _ in range(count)]

    def write() -> None:
        for _ in range(count):
            aead.encrypt_into(nonce, text, b"", room)

    def read() -> None:
        for each in sealed:
            aead.decrypt_into(nonce, each, b"", out)

    return lambda: timed(write), lambda: timed(read)


def _storage(suite_id: str, store: DiscardingStore) -> Storage:
    place = Place("sm" if suite_id == "sm" else "intl", "bench", "bench", "bench")
    with SecretBuffer(32) as key:
        key.fill_random()
        return Storage.open(store, Counters(), key, place, create=True)


def _fill(storage: Storage, count: int, text: bytes) -> None:
    with storage.begin() as transaction:
        for n in range(count):
            transaction.write(b"b/%d" % n, text)


def _write_blocks(suite_id: str) -> Callable[[], float]:
    count, text = BYTES[suite_id] // BLOCK, os.urandom(BLOCK)

    def run() -> float:
        storage = _storage(suite_id, DiscardingStore())
        return timed(lambda: _fill(storage, count, text))

    return run


def _write_file(suite_id: str) -> Callable[[], float]:
    count, text = BYTES[suite_id] // BLOCK, os.urandom(BLOCK)

    def run() -> float:
        files = ProtectedFiles(_storage(suite_id, DiscardingStore()))

        def write() -> None:
            with files.create("bench") as file:
                for _ in range(count):
                    file.write(text)

        return timed(write)

    return run


def _read_blocks(suite_id: str) -> Callable[[], float]:
    storage, count = _storage(suite_id, MemoryStore()), BYTES[suite_id] // BLOCK
    out = bytearray(BLOCK)
    _fill(storage, count, os.urandom(BLOCK))

    def read() -> None:
        with storage.snapshot() as snapshot:
            for n in range(count):
                snapshot.read_into(b"b/%d" % n, out)

    return lambda: timed(read)


def _read_file(suite_id: str) -> Callable[[], float]:
    files = ProtectedFiles(_storage(suite_id, MemoryStore()))
    text, out = os.urandom(BLOCK), bytearray(BLOCK)
    with files.create("bench") as file:
        for _ in range(BYTES[suite_id] // BLOCK):
            file.write(text)

    def read() -> None:
        with files.open("bench") as file:
            while file.readinto(out):
                pass

    return lambda: timed(read)
