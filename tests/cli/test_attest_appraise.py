# SPDX-License-Identifier: Apache-2.0
"""`attest appraise`, `explain` and `diff` over hardware evidence, at a command line."""

import json
from pathlib import Path

import pytest

from strongroom.core.rats import HardwareEvidence
from tests.cli.hardware import (
    MEASUREMENT,
    NONCE,
    TIME,
    endorsements,
    evidence,
    policy,
)
from tests.cli.line import Done, Run

RIGHT, WRONG = f'is = "{MEASUREMENT}"', 'is = "00"\nremedy = "Ask the bank."'


@pytest.fixture(autouse=True)
def wide(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No digest is broken in two."""
    del run
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    """Return what every appraisal is given: evidence and the option with its trust."""
    given = evidence(tmp_path), Path("--endorsements"), endorsements(tmp_path)
    return (*given, Path("--time"), Path(TIME))


def findings(done: Done) -> list[str]:
    found = done.value["findings"]
    assert isinstance(found, list)
    return [each["rule"] for each in found]


def test_accepted(run: Run, tmp_path: Path, files: tuple[Path, ...]) -> None:
    rules = policy(tmp_path, RIGHT)
    line = ("attest", "appraise", *files, "--policy", rules, "--nonce", NONCE)
    done = run("--json", *line)
    assert done.code == 0
    assert (done.value["accepted"], done.value["unchecked"]) == (True, [])
    assert done.value["not_proven"]
    decisions = done.value["decisions"]
    assert isinstance(decisions, list)
    assert decisions[0]["holds"] is True
    shown = run(*line)
    for text in ("accepts", "sev-snp.measurement.image", "Not proven", "holds"):
        assert text in shown.out


def test_refused_with_everything_that_is_wrong(
    run: Run, tmp_path: Path, files: tuple[Path, ...]
) -> None:
    evidence(tmp_path, policy=0x30000 | 1 << 19)
    rules = policy(tmp_path, WRONG)
    line = ("attest", "appraise", *files, "--policy", rules, "--nonce", "00")
    done = run("--json", *line)
    assert (done.code, done.value["error"]) == (4, "refused")
    assert findings(done) == [
        "sev-snp.debug",
        "sev-snp.measurement.image",
        "sev-snp.report_data",
    ]
    shown = run(*line)
    assert shown.code == 4
    for text in ("whose rule", "bank", "expected", MEASUREMENT, "Ask the bank."):
        assert text in shown.err


def test_dry_run_shows_every_rule_and_ends_as_the_appraisal_would(
    run: Run, tmp_path: Path, files: tuple[Path, ...]
) -> None:
    line = ("attest", "appraise", *files, "--dry-run", "--policy")
    refused = run("--json", *line, policy(tmp_path, WRONG))
    assert (refused.code, refused.value["accepted"]) == (4, False)
    assert findings(refused) == ["sev-snp.measurement.image"]
    decisions = refused.value["decisions"]
    assert isinstance(decisions, list)
    assert (decisions[0]["got"], decisions[0]["holds"]) == (MEASUREMENT, False)
    assert any("nonce" in str(each) for each in _texts(refused, "unchecked"))
    shown = run(*line, policy(tmp_path, WRONG))
    assert "does not hold" in shown.out
    assert "Ask the bank." in shown.out
    assert run(*line, policy(tmp_path, RIGHT)).code == 0
    assert "拒绝" in run("--lang", "zh", *line, policy(tmp_path, WRONG)).out


def test_dry_run_of_what_does_not_verify(
    run: Run, tmp_path: Path, files: tuple[Path, ...]
) -> None:
    late = (*files[:4], Path("2036-01-01T00:00:00Z"))
    line = ("attest", "appraise", *late, "--dry-run", "--policy")
    done = run("--json", *line, policy(tmp_path, RIGHT))
    assert (done.code, done.value["not_decided"]) == (4, ["image"])
    assert all(".expired." in each for each in findings(done))
    assert "no rule" in run(*line, policy(tmp_path, RIGHT)).out


def test_without_endorsements_nothing_is_judged(run: Run, tmp_path: Path) -> None:
    rules = policy(tmp_path, RIGHT)
    done = run("--json", "attest", "appraise", evidence(tmp_path), "--policy", rules)
    assert (done.code, done.value["error"]) == (9, "misconfigured")
    dry = run("attest", "appraise", evidence(tmp_path), "--policy", rules, "--dry-run")
    assert dry.code == 9


@pytest.mark.parametrize("option", ["--nonce=xy", "--time=yesterday"])
def test_an_option_that_means_nothing(
    run: Run, tmp_path: Path, files: tuple[Path, ...], option: str
) -> None:
    rules = policy(tmp_path, RIGHT)
    assert run("attest", "appraise", *files, "--policy", rules, option).code == 2


def test_explain_says_verified_and_what_is_not_proven(
    run: Run, files: tuple[Path, ...]
) -> None:
    done = run("--json", "attest", "explain", *files)
    assert done.value["verified"] is True
    assert done.value["verified_at"] == TIME
    measurements = done.value["measurements"]
    assert isinstance(measurements, dict)
    assert measurements["measurement"] == MEASUREMENT
    assert done.value["not_proven"]
    shown = run("attest", "explain", *files)
    assert "VERIFIED as at" in shown.out
    assert "UNVERIFIED" not in shown.out
    for text in ("measurement: 7777", "It proves", "Not proven"):
        assert text in shown.out


def test_explain_without_endorsements_shows_no_claim(run: Run, tmp_path: Path) -> None:
    file = evidence(tmp_path)
    done = run("--json", "attest", "explain", file)
    assert done.value["verified"] is False
    assert "measurements" not in done.value
    shown = run("attest", "explain", file)
    assert "UNVERIFIED" in shown.out
    assert "77" * 8 not in shown.out
    assert "未验证" in run("--lang=zh", "attest", "explain", file).out


def test_explain_of_what_does_not_verify(
    run: Run, tmp_path: Path, files: tuple[Path, ...]
) -> None:
    damaged = bytearray(files[0].read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    assert run("attest", "explain", tmp_path / "damaged", *files[1:]).code in (3, 4)


def test_diff_of_evidence(run: Run, tmp_path: Path, files: tuple[Path, ...]) -> None:
    other = evidence(tmp_path, "other", measurement=b"\x78" * 48)
    same = run("attest", "diff", files[0], *files)
    assert (same.code, "no difference" in same.out) == (0, True)
    done = run("--json", "attest", "diff", other, *files)
    assert (done.code, done.value["verified"], done.value["same"]) == (1, True, False)
    differences = {each["path"]: each for each in _rows(done, "differences")}
    assert differences["measurements.measurement"]["change"] == "changed"
    assert differences["measurements.measurement"]["right"] == MEASUREMENT
    assert not any(str(path).startswith("svns") for path in differences)
    bytes_only = run("--json", "attest", "diff", other, files[0])
    assert (bytes_only.code, bytes_only.value["verified"]) == (1, False)
    assert "UNVERIFIED" in run("attest", "diff", other, files[0]).out


def test_diff_of_policies(run: Run, tmp_path: Path) -> None:
    one = policy(tmp_path, RIGHT, name="one")
    other = policy(tmp_path, WRONG, name="other")
    assert run("attest", "diff", one, one).code == 0
    done = run("--json", "attest", "diff", one, other)
    assert done.code == 1
    found = {each["path"] for each in _rows(done, "differences")}
    assert found == {"rules.image.remedy", "rules.image.values.0"}
    assert run("attest", "diff", one, evidence(tmp_path)).code == 3


def test_a_case_brings_its_own_trust_time_and_nonce(
    run: Run, shared: Path, tmp_path: Path
) -> None:
    case = shared / "evidence" / "sev-snp" / "milan-v2-vcek-nonce"
    more = '[[not_checked]]\nclaim = "measurements"\nreason = "a test"'
    rules = policy(tmp_path, 'none_of = ["00"]', more)
    done = run("--json", "attest", "appraise", case, "--policy", rules)
    assert (done.code, done.value["error"]) == (4, "stale")
    assert findings(done) == ["sev-snp.report_data"]
    assert "VERIFIED" in run("attest", "explain", case).out


def test_explain_of_a_log_shows_it_by_register(run: Run, shared: Path) -> None:
    case = shared / "evidence" / "tpm2" / "gce-cos85-sha256"
    done = run("--json", "attest", "explain", case)
    events = done.value["events"]
    assert isinstance(events, dict)
    assert events["pcr.4"][0]["text"] == "Calling EFI Application from Boot Option"
    assert "EV_EFI_ACTION Calling EFI" in run("attest", "explain", case).out


def test_explain_shows_evidence_inside_with_what_it_leaves_open(
    run: Run, shared: Path
) -> None:
    case = shared / "evidence" / "az-snp-vtpm" / "milan-trustee-v1"
    shown = run("attest", "explain", case)
    assert "kind: sev-snp" in shown.out
    inner = _rows(run("--json", "attest", "explain", case), "inner")
    texts = inner[0]["not_proven"]
    assert isinstance(texts, list)
    assert texts
    assert all(str(text) in shown.out for text in texts)


def test_a_store_gives_the_endorsements(run: Run, shared: Path, tmp_path: Path) -> None:
    case = shared / "evidence" / "sev-snp" / "genoa-v5-vcek"
    assert run("endorsements", "import", case, "--store", "held", "--anchors").code == 0
    line = ("attest", "explain", case, "--endorsements")
    assert run("--json", *line, "held").value["verified"] is True
    (tmp_path / "empty").mkdir()
    assert run(*line, "empty").code in (4, 5)


def test_a_kind_that_nobody_knows_proves_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "odd"
    file.write_bytes(HardwareEvidence("odd", {"x": b"y"}).to_bytes())
    done = run("--json", "attest", "explain", file)
    assert (done.code, done.value["known_kind"]) == (0, False)
    assert "nothing that this version knows of" in run("attest", "explain", file).out


def _rows(done: Done, name: str) -> list[dict[str, object]]:
    found = done.value[name]
    assert isinstance(found, list)
    return found


def _texts(done: Done, name: str) -> list[str]:
    return [json.dumps(each) for each in _rows(done, name)]
