# SPDX-License-Identifier: Apache-2.0
"""`strongroom endorsements` and `strongroom verifier`, as far as no network goes."""

import json
import time
from pathlib import Path

from strongroom.core.codec.keys import PublicKey
from strongroom.core.rats import Evidence
from strongroom.node.verifier_folder import VerifierFolder
from strongroom.services.attestation.request import VerificationRequest
from tests.cli.line import Done, Run
from tests.hardware.pki import Authority
from tests.management.test_endorsements import tcb_info
from tests.services.ra_world import NONCE, NOW, World, world_in


def roots(folder: Path) -> Path:
    """Write a root and a TCB info that has ended into a folder of documents."""
    folder.mkdir()
    end = 4_000_000_000
    (folder / "trust_anchor.der").write_bytes(
        Authority("r", not_after=end).certificate.der
    )
    (folder / "tcb_info.json").write_bytes(tcb_info(issued=NOW, days=1))
    return folder


def rows(text: str) -> list[dict[str, object]]:
    found = json.loads(text)["documents"]
    assert isinstance(found, list)
    return found


def test_import_list_prune_export(run: Run, party: Run, tmp_path: Path) -> None:
    folder = roots(tmp_path / "docs")
    line = ("--json", "endorsements", "import", folder, "--kind", "tdx")
    done = run(*line)
    assert done.code == 4
    assert "endorsement.anchor" in done.out
    assert len(rows(run(*line, "--anchors").out)) == 2
    listed = rows(run("--json", "endorsements", "list").out)
    assert {row["role"]: row["expired"] for row in listed} == {
        "trust_anchor": False,
        "tcb_info": True,
    }
    assert "expired" in run("endorsements", "list").out
    assert run("--json", "endorsements", "list", "--kind", "sgx").value == {
        "documents": []
    }
    whole = tmp_path / "whole"
    assert party("endorsements", "export", whole, "--sign").code == 0
    gone = rows(run("--json", "endorsements", "prune").out)
    assert [row["role"] for row in gone] == ["tcb_info"]
    party("identity", "export", tmp_path / "alice")
    there = ("--store", tmp_path / "there", "--bundle")
    take = ("--json", "endorsements", "import", whole, *there)
    assert run(*take).code == 4, "signed, and nobody says by whom"
    assert rows(run(*take, "--signer", tmp_path / "alice").out)[0]["role"] == "tcb_info"
    anchor = rows(run(*take, "--signer", tmp_path / "alice", "--anchors").out)
    digest = anchor[0]["digest"]
    at = ("--store", tmp_path / "there")
    assert run("endorsements", "remove", digest, *at).code == 0
    assert run("endorsements", "remove", digest, *at).code == 5


def test_refresh_is_off_until_a_file_says_otherwise(run: Run, tmp_path: Path) -> None:
    done = run("--json", "endorsements", "refresh", "--store", tmp_path / "s")
    assert done.code == 9
    assert "fetching is off" in done.out
    sources = tmp_path / "sources.toml"
    sources.write_text(
        'enabled = true\n[[document]]\nurl = "http://127.0.0.1:1/x"\n'
        'role = "crl"\nkinds = ["tdx"]\n'
    )
    done = run("--json", "endorsements", "refresh", "--sources", sources)
    assert done.code == 1
    assert rows(done.out)[0]["outcome"] == "failed"


def token_of(world: World, file: Path, nonce: bytes = NONCE) -> Path:
    """Have the world's service judge its platform; write result and evidence."""
    alone = Evidence("simulated", world.platform.platform(nonce), b"").to_bytes()
    with world.service() as service:
        request = VerificationRequest("default", NONCE, {"platform": alone})
        token, _ = service.verify(request)
    file.write_bytes(token)
    file.with_suffix(".evidence").write_bytes(alone)
    return file


def test_a_result_is_read_offline(run: Run, tmp_path: Path) -> None:
    with world_in(tmp_path / "w", "intl", int(time.time())) as world:
        token = token_of(world, tmp_path / "token")
        bad = token_of(world, tmp_path / "bad", b"another nonce")
        world.now -= 301
        old = token_of(world, tmp_path / "old")
    public = tmp_path / "w" / "verifier" / "public"

    def read(file: Path, *more: object) -> Done:
        return run("--json", "verifier", "read", file, "--service", public, *more)

    evidence = ("--evidence", f"platform={token.with_suffix('.evidence')}")
    done = read(token, *evidence, "--nonce", NONCE.hex())
    assert (done.code, done.value["status"]) == (0, "warning")
    assert run("verifier", "read", token, "--service", public).code == 0
    assert read(token, "--nonce", "no hex").code == 2
    other = ("--evidence", f"platform={bad.with_suffix('.evidence')}")
    for refused, rule in (
        (read(bad), "platform.nonce"),
        (read(old), "ear.expired"),
        (read(token, *other), "ear.evidence"),
        (read(token, "--nonce", "00" * 32), "ear.nonce"),
    ):
        assert refused.code == 4
        assert rule in refused.out


def test_setting_a_service_up(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "verifier"
    line = ("--json", "verifier", "init", folder, "--no-passphrase")
    assert run(*line).code == 3, "neither a room nor a kind"
    accept = ("--accept", "tdx", "--accept", "nvidia-gpu", "--require", "gpu")
    assert run(*line, *accept, "--validity", "10m").code == 0
    assert run(*line, *accept).code == 6
    policy = VerifierFolder(folder).policies()["default"]
    assert (policy.validity_s, policy.required, policy.platform) == (
        600,
        ("gpu",),
        None,
    )
    assert policy.for_hardware("tdx") is policy.for_hardware("nvidia-gpu")
    assert policy.for_hardware("sgx") is None
    shown = run("--json", "verifier", "show", folder).value
    assert shown["id"] == VerifierFolder(folder).public.id
    assert PublicKey.of(VerifierFolder(folder).public.verifying).suite == "intl"
    assert run("verifier", "show", tmp_path / "none").code == 5
