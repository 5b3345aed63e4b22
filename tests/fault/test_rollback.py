# SPDX-License-Identifier: Apache-2.0
"""A host that turns the broker's memory back is refused, in words."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.client import agreements
from strongroom.errors import StrongroomError, Unavailable
from tests.fault.rig import Rig


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rollback"), "intl") as made:
        yield made


def _refusal(rig: Rig) -> StrongroomError:
    """Return what a fresh session is told."""
    with pytest.raises(StrongroomError) as error:
        rig.again("insurer").verify_broker()
    return error.value


def test_an_old_copy_of_the_journal_is_stale(rig: Rig) -> None:
    management = rig.room_folder.management
    journal, kept = management / "broker.journal", management / "kept"
    shutil.copyfile(journal, kept)
    agreement = rig.agreement(rig.app_id, [rig.data])
    rig.stop("manage", 9)
    newest = journal.read_bytes()
    shutil.copyfile(kept, journal)
    rig.start("manage")
    error = _refusal(rig)
    assert error.code == "stale"
    assert [finding.rule for finding in error.findings] == ["journal.rollback"]
    assert "turned back" in error.message
    assert "newest copy" in error.message
    assert journal.read_bytes() == kept.read_bytes(), "a refused journal is left alone"
    journal.write_bytes(newest)
    state = rig.insist(lambda: agreements.show(rig.parties["insurer"], agreement)).state
    assert state == "active"


@pytest.mark.parametrize("change", ["cut", "flipped", "removed"])
def test_a_damaged_journal_is_stale(rig: Rig, change: str) -> None:
    journal = rig.room_folder.management / "broker.journal"
    rig.stop("manage", 9)
    newest = journal.read_bytes()
    damaged = {
        "cut": newest[:-1],
        "flipped": newest[:-9] + bytes([newest[-9] ^ 1]) + newest[-8:],
        "removed": b"",
    }
    journal.write_bytes(damaged[change])
    try:
        rig.start("manage")
        assert _refusal(rig).code == "stale"
    finally:
        journal.write_bytes(newest)
    assert rig.insist(rig.uses) == 0


def test_a_torn_write_behind_the_last_frame_is_cut(rig: Rig) -> None:
    journal = rig.room_folder.management / "broker.journal"
    rig.kill("manage", "enclave")
    with journal.open("ab") as file:
        file.write(b"\0\0\1\0torn")
    assert rig.insist(rig.uses) == 0
    assert b"torn" not in journal.read_bytes()


def test_a_device_without_its_counters_does_not_start(rig: Rig) -> None:
    counters = rig.room_folder.management / "device" / "counters"
    rig.stop("manage", 9)
    whole = counters.read_bytes()
    try:
        for change in (None, b"", bytes(len(whole))):
            counters.unlink(missing_ok=True)
            if change is not None:
                counters.write_bytes(change)
                counters.chmod(0o600)
            said = _does_not_start(rig)
            assert "counters" in said
            assert "Traceback" not in said
    finally:
        counters.write_bytes(whole)
        counters.chmod(0o600)
    rig.start("manage")
    assert rig.insist(rig.uses) == 0


def _does_not_start(rig: Rig) -> str:
    """Return what a management node says that ends at once."""
    command = (sys.executable, "-m", "strongroom", "--json", "node", "manage")
    done = subprocess.run(
        [*command, str(rig.room_folder.root), "--port", str(rig.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode
    return done.stdout + done.stderr


def test_a_wrong_device_leaves_the_journal_whole(rig: Rig, tmp_path: Path) -> None:
    """An operator's mistake, put right again: no frame may be gone."""
    management = rig.room_folder.management
    device, journal, kept = (
        management / "device",
        management / "broker.journal",
        tmp_path / "device",
    )
    rig.stop("manage", 9)
    newest = journal.read_bytes()
    shutil.copytree(device, kept)
    shutil.rmtree(device)
    shutil.copytree(rig.room_folder.compute() / "device", device)
    try:
        rig.start("manage")
        assert not isinstance(_refusal(rig), Unavailable)
        rig.stop("manage")
        assert journal.read_bytes() == newest
    finally:
        shutil.rmtree(device)
        shutil.copytree(kept, device)
        journal.write_bytes(newest)
