# SPDX-License-Identifier: Apache-2.0
"""GPU and switch measurements: what holds is told, everything else is refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.core.rats import (
    Endorsements,
    HardwareClaims,
    HardwareEvidence,
    Trust,
)
from strongroom.errors import Malformed, Refused, Stale
from strongroom.hardware.nvidia_gpu.verify import verify
from tests.hardware.nvidia_gpu.forge import (
    BLACKWELL,
    COMPOSITE,
    END,
    FWID,
    GPU,
    NONCE,
    NOW,
    OPAQUE,
    RESPONDER_NONCE,
    SWITCH,
    TCB_INFO,
    VALID,
    Forge,
    composite,
    der,
    pem,
    revocations,
    sealed,
    tcb_info,
)

OTHER = VALID.but(issuers=("brom", "identity"), subject="GH100 A02 GSP FMC LF")


def run(forge: Forge, now: int = NOW) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), now)


def rule(forge: Forge, now: int = NOW) -> str:
    with pytest.raises(Refused) as refused:
        run(forge, now)
    return refused.value.findings[0].rule


def test_an_exchange_says_what_was_measured() -> None:
    claims = run(VALID)

    assert claims.bound == NONCE
    assert claims.bound_as == "nonce"
    assert claims.format == "SPDM 1.1 measurements of GPU"
    assert claims.measurements["measurement.4"] == b"\x04" * 48
    assert len(claims.device) == 32
    assert any("RIM" in each for each in claims.not_proven)


def test_fields_are_named_as_nvidia_names_them() -> None:
    fields = run(VALID).fields

    assert fields["arch"] == "HOPPER"
    assert fields["spdm_request"] == VALID.request.hex()
    assert fields["responder_nonce"] == RESPONDER_NONCE.hex()
    assert fields["measurement_count"] == 4
    assert fields["opaque_length"] == sum(4 + len(each) for each in OPAQUE.values())
    assert fields["leaf_subject"] == f"CN={GPU}"
    assert fields["opaque"] == {
        "driver_version": "550.90.07",
        "vbios_version": "96.00.9F.00.01",
        "msrscnt": [0, 1, 4],
        "project": "1010",
        "fwid": FWID.hex(),
        "protected_pcie_status": "55",
        "type_99": "dead",
    }


def test_a_switch_names_its_data_otherwise() -> None:
    opaque = {6: b"96.10.55.00.01", 22: b"\x01" * 8, 24: b"\x02\0"}
    claims = run(VALID.but(subject=SWITCH, opaque=opaque))

    assert claims.format == "SPDM 1.1 measurements of NVSwitch"
    assert claims.fields["arch"] == "LS10"
    assert claims.fields["opaque"] == {
        "vbios_version": "96.10.55.00.01",
        "device_pdi": "01" * 8,
        "switch_position_id": "0200",
    }


def test_the_firmware_id_of_blackwell_is_in_its_tcb_info() -> None:
    forge = VALID.but(subject=BLACKWELL, extension=(TCB_INFO, tcb_info(FWID)))
    assert run(forge).fields["arch"] == "BLACKWELL"


def test_an_architecture_that_nobody_knows_is_told_by_its_chip() -> None:
    assert run(VALID.but(subject="XY12 A01")).fields["arch"] == "XY12"
    assert run(VALID.but(subject="a device")).fields["arch"] == ""


def test_the_device_is_its_boot_rom_and_not_the_leaf() -> None:
    assert run(VALID).device == run(VALID.but(subject="GH100 A01 newer")).device


def test_a_device_may_bring_its_certificates() -> None:
    assert run(VALID.but(brought=True)).bound == NONCE


def test_the_chain_is_found_among_others_and_in_any_order() -> None:
    backwards = b"".join(pem(each) for each in reversed(VALID.certificates()))
    other = OTHER.but(curve=ec.SECP256R1).chain()
    trust = Trust(
        Endorsements(VALID.trust().roots, (), {"certificate_chain": (other, backwards)})
    )
    assert verify(VALID.evidence(), trust, NOW).bound == NONCE


def test_without_a_firmware_id_nothing_is_compared() -> None:
    opaque = {6: OPAQUE[6]}
    assert run(VALID.but(opaque=opaque, extension=None)).bound == NONCE


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        (VALID.but(signer="other"), "signature.report"),
        (VALID.but(curve=ec.SECP256R1, signer="other"), "signature.report"),
        (VALID.but(certified_by="other"), "chain.device"),
        (VALID.but(brom_is_ca=False), "chain.device"),
        (VALID.but(trusted="another root"), "chain.device"),
        (VALID.but(extension=None), "binding.fwid"),
        (VALID.but(extension=(COMPOSITE, composite(b"\x78" * 48))), "binding.fwid"),
        (VALID.but(extension=(TCB_INFO, tcb_info(b"\x78" * 48))), "binding.fwid"),
        (VALID.but(lists=(revocations("brom", 1 + len(GPU)),)), "revoked.device"),
    ],
)
def test_what_does_not_hold_is_refused(forge: Forge, expected: str) -> None:
    assert rule(forge) == f"nvidia-gpu.{expected}"


def test_a_root_of_its_own_is_none() -> None:
    whole = b"".join(pem(each) for each in VALID.certificates())
    trust = VALID.but(trusted="another root").trust()
    evidence = HardwareEvidence(
        "nvidia-gpu", {"report": VALID.report(), "certificate_chain": whole}
    )
    with pytest.raises(Refused, match=r"nvidia-gpu\.root"):
        verify(evidence, trust, NOW)


def test_a_namesake_of_the_root_is_none() -> None:
    forged = VALID.but(root="root").certificates()
    imitation = Endorsements((pem(forged[-2]),), (), {})
    evidence = VALID.but(brought=True).evidence()
    assert verify(evidence, Trust(imitation), NOW).bound == NONCE
    with pytest.raises(Refused):
        verify(evidence, Trust(Endorsements((), (), {})), NOW)


def test_a_chain_without_its_intermediate_leads_nowhere() -> None:
    leaf, brom, _, identity, _ = VALID.certificates()
    chain = pem(leaf) + pem(brom) + pem(identity)
    trust = Trust(
        Endorsements(VALID.trust().roots, (), {"certificate_chain": (chain,)})
    )
    with pytest.raises(Refused, match=r"nvidia-gpu\.chain"):
        verify(VALID.evidence(), trust, NOW)


def test_without_certificates_nothing_is_verified() -> None:
    trust = Trust(Endorsements(VALID.trust().roots, ()))
    with pytest.raises(Refused, match="missing_endorsement"):
        verify(VALID.evidence(), trust, NOW)


def test_certificates_and_lists_have_their_time() -> None:
    with pytest.raises(Stale):
        run(VALID.but(leaf_end=NOW - 1))
    with pytest.raises(Stale):
        run(VALID, END + 1)
    listed = VALID.but(lists=(revocations("brom", 7, end=NOW + 10),))
    assert not any("CRL" in each for each in run(listed, NOW).not_proven)
    with pytest.raises(Stale):
        run(listed, NOW + 11)


def test_what_is_remembered_ends_with_its_time() -> None:
    forge = VALID.but(lists=(revocations("brom", 7, end=NOW + 10),))
    trust = forge.trust()
    verify(forge.evidence(), trust, NOW)
    verify(forge.evidence(), trust, NOW + 10)
    with pytest.raises(Stale):
        verify(forge.evidence(), trust, NOW + 11)
    with pytest.raises(Refused, match="signature"):
        verify(forge.but(signer="other").evidence(), trust, NOW)


@pytest.mark.parametrize(
    "signed",
    [
        VALID.but(request=b"\x12" + VALID.request[1:]).signed(),
        VALID.but(request=b"\x11\xe1" + VALID.request[2:]).signed(),
        VALID.but(request=b"\x11\xe0\0" + VALID.request[3:]).signed(),
        VALID.but(response=b"\x12\x60\0\0").signed(),
        VALID.but(response=b"\x11\x7f\0\0").signed(),
        VALID.but(measurements={}).signed(),
        VALID.signed()[:41] + b"\x03" + VALID.signed()[42:],
        VALID.signed()[:41] + b"\x05" + VALID.signed()[42:],
        VALID.signed()[:46] + b"\x02" + VALID.signed()[47:],
        VALID.signed()[:47] + b"\x34" + VALID.signed()[48:],
        VALID.signed()[:45] + b"\x02" + VALID.signed()[46:],
        VALID.signed() + b"\0",
        VALID.signed()[:-1],
    ],
)
def test_what_is_no_exchange_is_malformed(signed: bytes) -> None:
    evidence = HardwareEvidence("nvidia-gpu", {"report": sealed(signed)})
    with pytest.raises(Malformed):
        verify(evidence, VALID.trust(), NOW)


def test_opaque_data_come_once_and_whole() -> None:
    begin = len(VALID.but(opaque={}).signed())
    head = VALID.but(opaque={}).signed()[: begin - 2]
    for opaque in (b"\x15\0\x01\0\x55" * 2, b"\x15\0\x02\0\x55", b"\x15\0\x02"):
        signed = head + len(opaque).to_bytes(2, "little") + opaque
        evidence = HardwareEvidence("nvidia-gpu", {"report": sealed(signed)})
        with pytest.raises(Malformed):
            verify(evidence, VALID.trust(), NOW)


def test_no_cut_is_an_exchange() -> None:
    report, trust = VALID.report(), VALID.trust()
    for n in range(len(report)):
        evidence = HardwareEvidence("nvidia-gpu", {"report": report[:n]})
        with pytest.raises(Malformed):
            verify(evidence, trust, NOW)


@pytest.mark.parametrize(
    "value",
    [
        (COMPOSITE, b""),
        (COMPOSITE, der(0x30, b"\x02\x01\x01")),
        (COMPOSITE, der(0x30, der(0x30, b"\x05\0", b"\x05\0"))),
        (COMPOSITE, composite(FWID) + b"\0"),
        (COMPOSITE, composite(FWID)[:-1]),
        (COMPOSITE, b"\x30\x84\0\0\0\x01\0"),
        (TCB_INFO, der(0x31)),
        (TCB_INFO, der(0x30, der(0xA6))),
    ],
)
def test_a_firmware_id_that_is_not_as_tcg_has_it_is_malformed(
    value: tuple[str, bytes],
) -> None:
    with pytest.raises(Malformed):
        run(VALID.but(extension=value))


@pytest.mark.parametrize("oid", [TCB_INFO, COMPOSITE])
def test_an_extension_without_firmware_has_none(oid: str) -> None:
    assert rule(VALID.but(extension=(oid, der(0x30)))) == "nvidia-gpu.binding.fwid"


def test_certificates_that_are_none_are_malformed() -> None:
    begun, long = b"-----BEGIN CERTIFICATE-----\n", VALID.chain() * 20
    for chain in (b"", b"no certificate", begun, long):
        trust = Trust(Endorsements((), (), {"certificate_chain": (chain,)}))
        with pytest.raises(Malformed):
            verify(VALID.evidence(), trust, NOW)
