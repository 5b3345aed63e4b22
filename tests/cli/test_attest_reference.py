# SPDX-License-Identifier: Apache-2.0
"""`attest reference` from approval to withdrawal, and `attest measure`."""

from pathlib import Path

import pytest

from tests.cli.hardware import MEASUREMENT, TIME, endorsements, evidence, policy
from tests.cli.line import Done, Run
from tests.services.pe_builder import Pe

NAMED = ("--name", "image", "--claim", "measurements.measurement")
FROM = ("--provider", "builder", "--artefact", "image 1")
SET = "values.signed"


@pytest.fixture(autouse=True)
def wide(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No digest is broken in two."""
    del run
    monkeypatch.setenv("COLUMNS", "400")


def add(run: Run, *more: object) -> Done:
    return run("--json", "attest", "reference", "add", SET, *NAMED, *FROM, *more)


def rows(done: Done) -> list[dict[str, object]]:
    found = done.value["values"]
    assert isinstance(found, list)
    return found


def states(run: Run) -> list[object]:
    listed = run("--json", "attest", "reference", "list", SET)
    return [each["state"] for each in rows(listed)]


def appraise(run: Run, tmp_path: Path, signer: object) -> Done:
    more = f'reference_signers = ["{signer}"]'
    rules = policy(tmp_path, 'reference = "image"', more)
    line = ["--json", "attest", "appraise", evidence(tmp_path), "--policy", rules]
    line += ["--endorsements", endorsements(tmp_path), "--time", TIME]
    return run(*line, "--reference", SET)


def test_a_value_from_approval_to_withdrawal(party: Run, tmp_path: Path) -> None:
    made = add(party, "--value", MEASUREMENT, "--from", "2025-01-01")
    assert made.code == 0
    signer = made.value["signer"]
    assert (made.value["owner"], made.value["version"]) == ("alice", 1)
    assert rows(made)[0]["approved_by"] == signer
    assert appraise(party, tmp_path, signer).code == 0
    stranger = appraise(party, tmp_path, "ab" * 32)
    assert stranger.code == 4
    newer = ("attest", "reference", "supersede", SET, *NAMED, *FROM)
    done = party("--json", *newer, "--value", "bb", "--overlap", "14d")
    assert done.value["version"] == 2
    assert states(party) == ["valid", "valid"]
    assert rows(done)[0]["valid_until"] is not None
    assert appraise(party, tmp_path, signer).code == 0
    gone = ("attest", "reference", "withdraw", SET, "--name", "image")
    done = party("--json", *gone, "--value", MEASUREMENT, "--reason", "CVE-2026-1")
    assert done.value["version"] == 3
    assert states(party) == ["withdrawn", "valid"]
    refused = appraise(party, tmp_path, signer)
    assert refused.code == 4
    assert "CVE-2026-1" in str(refused.value["findings"])
    assert "withdrawn: CVE-2026-1" in party("attest", "reference", "list", SET).out
    assert add(party, "--value", MEASUREMENT).code == 6
    assert party(*gone, "--all", "--reason", "all of it").code == 0
    assert states(party) == ["withdrawn", "withdrawn"]


def test_life_at_another_time(party: Run) -> None:
    add(party, "--number", 5, "--from", "2030-01-01", "--until", "2031-01-01")
    assert states(party) == ["not yet valid"]
    listed = "--json", "attest", "reference", "list", SET, "--time"
    assert rows(party(*listed, "2030-06-01"))[0]["state"] == "valid"
    assert rows(party(*listed, "2031-06-01"))[0]["state"] == "expired"
    assert rows(party(*listed, "2031-06-01"))[0]["value"] == 5


@pytest.mark.parametrize(
    "options", [(), ("--value", "aa", "--number", "3"), ("--value", "xy")]
)
def test_one_value_and_in_hex(party: Run, options: tuple[str, ...]) -> None:
    assert add(party, *options).code == 2
    assert not Path(SET).exists()


def test_another_party_changes_nothing(party: Run, tmp_path: Path) -> None:
    add(party, "--value", MEASUREMENT)
    before = Path(SET).read_bytes()
    home = ("--home", tmp_path / "bob")
    party(*home, "identity", "create", "bob", "--suite", "sm", "--no-passphrase")
    line = ("attest", "reference", "withdraw", SET, "--name", "image", "--all")
    done = party("--json", *home, *line, "--reason", "no")
    assert (done.code, done.value["error"]) == (4, "untrusted")
    assert Path(SET).read_bytes() == before


def test_measure_a_unified_kernel_image(run: Run, tmp_path: Path) -> None:
    kernel = Pe({".text": b"kernel"}).build()
    (tmp_path / "uki").write_bytes(Pe({".linux": kernel}).build())
    (tmp_path / "shim").write_bytes(Pe({".text": b"shim"}).build())
    line = ("--json", "attest", "measure", "uki", "uki")
    done = run(*line)
    assert (done.code, done.value["bank"]) == (0, "sha256")
    plain = done.value["measurements"]
    assert isinstance(plain, dict)
    assert set(plain) == {"pcr.4", "pcr.11"}
    later = run(*line, "--phase", "ready").value
    assert later["phases"] == ["enter-initrd", "leave-initrd", "sysinit", "ready"]
    assert later["measurements"] != plain
    more = run(*line, "--before", "shim", "--inner-kernel").value["events"]
    assert isinstance(more, list)
    loaded = [each for each in more if each["event"].endswith("_APPLICATION")]
    assert len(loaded) == 3
    assert plain["pcr.11"] in run("attest", "measure", "uki", "uki").out
    assert run("attest", "measure", "uki", "shim").code == 3


def test_measure_a_bundle(party: Run) -> None:
    party("app", "new", "mean")
    built = party("--json", "app", "build", "mean").value
    done = party("--json", "attest", "measure", "bundle", "mean.bundle")
    assert done.value["measurement"] == built["measurement"]
    shown = party("attest", "measure", "bundle", "mean.bundle")
    assert str(built["measurement"]) in shown.out
