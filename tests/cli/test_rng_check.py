# SPDX-License-Identifier: Apache-2.0
"""`strongroom rng check`: the table, the verdict, the exit code, every source."""

import subprocess
import sys
from hashlib import shake_256
from pathlib import Path

import pytest

from tests.cli.line import Run

SAMPLE = 125_000


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Return a file with two sound samples."""
    file = tmp_path / "sound"
    file.write_bytes(shake_256(b"sound").digest(2 * SAMPLE))
    return file


def check(run: Run, *arguments: object) -> tuple[int, dict[str, object]]:
    done = run("rng", "check", "--jobs", 1, "--json", *arguments)
    return done.code, done.value


def test_a_sound_file_passes(run: Run, sound: Path) -> None:
    code, value = check(run, "--source", sound, "--samples", 2)
    assert code == 0
    assert value["verdict"] == "passed"
    assert value["grade"] == ""
    assert value["standards"] == ["GB/T 32915-2016", "GM/T 0005-2021"]
    rounds = value["rounds"]
    assert isinstance(rounds, list)
    assert [len(rows) for rows in rounds] == [27]
    assert {row["test"] for row in rounds[0]} >= {"poker", "discrete Fourier"}


def test_the_table_in_two_languages(run: Run, sound: Path) -> None:
    line = ("rng", "check", "--jobs", 1, "--samples", 2, "--source", sound)
    english, chinese = run(*line), run("--lang", "zh", *line)
    assert english.code == chinese.code == 0
    assert "Linear complexity" in english.out
    for said in (english.out, chinese.out):
        assert "GB/T 32915-2016" in " ".join(said.split())
    assert ("合格" in chinese.out, "合格" in english.out) == (True, False)
    assert "That says nothing of entropy." in english.out
    assert "线性复杂度" in chinese.out
    assert "complexity" not in chinese.out


def test_a_broken_file_fails_with_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(2 * SAMPLE))
    code, value = check(run, "--source", tmp_path / "zeros", "--samples", 1)
    assert code == 1
    assert value["verdict"] == "failed"
    assert len(value["failed"]) == 27  # type: ignore[arg-type]
    assert len(value["rounds"]) == 2  # type: ignore[arg-type]
    shown = run("rng", "check", "--source", tmp_path / "zeros", "--samples", 2)
    assert shown.code == 1
    assert "the source has no bits for a second one" in shown.out


def test_standard_input() -> None:
    line = [sys.executable, "-m", "strongroom", "rng", "check", "--source", "-"]
    done = subprocess.run(
        [*line, "--samples", "1", "--jobs", "1"],
        input=bytes(SAMPLE),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"stdin" in done.stdout


@pytest.mark.parametrize(("source", "grade"), [("kernel", "OS"), ("strongroom", "SIM")])
def test_generators_of_this_machine_are_graded(
    run: Run, source: str, grade: str
) -> None:
    """Whether they pass is chance, once in many runs; what they are is not."""
    code, value = check(run, "--source", source, "--samples", 1)
    assert (value["source"], value["grade"]) == (source, grade)
    assert (code == 0) == (value["verdict"] == "passed")


def test_too_little_and_too_much_is_refused(run: Run, sound: Path) -> None:
    code, value = check(run, "--source", sound, "--samples", 3)
    assert code == 3
    assert value["error"] == "malformed"
    assert check(run, "--source", sound.with_name("none"))[0] == 5
    assert check(run, "--full", "--samples", 3)[0] == 2
    assert check(run, "--bits", 1_000_001)[0] == 2
    assert check(run, "--bits", 999_992)[0] == 2
    assert check(run, "--bits", 100_000_000)[0] == 2
