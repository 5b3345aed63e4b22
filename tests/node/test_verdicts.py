# SPDX-License-Identifier: Apache-2.0
"""The record of verdicts: what was answered for is on the disk, whatever happens."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from strongroom.core.codec.note import Note
from strongroom.core.codec.tlog import Checkpoint
from strongroom.core.crypto import suite
from strongroom.errors import Unavailable
from strongroom.management.audit import LogEntry
from strongroom.node.verdicts import VerdictLog

INTL = suite("intl")
KEY = INTL.signing_key(b"k" * INTL.sign_seed_bytes)
Sync = Callable[[int], None]


@contextmanager
def log_in(folder: Path) -> Iterator[VerdictLog]:
    log = VerdictLog(folder, "strongroom/verifier", KEY)
    try:
        yield log
    finally:
        log.close()


def entry(number: int) -> LogEntry:
    return LogEntry(
        time=1_800_000_000,
        category="interface",
        action="environment.verify",
        subject="verifier",
        object=f"{number:064x}",
        outcome="ok",
        detail={},
    )


def size(log: VerdictLog) -> int:
    return Checkpoint.parse(Note.parse(log.read("checkpoint")).text).size


@pytest.fixture
def syncing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sync], None]:
    """Return what puts a function in place of the log's fsync."""

    def put(sync: Sync) -> None:
        monkeypatch.setattr(os, "fsync", sync)

    return put


def test_an_entry_is_on_the_disk_before_it_counts(
    tmp_path: Path, syncing: Callable[[Sync], None]
) -> None:
    seen: list[bytes] = []
    real = os.fsync
    with log_in(tmp_path) as log:

        def sync(fd: int) -> None:
            seen.append((tmp_path / "journal").read_bytes())
            real(fd)

        syncing(sync)
        assert [log.append(entry(number)) for number in range(2)] == [0, 1]
        assert len(seen) == 2
        assert entry(0).to_bytes() in seen[0]
        assert seen[1].endswith(entry(1).to_bytes())


def test_after_a_failing_disk_nothing_is_answered_for(
    tmp_path: Path, syncing: Callable[[Sync], None]
) -> None:
    real = os.fsync
    log = VerdictLog(tmp_path, "strongroom/verifier", KEY)
    log.append(entry(0))

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    syncing(fail)
    with pytest.raises(Unavailable):
        log.append(entry(1))
    syncing(real)
    for ask in (lambda: log.append(entry(2)), lambda: log.read("checkpoint")):
        with pytest.raises(Unavailable):
            ask()
    with pytest.raises(Unavailable):
        log.close()
    with log_in(tmp_path) as again:
        assert size(again) == 2, "what was written is found, and may be one more"


def test_a_checkpoint_waits_for_the_entries_under_it(
    tmp_path: Path, syncing: Callable[[Sync], None]
) -> None:
    with log_in(tmp_path) as log:
        log.append(entry(0))
    synced: list[int] = []
    real = os.fsync
    with log_in(tmp_path) as again:

        def sync(fd: int) -> None:
            synced.append(os.fstat(fd).st_ino)
            real(fd)

        syncing(sync)
        assert size(again) == 1
    assert synced[0] == (tmp_path / "journal").stat().st_ino


def test_many_threads_are_all_on_record(
    tmp_path: Path, syncing: Callable[[Sync], None]
) -> None:
    calls: list[int] = []
    real = os.fsync

    def sync(fd: int) -> None:
        calls.append(fd)
        real(fd)

    with log_in(tmp_path) as log:
        syncing(sync)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(log.append, map(entry, range(64))))
    assert sorted(found) == list(range(64))
    assert len(calls) <= 64 + 3, "one wait may serve many, and none waits twice"
    with log_in(tmp_path) as again:
        assert size(again) == 64


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\0\0\0\x09" + bytes(9), b"\0\0\1"])
def test_what_a_crash_leaves_behind_the_last_entry_is_cut(
    tmp_path: Path, tail: bytes
) -> None:
    with log_in(tmp_path) as log:
        log.append(entry(0))
    journal = tmp_path / "journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + tail)
    with log_in(tmp_path) as again:
        assert journal.read_bytes() == whole
        assert again.append(entry(1)) == 1
