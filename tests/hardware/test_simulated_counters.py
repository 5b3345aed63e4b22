# SPDX-License-Identifier: Apache-2.0
"""Monotonic counters: they survive a crash, never go down, and fail closed."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from strongroom.core.crypto import SecretBuffer, Suite, suite
from strongroom.errors import LimitReached, Misconfigured, Tampered
from strongroom.hardware.parts import counters as module
from strongroom.hardware.parts.counters import Counters
from strongroom.hardware.simulated import SimulatedDevice, SimulatedManufacturer

RECORD = 64


class Journal:
    """A journal with its key."""

    def __init__(self, path: Path, row: Suite, key: SecretBuffer) -> None:
        self.path, self.row, self.key = path, row, key
        Counters.create(path, row, key)

    def open(self) -> Counters:
        return Counters(self.path, self.row, self.key)


@pytest.fixture(params=["sm", "intl"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    with SecretBuffer(32) as key:
        key.fill_random()
        yield Journal(tmp_path / "counters", suite(request.param), key)


def test_counters_count(journal: Journal) -> None:
    counters = journal.open()
    assert counters.value("a") == 0
    assert [counters.increment("a") for _ in range(3)] == [1, 2, 3]
    assert counters.increment("b") == 1
    counters.close()
    again = journal.open()
    assert (again.value("a"), again.value("b"), again.value("c")) == (3, 1, 0)
    again.close()
    with pytest.raises(Misconfigured):
        again.value("a")


def test_names_are_not_in_the_file(journal: Journal) -> None:
    counters = journal.open()
    counters.increment("agreement-of-two-banks")
    counters.close()
    assert b"banks" not in journal.path.read_bytes()


def test_no_byte_of_the_past_may_be_altered(journal: Journal) -> None:
    counters = journal.open()
    for name in ("a", "b", "a", "c"):
        counters.increment(name)
    counters.close()
    good = journal.path.read_bytes()
    for position in range(4 * RECORD):
        altered = bytearray(good)
        altered[position] ^= 0x40
        journal.path.write_bytes(altered)
        with pytest.raises(Tampered):
            journal.open()
    swapped = good[:64] + good[128:192] + good[64:128] + good[192:]
    journal.path.write_bytes(swapped)
    with pytest.raises(Tampered):
        journal.open()


def test_a_journal_under_another_key(journal: Journal) -> None:
    with SecretBuffer(32) as other:
        other.fill_random()
        with pytest.raises(Tampered):
            Counters(journal.path, journal.row, other)


def test_a_half_written_last_record_was_never_acknowledged(journal: Journal) -> None:
    counters = journal.open()
    counters.increment("a")
    before = journal.path.read_bytes()
    counters.increment("a")
    counters.close()
    after = journal.path.read_bytes()
    start = 2 * RECORD
    for length in range(RECORD):
        torn = before[:start] + after[start : start + length]
        torn += before[len(torn) :]
        if torn == after:  # what is missing of the record happens to be zeros
            continue
        journal.path.write_bytes(torn)
        counters = journal.open()
        assert counters.value("a") == 1
        assert counters.increment("a") == 2
        counters.close()
        counters = journal.open()
        assert counters.value("a") == 2
        counters.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=300))
def test_the_reader_is_total(journal: Journal, data: bytes) -> None:
    journal.path.write_bytes(data)
    with pytest.raises(Tampered):
        journal.open()


def test_compaction_keeps_every_value(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMPACT_AFTER", 20)
    counters = journal.open()
    for round_ in range(1, 60):
        for name in "abc":
            assert counters.increment(name) == round_
    counters.close()
    again = journal.open()
    assert [again.value(name) for name in "abc"] == [59, 59, 59]
    again.close()
    assert len(journal.path.read_bytes().rstrip(b"\0")) < 40 * RECORD


def test_there_is_a_limit(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COUNTERS", 2)
    counters = journal.open()
    counters.increment("a")
    counters.increment("b")
    with pytest.raises(LimitReached):
        counters.increment("c")
    assert counters.increment("a") == 2
    counters.close()


def test_a_full_disk_closes_the_journal(journal: Journal) -> None:
    counters = journal.open()
    counters.increment("a")
    counters.close()
    full = journal.open()
    full_disk = os.open("/dev/full", os.O_RDWR)
    os.dup2(full_disk, full._fd)
    os.close(full_disk)
    with pytest.raises(Misconfigured):
        full.increment("a")
    with pytest.raises(Misconfigured):
        full.value("a")
    again = journal.open()
    assert again.value("a") == 1
    again.close()


def test_a_journal_that_outgrows_its_zeros(journal: Journal) -> None:
    counters = journal.open()
    for _ in range(1100):
        counters.increment("a")
    counters.close()
    assert journal.path.stat().st_size > 64 * 1024 + 64
    again = journal.open()
    assert again.value("a") == 1100
    again.close()


def test_threads_never_share_a_value(journal: Journal) -> None:
    counters = journal.open()
    seen: list[int] = []

    def work() -> None:
        seen.extend([counters.increment("shared") for _ in range(50)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters.close()
    assert sorted(seen) == list(range(1, 201))


COUNT_FOREVER = """
import pathlib, sys
from strongroom.hardware.simulated import SimulatedDevice
device = SimulatedDevice.open(pathlib.Path(sys.argv[1]))
while True:
    print(device.increment("journal"), flush=True)
"""


def test_counters_survive_kill_9(tmp_path: Path) -> None:
    folder, now = tmp_path / "d", 1_800_000_000
    with SimulatedManufacturer.create(tmp_path / "m", "intl", now) as manufacturer:
        SimulatedDevice.provision(folder, manufacturer, "intl", now)
    acknowledged = 0
    for _ in range(3):
        command = [sys.executable, "-c", COUNT_FOREVER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(200)]
            process.kill()
            lines += process.stdout.readlines()
        values = [int(line) for line in lines if line.endswith(b"\n")]
        assert values[0] > acknowledged
        assert values == list(range(values[0], values[0] + len(values)))
        with SimulatedDevice.open(folder) as device:
            kept = device.counter("journal")
        assert values[-1] <= kept <= values[-1] + 1
        acknowledged = kept


def test_counters_are_cheap(journal: Journal) -> None:
    counters = journal.open()
    begun = time.perf_counter()
    for _ in range(500):
        counters.increment("a")
    assert time.perf_counter() - begun < 5
    counters.close()
