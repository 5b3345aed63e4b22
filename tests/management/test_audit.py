# SPDX-License-Identifier: Apache-2.0
"""The audit log: what is edited, deleted, moved or cut is found (LOG-1..LOG-3)."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.core.codec.merkle import verify_consistency, verify_inclusion
from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.tlog import Checkpoint, decode_bundle, encode_bundle
from strongroom.core.crypto import SUITES, SigningKey, suite
from strongroom.errors import Malformed, NotFound, Tampered, Untrusted
from strongroom.management.audit import CATEGORIES, AuditLog, LogEntry, verify_folder

SUITE_IDS = sorted(SUITES)
ORIGIN = "strongroom.example/audit"
SIZE = 600
BUNDLE = "tile/entries/001"
LAST = "tile/entries/002.p/88"


def entry(number: int, **changes: object) -> LogEntry:
    value = {
        "type": LogEntry.TYPE,
        "time": 1_700_000_000 + number,
        "category": CATEGORIES[number % 5],
        "action": "enclave.create",
        "subject": f"party-{number % 3}",
        "object": f"enclave-{number}",
        "outcome": "ok",
        "detail": {"task": f"task-{number // 10}", "app": "mean"},
    }
    return LogEntry.from_value(value | changes)


def signer(suite_id: str, fill: int = 7) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([fill]) * row.sign_seed_bytes)


def trusted(suite_id: str) -> NoteKey:
    return NoteKey(ORIGIN, signer(suite_id).public)


def grown(suite_id: str, size: int = SIZE, fork: int | None = None) -> AuditLog:
    log = AuditLog(ORIGIN, suite_id)
    for number in range(size):
        log.append(entry(number, subject="forged") if number == fork else entry(number))
    return log


def store(log: AuditLog, folder: Path) -> None:
    for path, data in log.new_tiles():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "checkpoint").write_bytes(log.checkpoint(signer(log.suite_id)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    store(grown("intl"), folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def findings(folder: Path, older: bytes | None = None) -> dict[str, str]:
    """Return what the verifier found, rule by rule, as `expected: got`."""
    with pytest.raises(Tampered) as caught:
        verify_folder(folder, trusted("intl"), older=older)
    return {
        found.rule: f"{found.expected}: {found.got}"
        for found in reversed(caught.value.findings)
    }


def change(folder: Path, path: str, edit: Callable[[list[bytes]], list[bytes]]) -> None:
    entries = decode_bundle((folder / path).read_bytes())
    (folder / path).write_bytes(encode_bundle(edit(entries)))


@pytest.mark.parametrize("suite_id", SUITE_IDS)
@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, SIZE])
def test_whole_logs_pass(suite_id: str, size: int, tmp_path: Path) -> None:
    log = grown(suite_id, size)
    older = grown(suite_id, size // 2).checkpoint(signer(suite_id))
    store(log, tmp_path)
    report = verify_folder(tmp_path, trusted(suite_id), older=older)
    assert report.checkpoint == log.head()
    assert len(report.entries) == size
    assert AuditLog(ORIGIN, suite_id, report.entries).head() == log.head()


def test_the_example_of_the_specification(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "specs" / "audit-log.md"
    text = page.read_text()
    bundle, tile = (part.split("```")[0] for part in text.split("```hex\n")[1:])
    for path, data in (("tile/entries/000.p/1", bundle), ("tile/0/000.p/1", tile)):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(bytes.fromhex(data))
    (tmp_path / "checkpoint").write_text(text.split("```text\n")[1].split("```")[0])
    key = NoteKey.parse(text.split("The key: `")[1].split("`")[0])
    report = verify_folder(tmp_path, key)
    assert [index for index, _ in report.query(task="t1")] == [0]


def test_an_edited_entry_is_named(folder: Path) -> None:
    forged = entry(300, outcome="refused").to_bytes()
    change(folder, BUNDLE, lambda old: [*old[:44], forged, *old[45:]])
    found = findings(folder)
    assert found.keys() == {"audit.entry"}
    assert found["audit.entry"].startswith("entry 300 ")
    assert "edited" in found["audit.entry"]


def test_a_deleted_entry_is_named(folder: Path) -> None:
    change(folder, BUNDLE, lambda old: old[:44] + old[45:])
    found = findings(folder)
    assert found["audit.entry"].startswith("entry 300 ")
    assert "deleted" in found["audit.entry"]


def test_an_inserted_entry_is_named(folder: Path) -> None:
    forged = entry(9999).to_bytes()
    change(folder, LAST, lambda old: [*old[:3], forged, *old[3:]])
    found = findings(folder)
    assert found["audit.entry"].startswith("entry 515 ")
    assert "inserted" in found["audit.entry"]


def test_a_repeated_entry_is_found(folder: Path) -> None:
    change(folder, LAST, lambda old: [*old, old[-1]])
    assert findings(folder).keys() == {"audit.root"}


def test_moved_entries_are_named(folder: Path) -> None:
    change(folder, BUNDLE, lambda old: [old[1], old[0], *old[2:]])
    found = findings(folder)
    assert found["audit.entry"].startswith("entry 256 ")
    assert "moved" in found["audit.entry"]


def test_a_cut_log_is_found(folder: Path) -> None:
    (folder / LAST).unlink()
    assert LAST in findings(folder)["audit.missing"]


def test_a_bundle_cut_inside_an_entry_is_found(folder: Path) -> None:
    (folder / LAST).write_bytes((folder / LAST).read_bytes()[:-1])
    assert LAST in findings(folder)["audit.bundle"]


def test_an_edited_tile_is_named_and_the_entries_cleared(folder: Path) -> None:
    tile = folder / "tile/0/001"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    found = findings(folder)
    assert found.keys() == {"audit.tile"}
    assert found["audit.tile"].startswith("tile/0/001 ")


def test_missing_and_overlong_tiles_are_found(folder: Path) -> None:
    (folder / "tile/1/000.p/2").unlink()
    assert findings(folder)["audit.missing"].startswith("tile/1/000.p/2")
    (folder / "tile/1/000.p/2").write_bytes(bytes(9000))
    with pytest.raises(Malformed):
        verify_folder(folder, trusted("intl"))


def test_entries_and_tiles_forged_together_are_found(folder: Path) -> None:
    """A forger who makes the whole tree again still has no signature for it."""
    note = (folder / "checkpoint").read_bytes()
    store(grown("intl", fork=300), folder)
    (folder / "checkpoint").write_bytes(note)
    assert "audit.root" in findings(folder)


def test_a_signed_but_rewritten_history_is_found(folder: Path) -> None:
    """Even the key's holder cannot rewrite what a witness has seen."""
    older = (folder / "checkpoint").read_bytes()
    store(grown("intl", SIZE + 1, fork=300), folder)
    assert findings(folder, older).keys() == {"audit.consistency"}
    store(grown("intl", SIZE - 1), folder)
    assert findings(folder, older).keys() == {"audit.rollback"}


def test_other_signers_are_refused(folder: Path) -> None:
    stranger = NoteKey(ORIGIN, signer("intl", 9).public)
    with pytest.raises(Untrusted):
        verify_folder(folder, stranger)
    (folder / "checkpoint").unlink()
    with pytest.raises(NotFound):
        verify_folder(folder, trusted("intl"))


def test_a_full_tile_stands_for_a_partial_one(tmp_path: Path) -> None:
    """c2sp.org/tlog-tiles lets a log delete partial tiles that were filled."""
    store(grown("intl", 512), tmp_path)
    note = grown("intl", 500).checkpoint(signer("intl"))
    (tmp_path / "checkpoint").write_bytes(note)
    assert verify_folder_size(tmp_path) == 500


def verify_folder_size(folder: Path) -> int:
    (folder / "tile/1").mkdir(exist_ok=True)
    (folder / "tile/1/000.p").mkdir(exist_ok=True)
    (folder / "tile/1/000.p/1").write_bytes(grown("intl", 256).head().root)
    return verify_folder(folder, trusted("intl")).checkpoint.size


def test_records_are_traced_back(whole: Path) -> None:
    report = verify_folder(whole, trusted("intl"))
    start = 1_700_000_000
    assert [index for index, _ in report.query(task="task-7")] == list(range(70, 80))
    assert len(list(report.query(party="party-1"))) == 200
    assert len(list(report.query(app="mean"))) == SIZE
    assert not list(report.query(app="other"))
    window = report.query(since=start + 5, until=start + 9, party="enclave-7")
    assert [found for _, found in window] == [entry(7)]
    moment = report.query(since=start + 7, until=start + 7)
    assert [found for _, found in moment] == [entry(7)], "both ends are included"


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_proofs_verify(suite_id: str) -> None:
    log = grown(suite_id, 300)
    hashing = log.hashing
    old, new = grown(suite_id, 100).head(), log.head()
    for index in (0, 255, 256, 299):
        verify_inclusion(
            hashing,
            index=index,
            size=new.size,
            leaf_hash=hashing.leaf(log.entry(index)),
            proof=log.inclusion_proof(index),
            root=new.root,
        )
    verify_consistency(
        hashing,
        old_size=old.size,
        old_root=old.root,
        new_size=new.size,
        new_root=new.root,
        proof=log.consistency_proof(old.size),
    )


def test_logs_know_their_bounds() -> None:
    log = grown("intl", 3)
    for action in (
        lambda: log.tile("tile/0/000"),
        lambda: log.tile("tile/entries/000"),
        lambda: log.entry(3),
        lambda: log.inclusion_proof(3),
        lambda: log.consistency_proof(4),
    ):
        with pytest.raises(NotFound):
            action()
    with pytest.raises(Malformed):
        log.checkpoint(signer("sm"))
    with pytest.raises(Malformed):
        AuditLog(ORIGIN, "intl", [b"no record"])
    wide = entry(0, detail={f"n{number}": "\U0001f512" * 256 for number in range(16)})
    assert log.append(wide) == 3
    log = grown("intl", 3)
    assert Checkpoint.verify(log.checkpoint(signer("intl")), trusted("intl")).size == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"time": -1},
        {"category": "other"},
        {"action": "Two Words"},
        {"outcome": "maybe"},
        {"subject": "x" * 257},
        {"object": "two\nlines"},
        {"detail": {"Name": "x"}},
        {"detail": {"name": "\0"}},
        {"detail": {f"n{number}": "x" for number in range(17)}},
    ],
)
def test_records_hold_rules(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        entry(0, **changes)
