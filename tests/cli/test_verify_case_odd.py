# SPDX-License-Identifier: Apache-2.0
"""Odd trees of cases: a line for each, whatever is in it, and none stops another."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.line import Done, Run
from tests.cli.test_verify_case import write_case

NAMES = {"case", "tee", "verdict", "reason", "fields", "findings"}


@dataclass(frozen=True)
class Tree:
    """A folder with one good case and one that a test breaks."""

    top: Path

    @property
    def odd(self) -> Path:
        return self.top / "kind" / "odd"

    def change(self, **changes: object) -> None:
        """Change fields of the odd case; None takes one away."""
        file = self.odd / "case.json"
        case = json.loads(file.read_text()) | changes
        kept = {name: value for name, value in case.items() if value is not None}
        file.write_text(json.dumps(kept))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return a good case and one to be broken, both expected to be valid."""
    made = Tree(tmp_path / "tree")
    write_case(made.top / "kind" / "good", expected="valid")
    write_case(made.odd, expected="valid")
    return made


def rows(done: Done) -> dict[str, dict[str, object]]:
    """Return the line of each case by its name."""
    found = [json.loads(line) for line in done.out.splitlines()]
    assert all(set(row) >= NAMES for row in found)
    return {row["case"]: row for row in found}


def finding(row: dict[str, object]) -> dict[str, str]:
    """Return the one finding of a row, which must say all that a finding says."""
    findings = row["findings"]
    assert isinstance(findings, list)
    (found,) = findings
    assert all(found.values())
    return dict(found)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    "text", ["{", "[1]", "", "null", "[" * 100_000, '{"case": "odd", "tee": "sev-snp"}']
)
def test_a_broken_case_is_invalid_unexpected_and_stops_nothing(
    run: Run, tree: Tree, text: str, jobs: int
) -> None:
    (tree.odd / "case.json").write_text(text)
    done = run("attest", "verify-case", tree.top, "--jobs", jobs)
    found = rows(done)
    assert (done.code, done.err) == (1, "")
    assert found["good"]["verdict"] == "valid"
    assert found["odd"]["verdict"] == "invalid"
    assert found["odd"]["reason"] == "format"
    assert found["odd"]["as_expected"] is False
    assert "not a case" in finding(found["odd"])["got"]


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("trust_anchor.0", "sev-snp.missing_endorsement.trust_anchor"),
        ("report.bin", "sev-snp.format.report"),
    ],
)
@pytest.mark.parametrize("expected", ["valid", "invalid"])
def test_a_file_that_is_not_there_is_named(
    run: Run, tree: Tree, file: str, rule: str, expected: str
) -> None:
    (tree.odd / file).unlink()
    tree.change(expected={"verdict": expected})
    done = run("attest", "verify-case", tree.top)
    row = rows(done)["odd"]
    assert done.code == (expected == "valid")
    assert row["reason"] == rule.split(".")[1]
    assert finding(row)["rule"] == rule
    assert file in finding(row)["expected"]


def test_a_file_that_cannot_be_read_is_no_traceback(run: Run, tree: Tree) -> None:
    (tree.odd / "trust_anchor.0").unlink()
    (tree.odd / "trust_anchor.0").mkdir()
    done = run("attest", "verify-case", tree.top)
    assert (done.code, done.err) == (1, "")
    assert "directory" in finding(rows(done)["odd"])["got"]


@pytest.mark.parametrize(
    "changes",
    [
        {"tee": "riscv-cove"},
        {"inputs": {"report_data": "zz"}},
        {"inputs": {"report_data": None}},
        {"inputs": {"colour": "00"}},
        {"inputs": {"report_data": "00", "nonce": "00"}},
        {"verification_time": "2025-13-01T00:00:00Z"},
        {"endorsements": {"trust_anchor": "../good/x.pem"}},
        {"evidence": {"report": "/etc/hostname"}},
        {"verification_time": None},
    ],
    ids=repr,
)
def test_what_a_case_may_not_say_is_a_finding(
    run: Run, tree: Tree, changes: dict[str, object]
) -> None:
    tree.change(**changes)
    done = run("attest", "verify-case", tree.top)
    row = rows(done)["odd"]
    assert (done.code, done.err) == (1, "")
    assert (row["verdict"], row["reason"]) == ("invalid", "format")
    assert finding(row)


@pytest.mark.parametrize(
    "changes",
    [
        {"expected": None},
        {"colour": {"blue": [1]}, "expected": {}},
        {"inputs": {}},
        {"evidence": {"report": "report.bin", "signature_format": "x" * 5000}},
        {"verification_time": "2025-06-15T15:06:40"},
        {"verification_time": "2025-06-15T23:06:40.5+08:00"},
    ],
    ids=repr,
)
def test_what_a_case_may_leave_out_or_add_changes_nothing(
    run: Run, tree: Tree, changes: dict[str, object]
) -> None:
    tree.change(**changes)
    done = run("attest", "verify-case", tree.top)
    assert (done.code, done.err) == (0, "")
    assert rows(done)["odd"]["verdict"] == "valid"


def test_the_verdict_counts_and_another_reason_does_not(run: Run, tree: Tree) -> None:
    expected = {"verdict": "invalid", "reason": "tcb_revoked"}
    tree.change(inputs={"nonce": "00"}, expected=expected)
    done = run("attest", "verify-case", tree.top)
    assert (done.code, rows(done)["odd"]["reason"]) == (0, "report_data")


def test_folders_behind_links_are_found_and_each_only_once(
    run: Run, tree: Tree, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "tree").symlink_to(tree.top)
    (tree.top / "loop").symlink_to(tree.top)
    done = run("attest", "verify-case", links)
    assert (done.code, len(done.out.splitlines())) == (0, 2)


def test_a_folder_and_its_case_file_are_the_same_case(run: Run, tree: Tree) -> None:
    by_folder = run("attest", "verify-case", tree.odd)
    by_file = run("attest", "verify-case", tree.odd / "case.json")
    assert (by_file.code, by_file.out) == (0, by_folder.out)


def test_a_folder_without_a_case_is_an_error_and_stops_nothing(
    run: Run, tree: Tree, tmp_path: Path
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("no case")
    empty, absent = tmp_path / "empty", tmp_path / "absent"
    empty.mkdir()
    for other in (readme, empty, absent):
        done = run("attest", "verify-case", other, tree.top)
        assert (done.code, len(done.out.splitlines())) == (5, 2)
        assert other.name in done.err
    alone = run("attest", "verify-case", empty, absent)
    assert (alone.code, alone.out) == (5, "")
    assert "empty" in alone.err
    assert "absent" in alone.err


def test_an_unexpected_verdict_is_exit_code_one_whatever_else_is_wrong(
    run: Run, tree: Tree, tmp_path: Path
) -> None:
    shutil.rmtree(tree.odd)
    write_case(tree.odd, expected="valid", altered=True)
    assert run("attest", "verify-case", tmp_path / "absent", tree.top).code == 1


def test_lines_are_the_same_in_every_language(run: Run, tree: Tree) -> None:
    tree.change(inputs={"report_data": "00"})
    english = run("attest", "verify-case", tree.top)
    chinese = run("--lang", "zh", "attest", "verify-case", tree.top)
    assert (chinese.code, chinese.out) == (1, english.out)
