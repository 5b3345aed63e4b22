# SPDX-License-Identifier: Apache-2.0
"""Kills a writer of protected storage at every step, and says what was left each time.

    python -m tests.fault.storage_child SUITE FOLDER

Every writer is a process of its own, forked from this one, with a folder as its store
and the counters of a simulated device on the disk. It writes a transaction of several
blocks, and at the step it is given it sends itself SIGKILL. Each time it is looked
what a fresh process finds, and one line of JSON says so.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from strongroom.core.crypto import Buffer, SecretBuffer, suite
from strongroom.errors import StrongroomError
from strongroom.hardware.parts.counters import Counters as Journal
from strongroom.node.stores.folder import FolderStore
from strongroom.services.storage import Place, Storage

BLOCKS = [b"b/%d" % n for n in range(10)]
_KEY = bytes(range(32))


class Steps:
    """Kills this process before the step of that number, or in the middle of it."""

    def __init__(self, at: int) -> None:
        self.at, self.done = at, 0

    def step(self) -> None:
        if self.done == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1


class KillingStore(FolderStore):
    """A folder whose every change may be the last thing that happens."""

    def __init__(self, folder: Path, steps: Steps) -> None:
        super().__init__(folder)
        self._steps = steps

    def put(self, name: str, data: Buffer) -> None:
        self._steps.step()
        half = memoryview(data)[: len(data) // 2]
        if self._steps.done == self._steps.at:
            super().put(name, half)
        self._steps.step()
        super().put(name, data)

    def sync(self) -> None:
        self._steps.step()
        super().sync()

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._steps.step()
            super().delete([name])


class KillingCounters:
    """The counters of a simulated device, on the disk."""

    def __init__(self, journal: Journal, steps: Steps) -> None:
        self._journal, self._steps = journal, steps

    def counter(self, label: str) -> int:
        return self._journal.value(label)

    def increment(self, label: str) -> int:
        self._steps.step()
        value = self._journal.increment(label)
        self._steps.step()
        return value


class Bench:
    """One folder, with a device and a store in it."""

    def __init__(self, suite_id: str, folder: Path) -> None:
        self.row, self.folder = suite(suite_id), folder
        self.folder.mkdir(parents=True)
        with SecretBuffer(32) as key:
            Journal.create(folder / "counters", self.row, key)

    def run(self, steps: Steps, work: Callable[[Storage], None]) -> None:
        """Open everything, work and close."""
        value = {
            "type": Place.TYPE,
            "suite": self.row.id,
            "app": "registry",
            "owner": "clinic",
            "namespace": "main",
        }
        with SecretBuffer(32) as device, SecretBuffer(32) as key:
            key.view[:] = _KEY
            journal = Journal(self.folder / "counters", self.row, device)
            counters = KillingCounters(journal, steps)
            store = KillingStore(self.folder / "store", steps)
            place = Place.from_value(value)
            with Storage.open(store, counters, key, place, create=True) as storage:
                work(storage)
            journal.close()

    def look(self) -> dict[str, object]:
        """Return what is found: the texts that there are, and what was left over."""
        found: dict[str, object] = {}

        def work(storage: Storage) -> None:
            with storage.snapshot() as view:
                texts = {view.read(key).hex() for key in list(view.keys())}
                found.update(texts=sorted(texts), count=len(list(view.keys())))
            found["left"] = storage.sweep()

        self.run(Steps(-1), work)
        return found


def fill(text: bytes) -> Callable[[Storage], None]:
    """Return work that writes every block."""

    def work(storage: Storage) -> None:
        with storage.begin() as transaction:
            for key in BLOCKS:
                transaction.write(key, text)

    return work


def killed(bench: Bench, at: int, text: bytes) -> bool:
    """Write in a child that is killed at a step; return whether it was."""
    child = os.fork()
    if child == 0:
        try:
            bench.run(Steps(at), fill(text))
        except StrongroomError as error:
            say({"error": str(error)})
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def count_steps(suite_id: str, folder: Path) -> int:
    """Return how many steps a writer takes that nobody kills."""
    bench, steps = Bench(suite_id, folder), Steps(-1)
    bench.run(Steps(-1), fill(b"old"))
    bench.run(steps, fill(b"new"))
    return steps.done


def say(line: dict[str, object]) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Try every step, print a line each."""
    suite_id, folder = sys.argv[1], Path(sys.argv[2])
    for at in range(count_steps(suite_id, folder / "count") + 1):
        bench = Bench(suite_id, folder / str(at))
        bench.run(Steps(-1), fill(b"old"))
        was = killed(bench, at, b"new")
        line = {"at": at, "killed": was, **bench.look(), "again": bench.look()}
        say(line)
        shutil.rmtree(folder / str(at))
    return 0


if __name__ == "__main__":
    sys.exit(main())
