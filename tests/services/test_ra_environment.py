# SPDX-License-Identifier: Apache-2.0
"""The verifier's judgement by itself: what each submodule says, and what it leaves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from strongroom.cli.cases import read_case
from strongroom.core.codec import cbor
from strongroom.core.rats import Evidence, HardwareClaims, HardwareEvidence, Tcb, Trust
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.ear import Ear, evidence_digest
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Finding, Malformed
from strongroom.services.attestation.environment import appraise_environment
from strongroom.services.attestation.request import (
    EnvironmentPolicy,
    VerificationRequest,
)
from strongroom.services.attestation.subjects import (
    document_subject,
    evidence_subject,
)
from strongroom.services.attestation.submodules import (
    Basis,
    expected_bound,
    of_hardware,
)
from tests.hardware.sev_snp import forge as snp
from tests.services.ra_world import NONCE, NOW, World, world_in

BASIS = Basis("default", "intl:00", "verifier")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("environment"), "intl") as made:
        yield made


def report(nonce: bytes = NONCE, **changes: object) -> bytes:
    """Return forged SNP evidence whose report data are the nonce and zeros."""
    body = replace(snp.MILAN.body, patch={0x50: nonce.ljust(64, b"\0")}, **changes)  # type: ignore[arg-type]
    return snp.MILAN.with_(body=body).evidence().to_bytes()


def judge(world: World, evidence: dict[str, bytes], **changes: object) -> Ear:
    policy = replace(world.environment, **changes)  # type: ignore[arg-type]
    endorsements = {
        "sev-snp": snp.MILAN.trust(),
        "simulated": Trust(world.store.endorsements("simulated")),
    }
    request = VerificationRequest("default", NONCE, evidence)
    return appraise_environment(
        request,
        policy,
        lambda kind, _: endorsements[kind],
        suite_id="intl",
        now=NOW,
    )


def rules(ear: Ear, name: str = "cpu") -> list[str]:
    return [finding.rule for finding in ear.submodules[name].findings]


def test_a_result_is_about_these_bytes_for_this_long(world: World) -> None:
    evidence = {"cpu": report()}
    ear = judge(world, evidence)
    assert ear.evidence_digest == evidence_digest("intl", evidence)
    assert (ear.issued_at, ear.expires_at) == (NOW, NOW + 300)
    assert (ear.nonce, ear.status) == (NONCE, "affirming")
    cpu = ear.submodules["cpu"]
    assert cpu.attester.bound == NONCE.ljust(64, b"\0").hex()
    assert cpu.attester.device == snp.CHIP.hex()
    assert cpu.vector.runtime_opaque == 2
    assert cpu.verifier.not_proven


def test_names_are_bound_too(world: World) -> None:
    one, two = judge(world, {"cpu": report()}), judge(world, {"gpu": report()})
    assert one.evidence_digest != two.evidence_digest
    assert one.submodules["cpu"].policy_id == two.submodules["gpu"].policy_id
    other = judge(world, {"cpu": report()}, validity_s=60)
    assert other.submodules["cpu"].policy_id != one.submodules["cpu"].policy_id


def test_cpu_and_gpu_answer_one_challenge_in_one_result(shared: Path) -> None:
    """A forged SNP report beside a real H100's, both under the GPU case's nonce."""
    case = read_case(shared / "evidence" / "nvidia-gpu" / "h100-nvtrust")
    nonce = case.bound or b""
    trust = {"sev-snp": snp.MILAN.trust(), "nvidia-gpu": Trust(case.endorsements)}
    policy = EnvironmentPolicy(
        owner="verifier",
        required=("cpu", "gpu"),
        platform=None,
        hardware=(HardwarePolicy.default("verifier", tuple(trust)),),
        validity_s=300,
    )

    def judged(**evidence: bytes) -> Ear:
        return appraise_environment(
            VerificationRequest("default", nonce, evidence),
            policy,
            lambda kind, _: trust[kind],
            suite_id="intl",
            now=case.time,
        )

    gpu = case.evidence.to_bytes()
    ear = judged(cpu=report(nonce), gpu=gpu)
    assert {name: each.status for name, each in ear.submodules.items()} == {
        "cpu": "affirming",
        "gpu": "affirming",
    }
    assert ear.submodules["gpu"].attester.bound == nonce.hex()
    other = judged(cpu=report(b"the challenge of another day"), gpu=gpu)
    assert rules(other) == ["sev-snp.report_data"]
    assert (other.status, rules(other, "gpu")) == ("contraindicated", [])
    assert rules(judged(cpu=report(nonce)), "gpu") == ["environment.required"]


def test_the_challenge_is_told_first(world: World) -> None:
    ear = judge(world, {"cpu": report(b"old nonce", policy=0x80000 | 0x30000)})
    assert rules(ear)[0] == "sev-snp.report_data"
    assert "sev-snp.debug" in rules(ear)
    assert ear.submodules["cpu"].vector.configuration == 96


def test_one_bad_submodule_does_not_hide_the_others(world: World) -> None:
    alone = Evidence("simulated", world.platform.platform(NONCE), b"").to_bytes()
    cut = HardwareEvidence("sev-snp", {"report": b"cut"}).to_bytes()
    ear = judge(world, {"cpu": cut, "platform": alone})
    assert ear.status == "contraindicated"
    assert ear.submodules["cpu"].vector.instance_identity == 99
    assert ear.submodules["cpu"].attester.measurements == {}
    assert rules(ear, "platform") == []


def test_only_what_the_policy_names(world: World) -> None:
    alone = Evidence("simulated", world.platform.platform(NONCE), b"").to_bytes()
    no_platform = judge(world, {"platform": alone}, platform=None)
    assert rules(no_platform, "platform") == ["environment.kind"]
    no_hardware = judge(world, {"cpu": report()}, hardware=())
    assert rules(no_hardware) == ["environment.kind"]
    missing = judge(world, {"cpu": report()}, required=("cpu", "gpu"))
    assert rules(missing) == []
    assert rules(missing, "gpu") == ["environment.required"]


@given(data=st.binary(max_size=100))
def test_what_is_no_evidence_is_malformed(world: World, data: bytes) -> None:
    with pytest.raises(Malformed):
        judge(world, {"cpu": data})
    with pytest.raises(Malformed):
        judge(world, {"cpu": cbor.encode({"type": data.hex()})})


def test_requests_and_policies_that_are_none(world: World) -> None:
    for evidence in ({}, {"": b"x"}, {str(n): b"x" for n in range(33)}):
        with pytest.raises(Malformed):
            VerificationRequest("default", NONCE, evidence)
    with pytest.raises(Malformed):
        VerificationRequest("default", NONCE, {"cpu": b"x"}, {"gpu": b"y"})
    platform = world.environment.platform
    assert platform is not None
    with_apps = replace(platform, apps=world.application.apps)
    for change in (
        {"owner": ""},
        {"platform": None, "hardware": ()},
        {"platform": with_apps},
        {"validity_s": 0},
    ):
        with pytest.raises(Malformed):
            replace(world.environment, **change)
    data = world.environment.to_bytes()
    assert EnvironmentPolicy.from_bytes(data) == world.environment


def claims(**changes: object) -> HardwareClaims:
    given: dict[str, object] = {
        "kind": "tdx",
        "format": "quote",
        "device": b"d",
        "bound": bytes(64),
        "bound_as": "report_data",
        "debug": False,
        "measurements": {"mr_td": b"m"},
        "fields": {},
        "proof": vouch(),
    }
    return HardwareClaims(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "claim", "value"),
    [
        ("debug", "configuration", 96),
        ("tcb_out_of_date", "hardware", 96),
        ("tcb_revoked", "hardware", 96),
        ("measurement.mr_td", "executables", 33),
    ],
)
def test_what_a_finding_does_to_the_vector(reason: str, claim: str, value: int) -> None:
    finding = Finding(f"tdx.{reason}", "verifier", "a", "b", "c")
    made = of_hardware(claims(), [finding], BASIS, derived=False)
    assert getattr(made.vector, claim) == value
    assert made.status == "contraindicated"


def test_a_tcb_with_advisories_warns() -> None:
    tcb = Tcb("SWHardeningNeeded", ("INTEL-SA-1",), None)
    made = of_hardware(claims(tcb=tcb), [], BASIS, derived=False)
    assert (made.vector.hardware, made.status) == (32, "warning")
    assert made.verifier.advisories == ("INTEL-SA-1",)
    current = claims(tcb=Tcb("UpToDate", (), None))
    assert of_hardware(current, [], BASIS, derived=True).status == "affirming"


def test_a_result_says_what_the_policy_leaves_open(world: World) -> None:
    policy = HardwarePolicy.default("verifier", ("sev-snp",))
    texts = policy.unchecked_for("sev-snp")
    assert texts
    ear = judge(world, {"cpu": report()}, hardware=(policy,))
    assert ear.submodules["cpu"].verifier.unchecked == texts
    derived = of_hardware(claims(), [], BASIS, unchecked=texts, derived=True)
    assert derived.verifier.unchecked[:-1] == texts
    assert derived.verifier.unchecked[-1].startswith("nonce: ")


def test_what_an_attester_binds_for_a_nonce() -> None:
    assert expected_bound(claims(), b"n" * 32) == b"n" * 32 + bytes(32)
    gpu = claims(bound=b"n" * 32, bound_as="nonce")
    assert expected_bound(gpu, b"n" * 32) == b"n" * 32
    assert expected_bound(gpu, b"n" * 16) == b"n" * 16


def test_subjects_of_evidence_and_documents_meet() -> None:
    milan = snp.MILAN.evidence()
    chip = evidence_subject(milan)
    assert chip == document_subject("vcek", snp.MILAN.leaf.certificate())
    assert evidence_subject(snp.VLEK.evidence()) == "", "the chip is masked"
    fmspc = b'{"tcbInfo": {"fmspc": "00606A000000"}}'
    assert document_subject("tcb_info", fmspc) == "fmspc:00606a000000"
    assert document_subject("crl", b"anything") == ""


@given(data=st.binary(max_size=60))
def test_subjects_are_read_from_anything(data: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n" + data
    kinds = ("tdx", "sgx", "sev-snp", "nitro", "az-tdx-vtpm", "ra-tls")
    roles = ("quote", "report", "td_quote", "certificate")
    for kind in kinds:
        for quote in (data, pem, pem + b"\n-----END CERTIFICATE-----"):
            parts = dict.fromkeys(roles, quote)
            assert evidence_subject(HardwareEvidence(kind, parts)) in ("", _chip(quote))
    assert evidence_subject(HardwareEvidence("tdx", {})) == ""


def _chip(data: bytes) -> str:
    return f"chip:{data[0x1A0:0x1E0].hex()}"
