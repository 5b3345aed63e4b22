# SPDX-License-Identifier: Apache-2.0
"""What needs no room: identities, sealed files, apps, the trusted list."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.line import Run

COLUMN = 'column="age"'


def test_identity(party: Run, tmp_path: Path) -> None:
    shown = party("--json", "identity", "show").value
    assert (shown["name"], shown["suite"]) == ("alice", "intl")
    exported = party("identity", "export", "alice.identity", "--json").value
    assert exported["id"] == shown["id"]
    assert (tmp_path / "alice.identity").is_file()
    assert str(shown["id"]) in party("identity", "show").out
    again = party("--json", "identity", "create", "bob", "--no-passphrase")
    assert (again.code, again.value["error"]) == (6, "conflict")


def test_passphrase_file(run: Run, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    made = run(
        "--passphrase-file", right, "identity", "create", "alice", "--suite", "sm"
    )
    assert made.code == 0
    run("app", "new", "mean")
    assert run("--passphrase-file", right, "app", "build", "mean").code == 0
    refused = run("--json", "--passphrase-file", wrong, "app", "build", "mean")
    assert refused.code == 4
    findings = refused.value["findings"]
    assert isinstance(findings, list)
    assert findings[0]["rule"] == "keystore.passphrase"


def test_passphrase_is_typed_without_echo(run: Run, tmp_path: Path) -> None:
    """On a terminal of its own, a process asks twice and shows nothing of it."""
    del run
    parent, child = pty.openpty()
    line = [sys.executable, "-m", "strongroom", "identity", "create", "alice"]
    with subprocess.Popen(
        [shutil.which("setsid") or "setsid", "--ctty", *line],
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(child)
        said = b""
        for asked in (b"Passphrase:", b"again:"):
            while asked not in said:
                said += os.read(parent, 1024)
            os.write(parent, b"open sesame\n")
        assert process.stdout is not None
        assert b"alice" in process.stdout.read()
        assert process.wait() == 0
    assert b"sesame" not in said
    assert not (tmp_path / "home" / "no-passphrase").exists()


def test_no_terminal_no_passphrase(run: Run) -> None:
    line = [sys.executable, "-m", "strongroom", "--json", "identity", "create", "bob"]
    done = subprocess.run(
        line,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    del run
    assert done.returncode == 9
    assert b"--passphrase-file" in done.stdout


def test_seal_and_unseal(party: Run, tmp_path: Path) -> None:
    plain = tmp_path / "records.csv"
    plain.write_text("name,age\nAda,36\n")
    sealed = party("--json", "data", "seal", plain, "--name", "our records").value
    assert (sealed["name"], sealed["columns"]) == ("our records", ["name", "age"])
    file = tmp_path / "records.csv.sealed"
    shown = party("--json", "data", "show", file).value
    assert shown["dataset"] == sealed["dataset"]
    assert b"Ada" not in file.read_bytes()
    assert party("data", "unseal", file).code == 6, "the plain file is there already"
    assert party("data", "unseal", file, "-o", "again.csv").code == 0
    assert (tmp_path / "again.csv").read_bytes() == plain.read_bytes()


def test_tampered_file_is_refused(party: Run, tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text("name,age\nAda,36\n")
    party("data", "seal", "records.csv")
    file = tmp_path / "records.csv.sealed"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    refused = party("--json", "data", "unseal", file, "-o", "again.csv")
    assert (refused.code, refused.value["error"]) == (4, "tampered")
    english = party("data", "unseal", file, "-o", "a2.csv").err
    chinese = party("--lang", "zh", "data", "unseal", file, "-o", "a3.csv").err
    for text in ("tampered with", "whose rule", "what to do", "floe."):
        assert text in english
    for text in ("遭到篡改", "谁的规则", "怎么办", "floe."):
        assert text in chinese


def test_new_app_runs(party: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    assert party("app", "new", "mean").code == 0
    line = ("app", "try", "mean", "--input", "records=mean/.try.csv", "--value", COLUMN)
    done = party("--json", *line).value
    assert done["result"] == '{"mean": 55.5, "rows": 6}'
    assert "55.5" in party(*line).out
    few = tmp_path / "few.csv"
    few.write_text("name,age\nAda,36\n")
    refused = party(
        "--json", "app", "try", "mean", "--input", f"records={few}", "--value", COLUMN
    )
    assert refused.code == 4
    assert "output.min-group" in refused.out


def test_app_try_shows_the_error(party: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    party("app", "new", "mean")
    (tmp_path / "mean" / "mean.py").write_text(
        "def mean(records, column):\n    1 / 0\n"
    )
    line = ("app", "try", "mean", "--input", "records=mean/.try.csv", "--value", COLUMN)
    done = party(*line)
    assert done.code == 10
    assert "ZeroDivisionError" in done.err
    assert 'mean.py", line 2' in done.err


def test_one_measurement_in_two_folders(party: Run, tmp_path: Path) -> None:
    party("app", "new", "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "mean.py").touch()
    found = {
        party("--json", "app", "build", name).value["measurement"]
        for name in ("one", "two")
    }
    assert len(found) == 1
    inspected = party("--json", "app", "inspect", "one.bundle").value
    assert {inspected["measurement"]} == found
    assert "mean.py" in party("app", "inspect", "two.bundle").out
    with (tmp_path / "two" / "mean.py").open("a") as file:
        file.write("# one line more\n")
    other = party("--json", "app", "build", "two", "-o", "other.bundle").value
    assert {other["measurement"]} != found


def test_encrypted_app(party: Run, tmp_path: Path) -> None:
    party("app", "new", "mean")
    secret = party("--json", "app", "build", "mean", "--encrypt").value
    assert secret["encrypted"] is True
    assert b"def mean" not in (tmp_path / "mean.bundle").read_bytes()
    assert (tmp_path / "home" / "keys" / str(secret["measurement"])).is_file()
    missing = party("--json", "app", "register", "mean.bundle")
    assert missing.code == 2
    assert "--max-uses" in str(missing.value["message"])


def test_trusted_list(party: Run, tmp_path: Path) -> None:
    party("identity", "export", "alice.identity")
    other = ("--home", tmp_path / "bob")
    party(*other, "identity", "create", "bob", "--no-passphrase")
    party(*other, "identity", "export", "bob.identity")
    added = party(
        "--json",
        "trusted-list",
        "add",
        "bob.identity",
        "--role",
        "data",
        "--role",
        "result",
    ).value
    assert added["version"] == 2
    members = added["members"]
    assert isinstance(members, list)
    assert [m["name"] for m in members] == ["alice", "bob"]
    assert members[1]["roles"] == ["data", "result"]
    assert "bob" in party("trusted-list", "show").out
    assert party("trusted-list", "remove", "bob", "--json").value["version"] == 3
    assert party("trusted-list", "remove", "bob").code == 5
    assert party("trusted-list", "add", "bob.identity", "--role", "king").code == 2
