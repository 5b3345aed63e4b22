# SPDX-License-Identifier: Apache-2.0
"""A party at a command line: a home of its own, and what it printed."""

from pathlib import Path

import pytest

from strongroom.cli import main, words
from tests.cli.line import Done, Run


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Return a function that runs a command line in this test's own home."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        words.use("en")
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return invoke


@pytest.fixture
def party(run: Run) -> Run:
    """Return `run` for a party that has an identity."""
    made = run("identity", "create", "alice", "--suite", "intl", "--no-passphrase")
    assert made.code == 0
    return run
