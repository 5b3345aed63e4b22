# SPDX-License-Identifier: Apache-2.0
"""`strongroom app serve` and `call`: a person makes, serves, verifies and calls."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")
pytest.importorskip("uvicorn", reason="the extra `node` is not installed")

from tests.cli.line import Run

STOP_S = 30


class Serve(Protocol):
    """Serves the example with more options; returns the process and what it said."""

    def __call__(
        self, *options: str
    ) -> tuple["subprocess.Popen[bytes]", dict[str, str]]:
        """Start it."""


@pytest.fixture
def serve(party: Run, tmp_path: Path) -> Iterator[Serve]:
    """Return what builds the example and serves it, on the machine of a folder."""
    running: list[subprocess.Popen[bytes]] = []
    assert party("app", "new", "ledger", "--service").code == 0
    assert party("app", "build", "ledger").code == 0

    def start(
        *options: str,
    ) -> tuple["subprocess.Popen[bytes]", dict[str, str]]:
        line = [sys.executable, "-m", "strongroom", "--json", "app", "serve"]
        child = subprocess.Popen(
            [*line, "ledger.bundle", "--port", "0", *options], cwd=tmp_path, stdout=-1
        )
        running.append(child)
        assert child.stdout is not None
        ready = json.loads(child.stdout.readline())
        if ready.get("error") == "misconfigured":
            pytest.skip(ready["message"][:200])
        return child, ready

    yield start
    for each in running:
        each.terminate()
        each.communicate(timeout=STOP_S)


def test_what_is_served_is_verified_and_called(party: Run, serve: Serve) -> None:
    _, ready = serve()
    known = ["--service", ready["service"], "--administrator", ready["administrator"]]
    line = ["app", "call", ready["address"]]
    amount = ["deposit", "--value", 'account="alice"', "--value", "amount=5"]
    done = party("--json", *line, *amount, *known, "--allow", "simulated")
    assert done.value["answer"] == 5
    assert done.value["measurement"] == ready["measurement"]
    said = party(*line, "balance", "--data", '{"account": "alice"}', *known[:2])
    assert said.code == 4  # without --allow
    assert "platform.kind" in said.err
    again = party(*line, *amount, *known, "--allow", "simulated", "--identify")
    assert again.out.strip() == "10"
    assert "What was verified" in again.err
    alone = party("--json", *line, *known, "--allow", "simulated")
    assert alone.value["answer"] == ["balance", "deposit"]
    refuses_by_rule(party, ready)


def refuses_by_rule(party: Run, ready: dict[str, str]) -> None:
    """Try what does not hold."""
    known = ["--service", ready["service"], "--allow", "simulated"]
    line = ["--json", "app", "call", ready["address"]]

    def rule(*arguments: object) -> object:
        value = party(*line, *arguments).value
        findings = value["findings"]
        assert isinstance(findings, list)
        return findings[0]["rule"]

    assert rule("balance", *known, "--app", "00" * 48) == "app.measurement"
    stranger = ["--administrator", "00" * 32]
    assert rule("balance", *known, *stranger) == "service.administrator"
    nothing = '{"account": "a", "amount": 0}'
    assert rule("deposit", *known, "--data", nothing) == "ledger.amount"
    assert party(*line, "none", *known).value["error"] == "not-found"
    both = ["--data", "{}", "--value", "account=1"]
    assert party(*line, "balance", *known, *both).code == 2
    assert party(*line, "balance", *known, "--data", "[]").code == 2


def test_it_ends_cleanly_and_the_machine_keeps_what_it_has(
    party: Run, serve: Serve
) -> None:
    child, ready = serve()
    known = ["--service", ready["service"], "--allow", "simulated"]
    line = ["--json", "app", "call"]
    deposit = ["deposit", "--data", '{"account": "a", "amount": 7}']
    assert party(*line, ready["address"], *deposit, *known).value["answer"] == 7
    child.send_signal(signal.SIGTERM)
    assert child.wait(STOP_S) == 0
    assert party(*line, ready["address"], *deposit, *known).code == 8
    child, again = serve()
    assert again["administrator"] == ready["administrator"]
    assert party(*line, again["address"], *deposit, *known).value["answer"] == 14
    child.send_signal(signal.SIGINT)
    assert child.wait(STOP_S) == 0


def test_what_it_keeps_may_lie_in_a_database(
    party: Run, serve: Serve, tmp_path: Path
) -> None:
    """An older copy of the database is refused, and the refusal says so in words."""
    pytest.importorskip("sqlalchemy", reason="the extra `node` is not installed")
    database, yesterday = tmp_path / "kept.db", tmp_path / "yesterday.db"
    options = ("--store", f"sqlite:///{database}")
    deposit = ["deposit", "--data", '{"account": "planted", "amount": 7}']

    def run(*, refused: bool = False) -> object:
        child, ready = serve(*options)
        known = ["--service", ready["service"], "--allow", "simulated"]
        done = party("--json", "app", "call", ready["address"], *deposit, *known)
        child.send_signal(signal.SIGTERM)
        assert child.wait(STOP_S) == 0
        return done.value["findings"] if refused else done.value["answer"]

    assert run() == 7
    assert b"planted" not in database.read_bytes()
    assert not (tmp_path / "strongroom-app" / "objects").exists()
    yesterday.write_bytes(database.read_bytes())
    assert run() == 14
    database.write_bytes(yesterday.read_bytes())
    findings = run(refused=True)
    assert isinstance(findings, list)
    assert findings[0]["rule"] == "storage.rollback"
    assert "set back to an older copy" in findings[0]["got"]
    wrong = party("--json", "app", "serve", "ledger.bundle", "--store", "ftp://x")
    assert wrong.value["error"] == "malformed"
