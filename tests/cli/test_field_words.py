# SPDX-License-Identifier: Apache-2.0
"""What people read of fields that programs have as numbers."""

from pathlib import Path

import pytest

from strongroom.cli.field_words import labelled, told
from tests.cli.line import Run
from tests.cli.test_verifier_service import case
from tests.hardware.arm_cca.forge import VALID, Forge


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("not_after", 0, "1970-01-01T00:00:00Z"),
        ("date", 253_402_300_799, "9999-12-31T23:59:59Z"),
        ("date", 253_402_300_800, "253402300800"),
        ("date", -1, "-1"),
        ("date", True, "True"),
        ("date", None, "None"),
        ("isv_svn", 7, "7"),
        ("key", b"\x01", "01"),
    ],
)
def test_moments_are_dates_and_the_rest_stays(
    name: str, value: object, text: str
) -> None:
    assert told(name, value) == text


def test_a_token_is_told_by_the_names_of_its_claims(run: Run, tmp_path: Path) -> None:
    folder = case(tmp_path / "case")
    shown = run("attest", "explain", folder).out
    for text in (
        "2395 (security lifecycle): 0x3003, secured",
        "44240 (hash algorithm of the public key): sha-256",
        "1 (type): BL2",
    ):
        assert text in shown
    fields = run("--json", "attest", "explain", folder).value["fields"]
    assert isinstance(fields, dict)
    assert fields["platform_claims"]["2395"] == 0x3003


@pytest.mark.parametrize(
    ("forge", "text"),
    [
        (VALID.but(platform={2395: 0x4001}), "0x4001, non-cca-platform-rot-debug"),
        (VALID.but(platform={999: ["odd"]}), "999"),
    ],
)
def test_what_has_no_name_keeps_its_number(
    run: Run, tmp_path: Path, forge: Forge, text: str
) -> None:
    assert text in run("attest", "explain", case(tmp_path / "case", forge)).out


@pytest.mark.parametrize("fields", [None, [], {"2395": 1}, {"claims": [1]}])
def test_other_fields_are_left_as_they_are(fields: object) -> None:
    assert labelled("tdx", fields) == fields
    assert labelled("arm-cca", fields) == fields
