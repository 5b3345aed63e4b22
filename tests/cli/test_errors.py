# SPDX-License-Identifier: Apache-2.0
"""Every way a command can end: exit codes, and what people and programs are told."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import strongroom.errors
from strongroom.cli import words
from strongroom.cli.errors import show_error, show_fault
from strongroom.cli.output import Facts, Grid, Line, Printer, clean
from strongroom.cli.views import duration, iso, moment, size
from strongroom.errors import Finding, Malformed, Refused, StrongroomError
from tests.cli.line import Run

FINDING = Finding(
    "usage.purpose", "hospital-a", "research", "[red]sales[/]\x1b[2J", "Ask."
)


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    words.use("en")
    yield
    words.use("en")


def test_a_refusal_names_rule_owner_expected_got_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = Refused("no", [FINDING, Finding("b", "insurer", "x", "y", "z")])
    show_error(Printer(as_json=False), error)
    said = capsys.readouterr()
    assert not said.out
    for text in (
        "Refused",
        "usage.purpose",
        "hospital-a",
        "research",
        "Ask.",
        "insurer",
    ):
        assert text in said.err
    assert "[red]sales[/]" in said.err, "not markup"
    assert "\x1b[2J" not in said.err, "no control of the terminal"
    words.use("zh")
    show_error(Printer(as_json=False), error)
    said = capsys.readouterr()
    for text in ("被拒绝", "规则", "谁的规则", "应为", "实为", "怎么办", "hospital-a"):
        assert text in said.err


def test_a_refusal_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(Printer(as_json=True), Refused("no", [FINDING]))
    said = json.loads(capsys.readouterr().out)
    assert said["error"] == "refused"
    assert said["findings"][0]["owner"] == "hospital-a"


def test_every_error_has_a_title(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in vars(strongroom.errors).values():
        if isinstance(kind, type) and issubclass(kind, StrongroomError):
            show_error(Printer(as_json=False), kind("what happened"))
            assert "what happened" in capsys.readouterr().err


def test_a_fault_shows_no_content(capsys: pytest.CaptureFixture[str]) -> None:
    show_fault(Printer(as_json=False), ValueError("a secret"))
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "--trace" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["data", "show", "nothing.sealed"], 5),
        (["data", "show", "."], 9),
        (["data", "show", "plain.txt"], 3),
        (["data", "seal", "nothing.csv"], 5),
        (["data", "register", "plain.txt", "--max-uses", "0"], 2),
        (["data", "register", "plain.txt", "--max-uses", "1"], 2),
        (["data", "unseal", "plain.txt"], 2),
        (["identity", "show"], 5),
        (["room", "show"], 5),
        (["room", "verify"], 5),
        (["room", "join", "nothing"], 5),
        (["room", "join", "plain.txt"], 3),
        (["room", "join", "http://127.0.0.1:9"], 8),
        (["app", "inspect", "plain.txt"], 3),
        (["app", "try", "."], 5),
        (["app", "new", "."], 6),
        (["agreement", "list"], 5),
        (["task", "status", "0"], 5),
        (["task", "run", "0", "--entry-point", "e", "--value", "x"], 2),
        (["task", "run", "0", "--entry-point", "e", "--value", "x=y"], 2),
        (["receipt", "verify", "plain.txt"], 3),
        (["attest", "explain", "plain.txt"], 3),
        (["audit", "verify", ".", "--key", "a+b"], 3),
        (["audit", "query", "--since", "yesterday"], 3),
        (["no-such"], 2),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else str(each),
)
def test_exit_codes(run: Run, tmp_path: Path, line: list[str], code: int) -> None:
    (tmp_path / "plain.txt").write_text("just text")
    done = run("--json", *line)
    assert done.code == code, done
    assert set(done.value) == {"error", "message", "findings"}
    shown = run(*line)
    assert (shown.code, shown.out) == (code, "")
    assert shown.err


def test_durations_and_moments() -> None:
    assert [duration(text) for text in ("90s", "2h", "30d")] == [90, 7200, 2_592_000]
    assert moment("1970-01-02", 0) == 86_400
    assert moment("1970-01-01T01:00:00+01:00", 0) == 0
    assert moment("1d", 100_000) == 186_400
    assert moment("1d", 100_000, past=True) == 13_600
    for text in ("soon", "30", "d", ""):
        with pytest.raises(Malformed):
            moment(text, 0)


def test_how_things_are_written() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert [size(n) for n in (0, 1023, 1 << 20, 1536)] == [
        "0 B",
        "1023 B",
        "1 MiB",
        "1.5 KiB",
    ]
    assert clean("a\x1b[31m\u202eb\nc") == "a\ufffd[31m\ufffdb\nc"


def test_printer_shows_people_and_programs_different_things(
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = (Facts("Room", [("id", "x")]), Grid("Files", ("path",), []), Line("end"))
    Printer(as_json=False).show({"id": b"\1"}, *blocks)
    said = capsys.readouterr().out
    assert "Files: none" in said
    Printer(as_json=True).show({"id": b"\1"}, *blocks)
    assert capsys.readouterr().out == '{"id": "01"}\n'
    with Printer(as_json=True).progress("Sealing", 10) as tell:
        tell(5)
    assert capsys.readouterr() == ("", "")
