# SPDX-License-Identifier: Apache-2.0
"""Intel quotes beside an independent verifier: dcap-qvl must come to the same."""

import os
from pathlib import Path

import pytest

from benchmarks.intel_quotes import peer
from strongroom.cli.cases import Case, find_cases, read_case
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.errors import StrongroomError
from strongroom.services.attestation.hardware import verify_hardware

SHARED = Path(__file__).parents[4] / "shared" / "evidence"
if not SHARED.is_dir() and "CI" not in os.environ:
    pytest.skip(
        f"NOT RUN: real Intel quotes beside dcap-qvl; {SHARED} is absent",
        allow_module_level=True,
    )
FOLDERS = [folder for tee in ("sgx", "tdx") for folder in find_cases(SHARED / tee)]
IDS = [f"{folder.parent.name}/{folder.name}" for folder in FOLDERS]


def ours(case: Case) -> HardwareClaims | None:
    """Return what the quote alone says, or None where we refuse it."""
    quote = HardwareEvidence(case.tee, {"quote": case.evidence.part("quote")})
    try:
        return verify_hardware(quote, Trust(case.endorsements), now=case.time)
    except StrongroomError:
        return None


def theirs(case: Case) -> tuple[str, set[str]] | None:
    """Return status and advisories as dcap-qvl finds them, or None."""
    try:
        return peer(case)()
    except ValueError:
        return None


@pytest.mark.parametrize("folder", FOLDERS, ids=IDS)
def test_status_and_advisories_are_those_of_dcap_qvl(folder: Path) -> None:
    case = read_case(folder)
    if "tcb_info" not in case.endorsements.collateral:
        assert ours(case) is None
        return
    mine, other = ours(case), theirs(case)
    if mine is None:
        assert other is None
        return
    assert mine.tcb is not None
    if mine.debug or mine.tcb.status == "Revoked":
        assert other is None  # it refuses these itself; we leave them to appraisal
        return
    assert (mine.tcb.status, set(mine.tcb.advisories)) == other
