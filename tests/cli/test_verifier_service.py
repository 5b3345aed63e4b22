# SPDX-License-Identifier: Apache-2.0
"""A service under rules and reference values, asked about case folders."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from strongroom.node.attestation_app import create_attestation_app
from strongroom.node.verifier_folder import VerifierFolder
from tests.cli.line import Done, Run
from tests.hardware.arm_cca.forge import CHALLENGE, VALID, Forge, key, pem
from tests.integration.loopback import serving

SET = "values.signed"
OTHER = b"\x6b" * 64
RIM = "22" * 32
POLICY = """
owner = "bank"
kinds = ["arm-cca"]
reference_signers = ["{signer}"]
[[rule]]
id = "image"
claim = "measurements.rim"
reference = "image"
"""


def case(folder: Path, forge: Forge = VALID) -> Path:
    """Write a token as a case, and return its folder."""
    folder.mkdir()
    (folder / "token.cbor").write_bytes(forge.token())
    (folder / "key.pem").write_bytes(pem(key("cpak")))
    value = {
        "case": folder.name,
        "tee": "arm-cca",
        "evidence": {"token": "token.cbor"},
        "endorsements": {"trusted_platform_key": "key.pem"},
        "verification_time": "2026-01-01T00:00:00Z",
    }
    (folder / "case.json").write_text(json.dumps(value))
    return folder


@pytest.fixture
def folder(party: Run, tmp_path: Path) -> Path:
    """Return a service that knows the key of the forge and accepts its kind."""
    made = tmp_path / "verifier"
    init = ("verifier", "init", made, "--no-passphrase", "--accept", "arm-cca")
    assert party(*init).code == 0
    take = ("endorsements", "import", "--anchors", "--store", made / "endorsements")
    assert party(*take, case(tmp_path / "first")).code == 0
    return made


@contextmanager
def served(folder: Path) -> Iterator[tuple[object, ...]]:
    """Yield the beginning of a command line that asks the service."""
    place = VerifierFolder(folder)
    with (
        place.open(b"", lambda: int(time.time())) as service,
        serving(create_attestation_app(service)) as url,
    ):
        yield ("verifier", "ask", "--url", url, "--service", folder / "public")


def rules(done: Done) -> list[str]:
    findings = done.value["findings"]
    assert isinstance(findings, list)
    return [each["rule"] for each in findings]


def statuses(done: Done) -> dict[str, str]:
    parts = done.value["submodules"]
    assert isinstance(parts, dict)
    return {name: each["status"] for name, each in parts.items()}


def executables(token: Path) -> int:
    """Return the claim of a result about what runs (AR4SI section 2.3.4)."""
    body = token.read_bytes().split(b".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + b"=="))
    vector = claims["submods"]["cpu"]["ear_trustworthiness_vector"]
    return int(vector["executables"])


@pytest.mark.parametrize(("form", "first"), [("jwt", b"e"), ("cwt", b"\xd2")])
def test_a_case_folder_is_judged_in_either_form(
    party: Run, folder: Path, tmp_path: Path, form: str, first: bytes
) -> None:
    given = ("--evidence", f"cpu={tmp_path / 'first'}", "--nonce", CHALLENGE.hex())
    with served(folder) as ask:
        done = party("--json", *ask, *given, "--form", form, "--save", "result")
    assert (done.code, done.value["status"]) == (0, "affirming")
    assert (tmp_path / "result").read_bytes()[:1] == first
    read = ("verifier", "read", "result", "--service", folder / "public")
    assert party(*read, *given).code == 0
    case(tmp_path / "second", VALID.but(realm={10: OTHER}))
    other = ("--evidence", f"cpu={tmp_path / 'second'}")
    assert rules(party("--json", *read, *other)) == ["ear.evidence"]


def test_a_refusal_says_which_part_is_meant(
    party: Run, folder: Path, tmp_path: Path
) -> None:
    case(tmp_path / "second", VALID.but(realm={10: OTHER}))
    given = ("--evidence", f"cpu0={tmp_path / 'first'}", "--nonce", CHALLENGE.hex())
    both = (*given, "--evidence", f"cpu1={tmp_path / 'second'}")
    with served(folder) as ask:
        done = party("--json", *ask, *both)
        text = party(*ask, *both)
        bound = party("--json", *ask, *both, "--bound", f"cpu1={OTHER.hex()}")
    assert (done.code, rules(done)) == (4, ["arm-cca.nonce"])
    assert done.value["error"] == "refused"
    assert statuses(done) == {"cpu0": "affirming", "cpu1": "contraindicated"}
    assert text.code == 4
    panel = text.out.rpartition("cpu1")[2]
    assert "arm-cca.nonce" in panel
    assert statuses(bound) == {"cpu0": "affirming", "cpu1": "affirming"}


def test_reference_values_count_at_a_service_until_they_are_withdrawn(
    party: Run, folder: Path, tmp_path: Path
) -> None:
    named = ("--name", "image", "--claim", "measurements.rim", "--value", RIM)
    add = ("attest", "reference", "add", SET, *named, "--provider", "builder")
    signer = party("--json", *add, "--artefact", "image 1").value["signer"]
    (tmp_path / "policy.toml").write_text(POLICY.format(signer=signer))
    old = tmp_path / "old.signed"
    old.write_bytes((tmp_path / SET).read_bytes())
    change = ("--json", "verifier", "policy", folder, "--reference", SET)
    assert party(*change, "--hardware", "policy.toml").code == 0
    given = ("--evidence", f"cpu={tmp_path / 'first'}", "--nonce", CHALLENGE.hex())
    with served(folder) as ask:
        assert party(*ask, *given, "--save", "result").code == 0
    assert executables(tmp_path / "result") == 2
    withdraw = ("attest", "reference", "withdraw", SET, "--name", "image")
    assert party(*withdraw, "--value", RIM, "--reason", "CVE-2026-1").code == 0
    kept = VerifierFolder(folder).policies()
    assert party(*change).value == {"references": [{"owner": "alice", "version": 2}]}
    assert VerifierFolder(folder).policies() == kept
    rollback = party("--json", "verifier", "policy", folder, "--reference", old)
    assert (rollback.code, rules(rollback)) == (4, ["reference.rollback"])
    with served(folder) as ask:
        done = party("--json", *ask, *given)
    assert (done.code, rules(done)) == (4, ["arm-cca.measurement.image"])
    assert "CVE-2026-1" in str(done.value["findings"])
    journal = (folder / "log" / "journal").read_bytes()
    assert [f"{str(signer)[:16]}:{n}".encode() in journal for n in (1, 2, 3)] == [
        True,
        True,
        False,
    ]


def test_a_rule_of_the_policy_is_one_of_the_service(
    party: Run, folder: Path, tmp_path: Path
) -> None:
    policy = POLICY.format(signer="ab" * 32).replace("reference =", "is =")
    (tmp_path / "policy.toml").write_text(policy)
    change = ("verifier", "policy", folder, "--name", "strict", "--validity", "1m")
    assert party(*change, "--hardware", "policy.toml").code == 0
    given = ("--evidence", f"cpu={tmp_path / 'first'}", "--nonce", CHALLENGE.hex())
    with served(folder) as ask:
        strict = party("--json", *ask, *given, "--policy", "strict", "--save", "bad")
        assert party("--json", *ask, *given, "--save", "open").code == 0
    assert executables(tmp_path / "bad") == 33
    assert executables(tmp_path / "open") == 0, "nobody said what may run"
    assert (strict.code, rules(strict)) == (4, ["arm-cca.measurement.image"])
    twice = ("--hardware", "policy.toml", "--accept", "arm-cca")
    assert party(*change, *twice).code == 3
    assert party(*change).code == 3, "no kind at all"
    absent = tmp_path / "absent"
    assert party("verifier", "policy", absent, "--accept", "arm-cca").code == 5


def test_an_altered_set_of_reference_values_starts_nothing(
    party: Run, folder: Path, tmp_path: Path
) -> None:
    named = ("--name", "image", "--claim", "measurements.rim", "--value", RIM)
    add = ("attest", "reference", "add", SET, *named, "--provider", "builder")
    assert party(*add, "--artefact", "image 1").code == 0
    assert party("verifier", "policy", folder, "--reference", SET).code == 0
    (file,) = (folder / "references").iterdir()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert party("verifier", "serve", folder, "--port", "1").code in (3, 4)
    (tmp_path / "broken").write_bytes(data)
    change = ("verifier", "policy", folder, "--reference", "broken")
    assert party(*change).code in (3, 4)


def test_what_ask_cannot_be_asked_is_wrong_usage(
    party: Run, folder: Path, tmp_path: Path
) -> None:
    ask = ("verifier", "ask", "--url", "http://127.0.0.1:1", "--service")
    evidence = ("--evidence", f"cpu={tmp_path / 'first'}")
    nonce = ("--nonce", CHALLENGE.hex())
    for wrong in (
        evidence,
        nonce,
        (*evidence, *evidence, *nonce),
        (*evidence, "--nonce", "no hex"),
        (*evidence, *nonce, "--bound", "cpu=no hex"),
    ):
        assert party(*ask, folder / "public", *wrong).code == 2
    assert party(*ask, folder / "public", *evidence, *nonce).code == 8
