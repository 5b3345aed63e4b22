# SPDX-License-Identifier: Apache-2.0
"""Conformance: the shared attestation cases, each with its expected verdict.

The cases are real evidence of twelve kinds and lie beside the repository. Without them
the tests of each kind's own forge still run; this module says that it did not.
"""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.mutate import mutate
from strongroom.cli.cases import Case, find_cases, read_case, run_case
from strongroom.core.rats import Trust
from strongroom.errors import Untrusted
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.expectations import expected_fields, expected_reason

SHARED = Path(__file__).parents[3] / "shared" / "evidence"
if not SHARED.is_dir() and "CI" not in os.environ:
    pytest.skip(
        f"NOT RUN: conformance over real evidence of twelve kinds; {SHARED} is absent",
        allow_module_level=True,
    )
FOLDERS = list(find_cases(SHARED)) if SHARED.is_dir() else []
IDS = [f"{folder.parent.name}/{folder.name}" for folder in FOLDERS]
EVERY, MOST = 97, 200
"""One byte in so many is mutated here, and of long logs about `MOST` in all;
`python -m fuzz.mutate` changes every byte."""

each_case = pytest.mark.parametrize("folder", FOLDERS, ids=IDS)


def _valid(folders: list[Path]) -> list[Path]:
    return [folder for folder in folders if read_case(folder).expected == "valid"]


def test_every_kind_has_cases(shared: Path) -> None:
    counted = Counter(
        read_case(folder).tee for folder in find_cases(shared / "evidence")
    )
    assert len(counted) == 12
    assert counted.total() >= 105


@each_case
def test_verdict_and_reason_are_as_expected(folder: Path) -> None:
    case = read_case(folder)
    result = run_case(case)
    assert result.verdict == case.expected, result.findings
    assert result.reason in expected_reason(folder), result.findings
    for finding in result.findings:
        assert finding.rule
        assert finding.owner
        assert finding.expected
        assert finding.got
        assert finding.remedy


@each_case
def test_fields_of_authentic_evidence_are_those_of_the_case(folder: Path) -> None:
    wanted = expected_fields(folder)
    fields = run_case(read_case(folder)).fields
    if fields:
        assert {name: fields.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("folder", _valid(FOLDERS), ids=lambda each: each.name)
def test_a_remembered_trust_gives_the_same_claims(folder: Path) -> None:
    case = read_case(folder)
    fresh = _claims(case, Trust(case.endorsements, remember=False))
    trust = Trust(case.endorsements)
    assert [_claims(case, trust) for _ in range(2)] == [fresh, fresh]


@pytest.mark.parametrize("folder", _valid(FOLDERS), ids=lambda each: each.name)
def test_no_changed_byte_is_believed(folder: Path) -> None:
    case = read_case(folder)
    size = sum(map(len, case.evidence.parts.values()))
    row = mutate(case, max(EVERY, size // MOST))
    assert row["mutations"]
    assert row["believed"] == []


def _claims(case: Case, trust: Trust) -> object:
    return verify_hardware(case.evidence, trust, now=case.time)


@pytest.mark.parametrize("folder", _valid(FOLDERS), ids=str)
def test_whichever_key_it_stands_on_is_revoked_the_case_is_refused(
    folder: Path,
) -> None:
    case, used = read_case(folder), set[bytes]()

    class Watched(frozenset[bytes]):
        def __contains__(self, key_id: object) -> bool:
            if isinstance(key_id, bytes):
                used.add(key_id)
            return super().__contains__(key_id)

        def __bool__(self) -> bool:
            return True

    def trust(*revoked: bytes) -> Trust:
        made = replace(case.endorsements)
        object.__setattr__(made, "revoked", Watched(revoked))
        return Trust(made)

    verify_hardware(case.evidence, trust(), now=case.time)
    assert used
    for key_id in used:
        with pytest.raises(Untrusted) as refusal:
            verify_hardware(case.evidence, trust(key_id), now=case.time)
        assert ".revoked" in refusal.value.findings[0].rule
