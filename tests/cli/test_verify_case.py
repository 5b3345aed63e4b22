# SPDX-License-Identifier: Apache-2.0
"""Attestation cases at the command line: in order, whoever verifies them."""

import json
from pathlib import Path

import pytest

from tests.cli.line import Run
from tests.hardware.sev_snp import forge

NAMES = [f"case-{number}" for number in range(6)]


def write_case(folder: Path, *, expected: str, altered: bool = False) -> None:
    """Write forged SNP evidence as a case; altered evidence is invalid."""
    folder.mkdir(parents=True)
    report = bytearray(forge.MILAN.evidence().part("report"))
    report[0x90] ^= altered
    (folder / "report.bin").write_bytes(report)
    endorsements = forge.MILAN.trust().endorsements
    documents = {"trust_anchor": endorsements.roots, **endorsements.collateral}
    named: dict[str, list[str]] = {role: [] for role in documents}
    for role, each in documents.items():
        for number, data in enumerate(each):
            named[role].append(f"{role}.{number}")
            (folder / named[role][-1]).write_bytes(data)
    case = {
        "case": folder.name,
        "tee": "sev-snp",
        "evidence": {"report": "report.bin"},
        "endorsements": named,
        "verification_time": "2025-06-15T15:06:40Z",
        "expected": {"verdict": expected},
    }
    (folder / "case.json").write_text(json.dumps(case))


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Return a folder of six cases, valid and invalid by turns, all as expected."""
    for number, name in enumerate(NAMES):
        altered = bool(number % 2)
        expected = "invalid" if altered else "valid"
        write_case(tmp_path / "cases" / name, expected=expected, altered=altered)
    return tmp_path / "cases"


def test_many_processes_print_what_one_prints(run: Run, cases: Path) -> None:
    alone = run("attest", "verify-case", cases)
    together = run("attest", "verify-case", cases, "--jobs", "3")
    rows = [json.loads(line) for line in alone.out.splitlines()]
    assert [row["case"] for row in rows] == NAMES
    assert [row["verdict"] for row in rows] == ["valid", "invalid"] * 3
    assert (alone.code, together.code) == (0, 0)
    assert together.out == alone.out


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_unexpected_verdict_is_exit_code_one(
    run: Run, cases: Path, jobs: int
) -> None:
    write_case(cases / "case-9", expected="valid", altered=True)
    done = run("attest", "verify-case", cases, "--jobs", jobs)
    *_, last = done.out.splitlines()
    assert (done.code, json.loads(last)["as_expected"]) == (1, False)


def test_no_jobs_are_a_usage_error(run: Run, cases: Path) -> None:
    assert run("attest", "verify-case", cases, "--jobs", "0").code == 2
