# SPDX-License-Identifier: Apache-2.0
"""The journal: every crash point safe, every rollback and every fork refused."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from strongroom.application.broker.config import Method
from strongroom.application.broker.journal import COUNTER, EPOCH, Journal
from strongroom.core.crypto import suite
from strongroom.errors import Misconfigured, Stale, Unavailable
from tests.application.broker.fake_gate import Clock, Crash, FakeGate, Memory
from tests.application.broker.world import World

ROW = suite("intl")


class Box:
    """A journal file with a device; opens brokers on it and cuts them off."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"
        self.path.touch()
        self.memory = Memory()

    def open(
        self, before: Callable[[str], None] = lambda _: None, path: Path | None = None
    ) -> tuple[Journal, list[bytes]]:
        """Open as a broker does: replay, then append an opening frame."""
        fd = os.open(path or self.path, os.O_RDWR)
        journal, found = Journal.open(
            fd, ROW, FakeGate(self.memory, Clock(), before=before)
        )
        journal.append(b"opened")
        return journal, [each for each in found if each != b"opened"]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_what_was_appended_is_there_again_in_order(box: Box) -> None:
    journal, found = box.open()
    assert found == []
    rows = [os.urandom(n) for n in (0, 1, 1000)]
    for row in rows:
        journal.append(row)
    assert box.open()[1] == rows


def test_nothing_readable_is_in_the_file(box: Box) -> None:
    journal, _ = box.open()
    journal.append(b"a secret key" * 10)
    journal.append(b"a secret key" * 10)
    data = box.path.read_bytes()
    assert b"secret" not in data
    assert len({data[i : i + 12] for i in range(0, len(data), 12)}) > 10


def test_a_file_cut_anywhere_is_the_state_before_or_refused(box: Box) -> None:
    journal, _ = box.open()
    journal.append(b"first")
    before = box.path.read_bytes()
    counters = dict(box.memory.counters)
    journal.append(b"second")
    after = box.path.read_bytes()
    committed = dict(box.memory.counters)
    for length in range(len(before), len(after) + 1):
        # the crash came before the counter rose: the last frame may be there or not
        box.memory.counters = dict(counters)
        box.path.write_bytes(after[:length])
        whole = length == len(after)
        assert box.open()[1] == ([b"first", b"second"] if whole else [b"first"])
        # the counter rose: the frame was answered for, and must be there
        box.memory.counters = dict(committed)
        box.path.write_bytes(after[:length])
        if whole:
            assert box.open()[1] == [b"first", b"second"]
        else:
            with pytest.raises(Stale, match="turned back"):
                box.open()


@pytest.mark.parametrize("step", range(40))
def test_a_crash_at_any_step_loses_nothing_acknowledged(box: Box, step: int) -> None:
    acknowledged: list[bytes] = []
    left = [step]

    def before(_: str) -> None:
        if left[0] == 0:
            raise Crash
        left[0] -= 1

    attempted = 0
    try:
        journal, _ = box.open(before)
        for attempted in range(1, 6):
            journal.append(b"%d" % attempted)
            acknowledged.append(b"%d" % attempted)
    except Crash:
        pass
    found = box.open()[1]
    assert found[: len(acknowledged)] == acknowledged
    assert len(found) <= attempted
    again = box.open()[1]
    assert again == found


def test_garbage_behind_the_last_frame_is_cut(box: Box) -> None:
    box.open()[0].append(b"one")
    for tail in (b"\0" * 100, os.urandom(100), b"\xff\xff\xff\xff"):
        with box.path.open("ab") as file:
            file.write(tail)
        assert box.open()[1] == [b"one"]


@pytest.mark.parametrize("position", [0, 4, 12, 30, -1])
def test_a_flipped_bit_is_refused_in_words(box: Box, position: int) -> None:
    box.open()[0].append(b"one")
    data = bytearray(box.path.read_bytes())
    data[position] ^= 1
    box.path.write_bytes(data)
    with pytest.raises(Stale) as caught:
        box.open()
    assert caught.value.findings[0].rule == "journal.rollback"
    assert "turned back" in str(caught.value)


def test_other_software_reads_no_frame_and_is_told_so(box: Box) -> None:
    """An update changes the registers, and with them the key."""
    box.open()[0].append(b"one")
    before = box.path.read_bytes()
    box.memory.root = bytes(32)
    with pytest.raises(Stale) as caught:
        box.open()
    assert "other software wrote it: an update" in caught.value.findings[0].got
    assert box.path.read_bytes() == before


def test_an_older_file_is_refused(box: Box) -> None:
    journal, _ = box.open()
    journal.append(b"one")
    old = box.path.read_bytes()
    journal.append(b"two")
    box.path.write_bytes(old)
    with pytest.raises(Stale):
        box.open()
    box.path.write_bytes(b"")
    with pytest.raises(Stale):
        box.open()


def test_a_device_that_was_turned_back_is_refused(box: Box) -> None:
    journal, _ = box.open()
    counters = dict(box.memory.counters)
    journal.append(b"one")
    journal.append(b"two")
    box.memory.counters = counters
    with pytest.raises(Stale):
        box.open()


def test_frames_cannot_be_dropped_swapped_or_repeated(box: Box) -> None:
    journal, _ = box.open()
    ends = [box.path.stat().st_size]
    for row in (b"one", b"two", b"six"):
        journal.append(row)
        ends.append(box.path.stat().st_size)
    data = box.path.read_bytes()
    frames = [data[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    for order in ([0, 2, 1, 3], [0, 1, 1, 3], [0, 1, 3, 2], [1, 0, 2, 3]):
        box.path.write_bytes(b"".join(frames[i] for i in order))
        with pytest.raises(Stale):
            box.open()


def test_an_old_broker_stops_as_soon_as_another_is_started(box: Box) -> None:
    old, _ = box.open()
    old.append(b"one")
    new, found = box.open()
    assert found == [b"one"]
    with pytest.raises(Unavailable, match="another broker"):
        old.append(b"two")
    new.append(b"three")
    with pytest.raises(Unavailable):
        old.append(b"four")
    assert box.open()[1] == [b"one", b"three"]


def test_a_frame_that_was_never_answered_cannot_displace_one_that_was(
    box: Box,
) -> None:
    """A host crashes a broker before it counts, then shows that frame later."""
    box.open()
    steps: list[str] = []

    def crash(step: str) -> None:
        steps.append(step)
        if step == f"increment {COUNTER}" and steps.count(step) == 2:
            raise Crash

    forked, _ = box.open(crash)
    hidden = box.path.read_bytes()
    with pytest.raises(Crash):
        forked.append(b"never answered")
    shown = box.path.read_bytes()
    assert len(shown) > len(hidden)
    box.path.write_bytes(hidden)
    journal, _ = box.open()
    journal.append(b"withdrawn, and answered")
    kept = box.path.read_bytes()
    for evil in (shown, hidden):
        box.path.write_bytes(evil)
        with pytest.raises(Stale):
            box.open()
    box.path.write_bytes(kept)
    assert box.open()[1] == [b"withdrawn, and answered"]


@pytest.mark.parametrize("pause", range(1, 14))
def test_two_brokers_on_copies_never_both_answer(
    box: Box, tmp_path: Path, pause: int
) -> None:
    """One broker is halted at any step; another runs meanwhile; then it goes on."""
    first, _ = box.open()
    first.append(b"base")
    copy = tmp_path / "copy"
    answered = [b"base"]
    left = [pause]

    def meanwhile(step: str) -> None:
        assert step
        left[0] -= 1
        if left[0] == 0:
            shutil.copy(box.path, copy)
            with suppress(Unavailable):
                other, _ = box.open(path=copy)
                other.append(b"other")
                answered.append(b"other")

    with suppress(Unavailable, Stale):
        halted, _ = box.open(meanwhile)
        halted.append(b"halted")
        answered.append(b"halted")
    for path in (box.path, copy):
        with suppress(Stale, FileNotFoundError):
            assert set(answered) <= set(box.open(path=path)[1])
            break


def test_the_same_frame_written_twice_uses_no_nonce_twice(box: Box) -> None:
    """A crash between write and count makes frame k be written again."""
    counters: dict[str, int] = {}
    nonces = set()
    for content in (b"one", b"two"):
        box.memory.counters = dict(counters)
        box.path.write_bytes(b"")
        journal, _ = box.open()
        start = box.path.stat().st_size
        journal.append(content)
        frame = box.path.read_bytes()[start:]
        nonces.add(frame[12:24])
    assert len(nonces) == 2


def test_a_file_that_cannot_be_written_stops_the_broker_for_good(box: Box) -> None:
    fd = os.open(box.path, os.O_RDWR)
    journal, _ = Journal.open(fd, ROW, FakeGate(box.memory, Clock()))
    os.close(fd)
    for _ in range(2):
        with pytest.raises(Unavailable):
            journal.append(b"one")
    with pytest.raises(Unavailable):
        Journal.open(fd, ROW, FakeGate(box.memory, Clock()))


def test_counters_are_the_two_of_the_contract() -> None:
    assert (COUNTER, EPOCH) == ("journal", "journal-epoch")


def test_a_journal_is_bound_to_its_configuration(fresh: World) -> None:
    fresh.config = type(fresh.config)(
        suite=fresh.config.suite,
        origin=fresh.config.origin,
        administrator=fresh.parties["insurer"].public,
        roots=fresh.config.roots,
    )
    with pytest.raises(Misconfigured, match="another broker configuration"):
        fresh.start()


def test_the_broker_refuses_to_start_on_an_older_journal(fresh: World) -> None:
    fresh.publish()
    old = fresh.journal.read_bytes()
    fresh.publish()
    fresh.journal.write_bytes(old)
    with pytest.raises(Stale, match=r"journal\.rollback"):
        fresh.start()
    with pytest.raises(Exception, match="OPEN first"):
        fresh.call(Method.TICKETS, {})
