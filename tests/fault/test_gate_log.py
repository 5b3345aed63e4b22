# SPDX-License-Identifier: Apache-2.0
"""The monitor's own log: nothing answered is lost, nothing changed goes unseen."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.segment import EVIDENCE, JOURNAL, origin_of, place
from strongroom.core.rats import Evidence
from strongroom.errors import Conflict, NotFound, Refused, StrongroomError, Unavailable
from strongroom.management.audit import (
    HEAD_ACTION,
    AuditLog,
    GateLog,
    verify_folder,
    verify_gate_log,
)
from strongroom.services.isolation import Isolation
from strongroom.system.monitor import segments
from strongroom.system.monitor.events import EventLog, entry_of
from tests.system.deployment import Deployment, make_deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return make_deployment(tmp_path / "d", "intl")


def use(deployment: Deployment, nonces: int = 3, *, kill: bool = False) -> None:
    """Run a monitor that answers some commands."""
    with (
        deployment.start() as monitor,
        Isolation.connect(deployment.socket) as isolation,
    ):
        for _ in range(nonces):
            isolation.evidence(os.urandom(16))
        if kill:
            os.kill(monitor.pid, signal.SIGKILL)
            with pytest.raises(StrongroomError):
                isolation.status()


def verified(deployment: Deployment) -> GateLog:
    return verify_gate_log(deployment.log, deployment.trust, int(time.time()))


def actions(log: GateLog) -> list[str]:
    """Return what was done, but for connections that broke off at an end."""
    done = [entry.action for _, entry in log.query()]
    return [action for action in done if action != "gate.frame"]


def rules(error: StrongroomError) -> set[str]:
    return {finding.rule for finding in error.findings}


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_what_was_answered_before_a_kill_is_in_the_log(
    tmp_path: Path, suite_id: str
) -> None:
    deployment = make_deployment(tmp_path / "d", suite_id)
    use(deployment, 5, kill=True)
    use(deployment, 1)
    log = verified(deployment)
    assert actions(log) == [
        "log.begin",
        *["gate.evidence"] * 5,
        "log.begin",
        "gate.evidence",
    ]
    assert len(log.segments) == 2


def test_a_log_that_nobody_signed_yet_is_not_believed(deployment: Deployment) -> None:
    use(deployment, kill=True)
    with pytest.raises(NotFound):
        verified(deployment)


def test_a_record_that_was_cut_by_a_crash_was_answered_to_nobody(
    deployment: Deployment,
) -> None:
    use(deployment, 2, kill=True)
    journal = place(deployment.log, 0) / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-5])
    use(deployment, 0)
    assert actions(verified(deployment)) == ["log.begin", "gate.evidence", "log.begin"]


def swap(folder: Path) -> None:
    """Put two segments in each other's place."""
    folder.joinpath("00000000").rename(folder / "x")
    folder.joinpath("00000001").rename(folder / "00000000")
    folder.joinpath("x").rename(folder / "00000001")


def double(folder: Path) -> None:
    """Put a copy of the first segment in the place of the second."""
    shutil.rmtree(place(folder, 1))
    shutil.copytree(place(folder, 0), place(folder, 1))


def edit(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (file,) = (place(folder, 0) / "tile" / name).rglob("*.p/*")
        data = bytearray(file.read_bytes())
        data[-5] ^= 1
        file.write_bytes(data)

    return change


CHANGES: dict[str, Callable[[Path], None]] = {
    "an entry is edited": edit("entries"),
    "a tile is edited": edit("0"),
    "the first segment is deleted": lambda f: shutil.rmtree(place(f, 0)),
    "a segment between is deleted": lambda f: shutil.rmtree(place(f, 1)),
    "segments change places": swap,
    "a segment stands twice": double,
    "the evidence of a segment is deleted": lambda f: (place(f, 1) / EVIDENCE).unlink(),
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Return a device whose log has three segments."""
    made = make_deployment(tmp_path_factory.mktemp("grown") / "d", "intl")
    for _ in range(3):
        use(made, 1)
    verified(made)
    return made


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_afterwards_is_found(
    grown: Deployment, tmp_path: Path, change: str
) -> None:
    copy = shutil.copytree(grown.log, tmp_path / "log")
    CHANGES[change](copy)
    with pytest.raises(Refused) as refused:
        verify_gate_log(copy, grown.trust, int(time.time()))
    assert all(rule.startswith(("audit.", "note.")) for rule in rules(refused.value))


def test_a_journal_that_was_edited_while_the_monitor_was_down_shows(
    deployment: Deployment,
) -> None:
    use(deployment, 4, kill=True)
    journal = place(deployment.log, 0) / JOURNAL
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    use(deployment, 0)
    with pytest.raises(Refused) as refused:
        verified(deployment)
    assert rules(refused.value) == {"audit.journal"}


def test_a_journal_of_which_not_even_the_first_record_holds_shows(
    deployment: Deployment,
) -> None:
    use(deployment, 2, kill=True)
    journal = place(deployment.log, 0) / JOURNAL
    data = journal.read_bytes()
    journal.write_bytes(data[:4] + bytes([data[4] ^ 1]) + data[5:])
    use(deployment, 0)
    with pytest.raises(Refused) as refused:
        verified(deployment)
    assert rules(refused.value) == {"audit.journal"}


def frames(journal: bytes) -> list[bytes]:
    """Return the records of a journal, each with its length and MAC."""
    found = []
    while journal:
        end = 4 + int.from_bytes(journal[:4], "big") + 32
        found.append(journal[:end])
        journal = journal[end:]
    return found


REORDERED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "one is taken out": lambda all_: all_[:2] + all_[3:],
    "two change places": lambda all_: [*all_[:2], all_[3], all_[2], *all_[4:]],
    "one stands twice": lambda all_: [*all_[:3], *all_[2:]],
}


@pytest.mark.parametrize("change", REORDERED)
def test_records_of_a_journal_stay_in_their_order(
    deployment: Deployment, change: str
) -> None:
    """Each MAC covers the one before: whole records cannot be moved about either."""
    use(deployment, 4, kill=True)
    journal = place(deployment.log, 0) / JOURNAL
    kept = frames(journal.read_bytes())
    assert len(kept) > 4
    journal.write_bytes(b"".join(REORDERED[change](kept)))
    use(deployment, 0)
    with pytest.raises(Refused) as refused:
        verified(deployment)
    assert rules(refused.value) == {"audit.journal"}


def test_segments_of_two_histories_do_not_go_together(
    deployment: Deployment, tmp_path: Path
) -> None:
    """A host sets the log back: each history holds, a mixture of them does not."""
    use(deployment, 1)
    first = shutil.copytree(deployment.log, tmp_path / "first")
    for _ in range(2):
        use(deployment, 1)
    one = shutil.copytree(deployment.log, tmp_path / "one")
    shutil.rmtree(deployment.log)
    shutil.copytree(first, deployment.log)
    use(deployment, 2)
    verified(deployment)
    shutil.copytree(place(one, 2), place(deployment.log, 2))
    with pytest.raises(Refused) as refused:
        verified(deployment)
    assert rules(refused.value) == {"audit.chain"}


def test_a_history_that_a_room_was_not_shown_is_found(
    grown: Deployment, tmp_path: Path
) -> None:
    log = verified(grown)
    room = room_log(grown, log.device_id, bytes(32), "1", tmp_path)
    with pytest.raises(Refused) as refused:
        verify_gate_log(grown.log, grown.trust, int(time.time()), verify_folder(*room))
    assert rules(refused.value) == {"audit.head"}


@pytest.mark.parametrize("entries", ["", "-1", "many", "9" * 40])
def test_a_head_that_is_no_number_is_refused_and_no_fault(
    grown: Deployment, tmp_path: Path, entries: str
) -> None:
    log = verified(grown)
    room = room_log(grown, log.device_id, bytes(32), entries, tmp_path)
    with pytest.raises(Refused) as refused:
        verify_gate_log(grown.log, grown.trust, int(time.time()), verify_folder(*room))
    assert rules(refused.value) == {"audit.head"}


def test_who_cuts_the_log_is_found_by_what_a_room_was_shown(
    deployment: Deployment,
) -> None:
    with deployment.start(), Isolation.connect(deployment.socket) as isolation:
        isolation.evidence(os.urandom(16))
        short = deployment.folder / "short"
        isolation.log_head()
        shutil.copytree(deployment.log, short)
        isolation.evidence(os.urandom(16))
        isolation.log_head()
        device = isolation.status().device_id
    log = verified(deployment)
    (segment,) = log.segments
    room = room_log(
        deployment,
        device,
        segment.checkpoint.root,
        str(segment.checkpoint.size),
        deployment.folder / "room-log",
    )
    now = int(time.time())
    report = verify_folder(*room)
    assert verify_gate_log(deployment.log, deployment.trust, now, report) == log
    verify_gate_log(short, deployment.trust, now)
    with pytest.raises(Refused) as refused:
        verify_gate_log(short, deployment.trust, now, report)
    assert rules(refused.value) == {"audit.head"}


def room_log(
    deployment: Deployment, device: bytes, root: bytes, size: str, folder: Path
) -> tuple[Path, NoteKey]:
    """Return a room's log with one head of a node's, as the broker writes it."""
    detail = {"origin": origin_of(device, 0), "entries": size}
    entry = LogEntry(0, "system", HEAD_ACTION, device.hex(), root.hex(), "ok", detail)
    log = AuditLog("room", deployment.suite_id, [entry.to_bytes()])
    for path, data in log.new_tiles():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    key = deployment.administrator
    (folder / "checkpoint").write_bytes(log.checkpoint(key))
    return folder, NoteKey("room", key.public)


@pytest.fixture
def writer(deployment: Deployment) -> Iterator[segments.Writer]:
    """Return a writer with keys of its own; its evidence is that of a real monitor."""
    with deployment.start(), Isolation.connect(deployment.socket) as isolation:
        nonce, device = os.urandom(16), isolation.status().device_id
        shown = Evidence("simulated", isolation.evidence(nonce), b"")
    yield segments.Writer(
        deployment.administrator, memoryview(bytes(32)), device, shown, lambda: 7
    )


def test_a_full_segment_is_signed_and_the_next_names_it(
    writer: segments.Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ENTRIES", 300)
    log = EventLog(segments.Segments(tmp_path / "segments", writer))
    for at in range(650):
        log.record(entry_of("STATUS", at, "uid 0 pid 1", "", None))
    log.close()
    found = []
    for number in range(3):
        key = NoteKey(origin_of(writer.device_id, number), writer.key.public)
        folder = place(tmp_path / "segments", number)
        found.append(verify_folder(folder, key))
        assert (folder / JOURNAL).exists() == (number == 2)
    assert [each.checkpoint.size for each in found] == [300, 300, 53]
    for before, after in pairwise(found):
        first = LogEntry.from_bytes(after.entries[0])
        assert first.action == "log.turn"
        assert first.detail["previous"] == before.checkpoint.root.hex()
    times = [LogEntry.from_bytes(data).time for each in found for data in each.entries]
    assert [at for at in times if at != 7] == [at for at in range(650) if at != 7]


def test_a_command_that_cannot_be_logged_is_not_answered(
    writer: segments.Writer, tmp_path: Path
) -> None:
    kept = segments.Segments(tmp_path / "segments", writer)
    log = EventLog(kept)
    os.close(kept._journal)
    entry = entry_of("STATUS", 1, "uid 0 pid 1", "", None)
    for _ in range(2):
        with pytest.raises(Unavailable):
            log.record(entry)


def test_a_log_in_memory_has_no_head() -> None:
    with pytest.raises(Conflict):
        EventLog().checkpoint()
