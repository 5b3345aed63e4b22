# SPDX-License-Identifier: Apache-2.0
"""The report of Azure's paravisor, and the runtime data in it."""

import json

import pytest

from strongroom.errors import Malformed, Refused
from strongroom.hardware.tcg.hcl import SNP, HclReport, RuntimeData
from tests.hardware.tcg.paravisor import AK, USER_DATA, Paravisor, jwk

PARAVISOR = Paravisor()
HARDWARE = b"\x03" * 1184
WHOLE = PARAVISOR.report(HARDWARE)


def test_a_report_has_the_hardwares_report_and_runtime_data() -> None:
    report = HclReport.parse(WHOLE)

    assert report.hardware_report == HARDWARE
    assert report.runtime_data == PARAVISOR.runtime_data()
    assert (report.version, report.report_type, report.hash_type) == (1, SNP, 1)
    assert HclReport.parse(PARAVISOR.with_(versions=(2, 1)).report(HARDWARE)).version


def test_runtime_data_name_the_key_and_what_the_guest_wrote() -> None:
    runtime = RuntimeData.parse(PARAVISOR.runtime_data())

    assert runtime.attestation_key.spki == AK.spki
    assert runtime.fields() == {
        "hcl_user_data": USER_DATA.hex(),
        "vm_configuration": {"secure-boot": True, "vmUniqueId": "1"},
        "runtime_data_sha256": PARAVISOR.report_data()[:32].hex(),
    }


@pytest.mark.parametrize("hash_type", [1, 2, 3])
def test_hardware_binds_runtime_data_by_their_digest(hash_type: int) -> None:
    paravisor = PARAVISOR.with_(hash_type=hash_type)
    report = HclReport.parse(paravisor.report(HARDWARE))

    report.check_binding("az-snp-vtpm", paravisor.report_data())
    for other in (PARAVISOR.with_(json=b"{}").report_data(), bytes(64), b""):
        with pytest.raises(Refused, match=r"az-snp-vtpm\.binding\.runtime_data"):
            report.check_binding("az-snp-vtpm", other)


@pytest.mark.parametrize("cut", [*range(0, 1236, 7), 1235, 1236, len(WHOLE) - 301])
def test_a_report_that_is_cut_is_refused(cut: int) -> None:
    with pytest.raises(Malformed):
        HclReport.parse(WHOLE[:cut])


@pytest.mark.parametrize(
    "paravisor",
    [
        PARAVISOR.with_(magic=b"HCLB"),
        PARAVISOR.with_(versions=(0, 1)),
        PARAVISOR.with_(versions=(3, 1)),
        PARAVISOR.with_(versions=(1, 9)),
        PARAVISOR.with_(hash_type=0),
        PARAVISOR.with_(hash_type=4),
        PARAVISOR.with_(sizes=(1, 0, 0)),
        PARAVISOR.with_(sizes=(0, 1, 0)),
        PARAVISOR.with_(sizes=(0, 0, 1000)),
        PARAVISOR.with_(sizes=(0, 0, -1)),
        PARAVISOR.with_(padding=b"\0\1"),
        PARAVISOR.with_(padding=bytes(70_000)),
        PARAVISOR.with_(json=bytes(40_000)),
    ],
)
def test_other_layouts_are_refused(paravisor: Paravisor) -> None:
    with pytest.raises(Malformed):
        HclReport.parse(paravisor.report(HARDWARE))


@pytest.mark.parametrize(
    "claims",
    [
        {"keys": []},
        {"keys": None},
        {"keys": [1]},
        {"keys": [jwk(AK), jwk(AK)]},
        {"keys": [jwk(AK, kid="HCLEkPub")]},
        {"keys": [jwk(AK, kty="EC")]},
        {"keys": [jwk(AK, n=1)]},
        {"keys": [jwk(AK, n="\u00e4")]},
        {"keys": [jwk(AK, n="AQ==")]},
        {"keys": [jwk(AK, n="AQAB")]},
        {"user-data": "none"},
        {"user-data": 1},
        {"vm-configuration": []},
    ],
    ids=[
        "no keys",
        "no list",
        "no objects",
        "two of them",
        "another key",
        "another type",
        "a number",
        "no ASCII",
        "padding",
        "a short key",
        "no hex",
        "no text",
        "no object",
    ],
)
def test_runtime_data_without_one_key_are_refused(claims: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        RuntimeData.parse(PARAVISOR.with_(claims=claims).runtime_data())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"\xff", b'{"a": 1, "a": 2}', b'{"a": .5}']
)
def test_other_json_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        RuntimeData.parse(data)


def test_a_guest_need_not_have_written_anything() -> None:
    claims = json.loads(PARAVISOR.runtime_data())
    del claims["user-data"], claims["vm-configuration"]

    assert RuntimeData.parse(json.dumps(claims).encode()).user_data == b""
