# SPDX-License-Identifier: Apache-2.0
"""CSV reports: what holds is told as it is, and everything else is refused."""

import pytest

from strongroom.core.rats import Endorsements, HardwareClaims, HardwareEvidence, Trust
from strongroom.errors import Malformed, Refused, StrongroomError
from strongroom.hardware.hygon_csv.certificate import Certificate
from strongroom.hardware.hygon_csv.verify import verify
from tests.hardware.hygon_csv.forge import (
    ANONCE,
    CEK,
    HSK,
    MEASURE,
    OCA,
    PEK,
    REPORT_DATA,
    VALID,
    Forge,
    ca,
    chip,
    pair,
)

NOW = 1_750_000_000
EXTENDED = VALID.but(version=2)
_HSK_X_AT = 68


def run(forge: Forge) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), NOW)


def rule(forge: Forge) -> str:
    with pytest.raises(Refused) as refused:
        run(forge)
    return refused.value.findings[0].rule


def another_chip() -> bytes:
    other, hsk = pair("other"), pair("hsk")
    signed = ca(hsk, HSK, pair("hrk"))
    return signed + chip(other, CEK, 2, hsk.id(), (HSK, hsk))


@pytest.mark.parametrize("page", [True, False])
def test_a_report_says_what_the_guest_is(*, page: bool) -> None:
    claims = run(VALID.but(page=page))

    assert claims.bound == REPORT_DATA
    assert claims.bound_as == "report_data"
    assert claims.measurements == {"measure": MEASURE}
    assert not claims.debug
    assert len(claims.device) == 32
    assert any("anonce" in each for each in claims.not_proven)


def test_fields_are_without_the_xor() -> None:
    fields = run(VALID).fields

    assert fields["report_data"] == REPORT_DATA.hex()
    assert fields["anonce"] == ANONCE.hex()
    assert fields["policy"] == "01000000"
    assert (fields["sig_usage"], fields["sig_algo"]) == ("00001002", "00000004")
    assert fields["chip_serial"] == "NZA9TEST000001"


def test_a_policy_is_told_by_its_bits() -> None:
    bits = run(VALID.but(policy=0x0302_7541)).fields["policy_bits"]

    assert bits == {
        "nodbg": 1,
        "noks": 0,
        "es": 0,
        "nosend": 0,
        "domain": 0,
        "csv": 0,
        "csv3": 1,
        "asid_reuse": 0,
        "hsk_version": 5,
        "cek_version": 7,
        "api_major": 2,
        "api_minor": 3,
    }


def test_a_policy_that_allows_debugging_is_debug_enabled() -> None:
    assert run(VALID.but(policy=0x40)).debug


@pytest.mark.parametrize("page", [True, False])
def test_an_extended_report_has_rtmrs(*, page: bool) -> None:
    claims = run(EXTENDED.but(page=page))

    assert claims.measurements["rtmr4"] == b"\x84" * 32
    assert claims.fields["rtmr1"] == "81" * 32
    assert (claims.fields["build"], claims.fields["rtmr_version"]) == (2337, 1)
    assert "anonce" not in claims.fields
    assert not any("anonce" in each for each in claims.not_proven)


@pytest.mark.parametrize("version", [1, 2])
def test_a_report_that_a_library_restored_has_no_serial_number(version: int) -> None:
    claims = run(VALID.but(version=version, restored=True, page=True))

    assert claims.bound == REPORT_DATA
    assert "chip_serial" not in claims.fields


def test_the_device_is_the_chip_and_not_the_report() -> None:
    assert run(VALID).device == run(EXTENDED).device


def test_an_attester_may_bring_its_own_chip() -> None:
    brought = {"hsk_cek": VALID.hsk_cek()}
    assert run(VALID.but(trusted=(), parts=brought)).bound == REPORT_DATA
    others = (another_chip(),)
    assert run(VALID.but(trusted=others, parts=brought)).bound == REPORT_DATA


def test_the_chip_is_found_among_others() -> None:
    assert run(VALID.but(more_chips=(another_chip(),))).bound == REPORT_DATA


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        (VALID.but(report_signer="other"), "signature.report"),
        (EXTENDED.but(report_signer="other"), "signature.report"),
        (VALID.but(pek_signer="other"), "chain.pek"),
        (VALID.but(trusted=(another_chip(),)), "chain.pek"),
        (VALID.but(pek_usage=CEK), "chain.pek"),
        (VALID.but(cek_signer="other", cek_names="hsk"), "chain.cek"),
        (VALID.but(cek_names="other"), "chain.cek"),
        (VALID.but(hsk_signer="other", hsk_names="hrk"), "root.hsk"),
        (VALID.but(hsk_names="other"), "root.hsk"),
        (VALID.but(trusted_hrk="other"), "root.hsk"),
        (VALID.but(hrk_signer="other"), "root.hsk"),
        (VALID.but(trusted_hrk=""), "missing_endorsement.hrk"),
        (VALID.but(trusted=()), "missing_endorsement.hsk_cek"),
    ],
)
def test_what_does_not_hold_is_refused(forge: Forge, expected: str) -> None:
    assert rule(forge) == f"hygon-csv.{expected}"


def test_an_altered_hsk_breaks_the_chain_and_is_no_question_of_the_root() -> None:
    document = bytearray(VALID.hsk_cek())
    document[_HSK_X_AT] ^= 1
    assert rule(VALID.but(trusted=(bytes(document),))) == "hygon-csv.chain.cek"


def test_an_hsk_is_no_root() -> None:
    trust = Trust(
        Endorsements(
            (ca(pair("hrk"), HSK, pair("hrk")),), (), {"hsk_cek": (VALID.hsk_cek(),)}
        )
    )
    with pytest.raises(Refused, match="root"):
        verify(VALID.evidence(), trust, NOW)


@pytest.mark.parametrize("offset", [0, 100, 112, 144, 176, 188, 192, 264, 336, 2420])
def test_a_changed_byte_is_refused(offset: int) -> None:
    report = bytearray(VALID.report())
    report[offset] ^= 1
    with pytest.raises(StrongroomError):
        verify(_evidence(bytes(report)), VALID.trust(), NOW)


@pytest.mark.parametrize("offset", [0, 188, 300, 1000, 1024, 1168, 3252, 3316, 3379])
def test_a_changed_byte_of_an_extended_report_is_refused(offset: int) -> None:
    report = bytearray(EXTENDED.report())
    report[offset] ^= 1
    with pytest.raises(StrongroomError):
        verify(_evidence(bytes(report)), EXTENDED.trust(), NOW)


@pytest.mark.parametrize("version", [1, 2])
def test_no_other_length_and_no_padding_but_zeros_is_a_report(version: int) -> None:
    forge = VALID.but(version=version)
    report, trust = forge.report(), forge.trust()
    padded = forge.but(page=True).report()
    cuts = [report[:n] for n in range(0, len(report), 7)]
    for data in (*cuts, report + b"\0", padded + b"\0", padded[:-1] + b"\1"):
        with pytest.raises(Malformed):
            verify(_evidence(data), trust, NOW)


def test_another_algorithm_is_malformed() -> None:
    with pytest.raises(Malformed, match="another key or algorithm"):
        run(VALID.but(algorithm=5))


@pytest.mark.parametrize("cut", [0, 1, 832, 2915])
def test_certificates_of_another_length_are_malformed(cut: int) -> None:
    with pytest.raises(Malformed):
        run(VALID.but(trusted=(VALID.hsk_cek()[:cut],)))


def test_a_certificate_has_its_length_and_an_identity_that_fits() -> None:
    pek = VALID.pek()
    long_identity = pek[:164] + b"\xff\0" + pek[166:]
    large_number = pek[:91] + b"\1" + pek[92:]
    for data in (pek[:-1], pek + b"\0", long_identity, large_number):
        with pytest.raises(Malformed):
            Certificate.parse_chip(data)
    with pytest.raises(Malformed, match="832"):
        Certificate.parse_ca(VALID.root()[:-1])


@pytest.mark.parametrize("offset", [0, 36, 64, 140, 212, 832, 840, 848])
def test_certificates_that_are_not_laid_out_so_are_refused(offset: int) -> None:
    changed = bytearray(VALID.hsk_cek())
    changed[offset] ^= 0xFF
    with pytest.raises(StrongroomError):
        run(VALID.but(trusted=(bytes(changed),)))


def test_a_pek_in_place_of_a_cek_is_malformed() -> None:
    hsk = VALID.hsk_cek()[:832]
    with pytest.raises(Malformed, match="HSK and a CEK"):
        run(VALID.but(trusted=(hsk + VALID.pek(),)))


def test_the_owner_alone_certifies_no_pek() -> None:
    report = bytearray(VALID.but(restored=True).report())
    report[336 : 336 + 2084] = chip(pair("pek"), PEK, 1, b"", (OCA, pair("cek")))
    with pytest.raises(Refused, match="chain"):
        verify(_evidence(bytes(report)), VALID.trust(), NOW)


def test_a_key_that_is_no_point_signs_nothing() -> None:
    root = bytearray(VALID.root())
    root[68] ^= 1
    trust = Trust(Endorsements((bytes(root),), (), {"hsk_cek": (VALID.hsk_cek(),)}))
    with pytest.raises(Refused, match="root"):
        verify(VALID.evidence(), trust, NOW)


def test_a_remembered_chain_forgives_no_signature() -> None:
    trust = VALID.trust()
    verify(VALID.evidence(), trust, NOW)
    with pytest.raises(Refused, match="signature"):
        verify(VALID.but(report_signer="other").evidence(), trust, NOW)


def _evidence(report: bytes) -> HardwareEvidence:
    return HardwareEvidence("hygon-csv", {"report": report})
