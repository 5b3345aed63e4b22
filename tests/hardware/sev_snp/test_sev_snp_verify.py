# SPDX-License-Identifier: Apache-2.0
"""SNP reports: what holds is told as it is, and everything else is refused."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Endorsements, HardwareClaims, Trust
from strongroom.errors import Malformed, Refused, Stale, StrongroomError
from strongroom.hardware.sev_snp.verify import verify
from tests.hardware.sev_snp.forge import (
    ARK,
    ASK,
    CHIP,
    END,
    GENOA,
    MILAN,
    NOW,
    REPORT_DATA,
    TURIN,
    VLEK,
    Authority,
    Forge,
    table,
)

OTHER_ROOT = Authority("ARK-Milan", "other")
ALL = {"milan": MILAN, "genoa": GENOA, "turin": TURIN, "vlek": VLEK}


def run(forge: Forge, now: int = NOW) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), now)


def rule(forge: Forge, now: int = NOW) -> str:
    with pytest.raises(Refused) as refused:
        run(forge, now)
    return refused.value.findings[0].rule


@pytest.mark.parametrize("forge", ALL.values(), ids=ALL)
def test_a_report_of_every_product_holds(forge: Forge) -> None:
    claims = run(forge)

    assert claims.bound == REPORT_DATA
    assert claims.bound_as == "report_data"
    assert claims.measurements["measurement"] == b"\x77" * 48
    assert claims.svns["guest_svn"] == 4
    assert not claims.debug


def test_a_turin_report_has_its_own_tcb_layout_and_the_vectors() -> None:
    claims = run(TURIN)

    tcb = {"fmc": 1, "bl": 3, "tee": 2, "snp": 5, "ucode": 97}
    assert claims.fields["endorsement_key_tcb"] == tcb
    assert claims.svns["reported_tcb.fmc"] == 1
    assert claims.fields["launch_mit_vector"] == "000000000000003f"
    assert claims.fields["current_mit_vector"] == "000000000000007f"
    assert claims.fields["product"] == "turin"


def test_the_device_is_the_chip_or_where_it_is_masked_the_key() -> None:
    masked = VLEK.with_(leaf=replace(VLEK.leaf, key="another"))

    assert run(MILAN).device == CHIP
    assert run(VLEK).device != run(masked).device
    assert any("masks" in text for text in run(VLEK).not_proven)


def test_version_2_takes_its_product_from_the_certificate() -> None:
    claims = run(MILAN)

    assert claims.fields["product"] == "milan"
    assert "cpuid_family" not in claims.fields


def test_version_4_is_read_as_version_3() -> None:
    claims = run(GENOA.with_(body=replace(GENOA.body, version=4)))

    assert claims.fields["cpuid_model"] == 0xA0
    assert "launch_mit_vector" not in claims.fields


def test_a_policy_that_allows_debugging_is_told() -> None:
    assert run(MILAN.with_(body=replace(MILAN.body, policy=0xB0000))).debug


def test_a_report_that_the_host_asked_for_is_told_apart() -> None:
    claims = run(MILAN.with_(body=replace(MILAN.body, vmpl=0xFFFFFFFF)))

    assert "that the guest asked for this report: the host did" in claims.not_proven


@pytest.mark.parametrize("at", [0x00, 0x50, 0x90, 0x180, 0x1A0, 0x29F, 0x2A0, 0x2E8])
def test_any_altered_byte_is_refused(at: int) -> None:
    report = bytearray(MILAN.report())
    report[at] ^= 1

    with pytest.raises(StrongroomError) as refused:
        verify(MILAN.evidence(bytes(report)), MILAN.trust(), NOW)

    assert refused.type is Malformed or (
        refused.value.findings[0].rule == "sev-snp.signature.report"
    )


def test_the_zeros_after_a_signature_cannot_be_used_to_make_another_report() -> None:
    report = bytearray(MILAN.report())
    report[-1] = 1

    with pytest.raises(Malformed):
        verify(MILAN.evidence(bytes(report)), MILAN.trust(), NOW)


def test_every_other_length_is_refused() -> None:
    report, trust = MILAN.report(), MILAN.trust()
    lengths = [report[:size] for size in range(len(report))]

    for data in (*lengths, report + b"\0", report * 2):
        with pytest.raises(Malformed):
            verify(MILAN.evidence(data), trust, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"version": 6},
        {"version": 2, "cpuid": bytes((0x19, 1, 1))},
        {"version": 3, "cpuid": bytes((0x17, 1, 1))},
        {"version": 3, "cpuid": bytes((0x1A, 0x50, 1))},
        {"version": 3, "cpuid": bytes((0x19, 1, 1)), "vectors": (1, 0)},
        {"algorithm": 2},
        {"vmpl": 4},
        {"flags": 1 << 5},
        {"flags": 1 << 31},
        {"patch": {0x4C: b"\1"}},
        {"patch": {0x19F: b"\1"}},
        {"patch": {0x208: b"\1"}},
    ],
    ids=str,
)
def test_what_no_known_version_has_is_refused(changes: dict[str, object]) -> None:
    body = replace(MILAN.body, **changes)  # type: ignore[arg-type]

    with pytest.raises(Malformed):
        run(MILAN.with_(body=body))


@pytest.mark.parametrize("flags", [2 << 2, 7 << 2, 2], ids=["2", "none", "masked"])
def test_a_report_that_no_key_signed_is_refused(flags: int) -> None:
    forge = MILAN.with_(body=replace(MILAN.body, flags=flags))

    assert rule(forge) == "sev-snp.signature.report"


def test_a_report_of_a_vlek_needs_the_vlek() -> None:
    forge = MILAN.with_(body=replace(MILAN.body, flags=4))

    assert rule(forge) == "sev-snp.missing_endorsement.vlek"


def test_a_vlek_certificate_is_no_vcek() -> None:
    with pytest.raises(Malformed):
        run(MILAN.with_(leaves=(VLEK.leaf.certificate(),)))


def test_without_the_certificate_of_the_key_nothing_holds() -> None:
    assert rule(MILAN.with_(leaves=())) == "sev-snp.missing_endorsement.vcek"


def test_a_key_that_did_not_sign_is_refused() -> None:
    other = replace(MILAN.leaf, key="stranger").certificate()

    assert rule(MILAN.with_(leaves=(other,))) == "sev-snp.signature.report"


def test_a_key_of_another_curve_is_refused() -> None:
    weak = replace(MILAN.leaf, curve=ec.SECP256R1, key="p256")

    assert rule(MILAN.with_(leaf=weak)) == "sev-snp.signature.report"


def test_a_root_of_the_same_name_is_not_the_root() -> None:
    forge = MILAN.with_(roots=(OTHER_ROOT.certificate(OTHER_ROOT),))

    assert rule(forge) == "sev-snp.root.vcek"


def test_a_root_that_was_altered_is_not_the_root() -> None:
    whole = Certificate.read(ARK.certificate(ARK)).der
    altered = whole[:-1] + bytes((whole[-1] ^ 1,))

    assert rule(MILAN.with_(roots=(altered,))) == "sev-snp.root.vcek"
    below = run(MILAN.with_(roots=(ASK.certificate(ARK),)))
    assert below.device == CHIP


def test_a_chain_without_its_middle_is_refused() -> None:
    assert rule(MILAN.with_(intermediates=())) == "sev-snp.chain.vcek"


def test_a_chain_signed_with_sha_224_is_refused() -> None:
    weak = ASK.certificate(ARK, digest=hashes.SHA224())

    assert rule(MILAN.with_(intermediates=(weak,))) == "sev-snp.root.vcek"


def test_certificates_end() -> None:
    short = MILAN.with_(intermediates=(ASK.certificate(ARK, end=NOW),))

    assert run(short).kind == "sev-snp"
    for forge, now in ((MILAN, END + 1), (MILAN, 0), (short, NOW + 1)):
        with pytest.raises(Stale):
            run(forge, now)


def test_a_remembered_chain_ends_when_its_certificates_do() -> None:
    forge, trust = MILAN, MILAN.trust()
    verify(forge.evidence(), trust, NOW)

    with pytest.raises(Stale):
        verify(forge.evidence(), trust, END + 1)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"product": "Genoa"}, "product"),
        ({"spl": {1: 3, 2: 0, 3: 8, 8: 210}}, "reported_tcb"),
        ({"hwid": CHIP[::-1]}, "chip_id"),
    ],
)
def test_a_certificate_for_something_else_is_refused(
    changes: dict[str, object], what: str
) -> None:
    leaf = replace(MILAN.leaf, **changes)  # type: ignore[arg-type]
    body = replace(MILAN.body, version=3, cpuid=bytes((0x19, 1, 1)))

    found = rule(MILAN.with_(leaf=leaf, body=body))

    assert found == f"sev-snp.collateral_mismatch.{what}"


@pytest.mark.parametrize(
    "changes",
    [
        {"product": "Zen"},
        {"spl": {1: 3, 2: 0, 3: 8}},
        {"spl": {1: 3, 2: 0, 3: 8, 8: 256}},
        {"hwid": CHIP[:8]},
        {"hwid": None},
        {"csp_id": "CN=cloud.example"},
    ],
    ids=str,
)
def test_a_certificate_without_proper_extensions_is_refused(
    changes: dict[str, object],
) -> None:
    with pytest.raises(Malformed):
        run(MILAN.with_(leaf=replace(MILAN.leaf, **changes)))  # type: ignore[arg-type]


def test_a_hwid_may_stand_in_an_octet_string() -> None:
    leaf = replace(MILAN.leaf, hwid=b"\x04\x40" + CHIP)

    assert run(MILAN.with_(leaf=leaf)).device == CHIP


def test_the_right_one_of_many_certificates_is_found() -> None:
    neighbour = replace(MILAN.leaf, hwid=CHIP[::-1], key="neighbour").certificate()
    older = replace(MILAN.leaf, spl={1: 2, 2: 0, 3: 8, 8: 209}).certificate()
    ended = replace(MILAN.leaf, end=NOW - 1).certificate()
    mine = MILAN.leaf.certificate()

    claims = run(MILAN.with_(leaves=(neighbour, older, ended, mine)))

    assert claims.device == CHIP
    with pytest.raises(Refused) as refused:
        run(MILAN.with_(leaves=(neighbour, older)))
    rule_id = refused.value.findings[0].rule
    assert rule_id == "sev-snp.missing_endorsement.vcek"


def test_a_chain_may_come_in_one_file_in_any_order() -> None:
    pem = ARK.certificate(ARK) + ASK.certificate(ARK)

    assert run(MILAN.with_(intermediates=(pem,))).device == CHIP


def test_a_host_may_bring_the_certificates_but_not_the_root() -> None:
    brought = table(
        vcek=MILAN.leaf.certificate(),
        intermediate=ASK.certificate(ARK),
        root=ARK.certificate(ARK),
    )
    forge = MILAN.with_(leaves=(), intermediates=(), cert_table=brought)

    assert run(forge).device == CHIP
    stranger = OTHER_ROOT.certificate(OTHER_ROOT)
    assert rule(forge.with_(roots=(stranger,))) == "sev-snp.root.vcek"
    assert rule(forge.with_(roots=())) == "sev-snp.missing_endorsement.root"


def test_a_table_beside_endorsements_changes_nothing() -> None:
    brought = table(vcek=replace(MILAN.leaf, hwid=CHIP[::-1], key="x").certificate())

    assert run(MILAN.with_(cert_table=brought)) == run(MILAN)
    same = table(vcek=MILAN.leaf.certificate())
    assert run(MILAN.with_(cert_table=same)).device == CHIP


def test_a_chain_that_one_table_proved_is_not_anothers() -> None:
    forge = MILAN.with_(leaves=(), intermediates=())
    leaf, above = MILAN.leaf.certificate(), ASK.certificate(ARK)
    trust, report = forge.trust(), forge.report()
    whole = forge.with_(cert_table=table(vcek=leaf, intermediate=above))
    assert verify(whole.evidence(report), trust, NOW).device == CHIP

    with pytest.raises(Refused):
        verify(forge.evidence(report), trust, NOW)
    stranger = replace(MILAN.leaf, key="stranger")
    forged = table(vcek=stranger.certificate(OTHER_ROOT), intermediate=above)
    with pytest.raises(Refused):
        verify(whole.with_(cert_table=forged, leaf=stranger).evidence(), trust, NOW)


def test_a_table_that_is_cut_anywhere_in_its_head_is_refused() -> None:
    brought = table(vcek=MILAN.leaf.certificate())
    trust = MILAN.trust()

    for size in range(1, 48):
        with pytest.raises(Malformed):
            verify(MILAN.with_(cert_table=brought[:size]).evidence(), trust, NOW)
    with pytest.raises(Malformed):
        verify(MILAN.with_(cert_table=brought[:-1]).evidence(), trust, NOW)


def test_a_table_is_bounded() -> None:
    endless = bytes((1,)) * 16 + bytes(8)

    for brought in (endless * 20, bytes(70_000)):
        with pytest.raises(Malformed):
            run(MILAN.with_(cert_table=brought))


def test_a_revocation_list_that_names_nobody_lets_the_chain_hold() -> None:
    claims = run(MILAN.with_(crls=(ARK.crl(),)))

    assert not any("revoked" in text for text in claims.not_proven)
    assert any("revoked" in text for text in run(MILAN).not_proven)


def test_a_revoked_intermediate_is_refused() -> None:
    assert rule(MILAN.with_(crls=(ARK.crl(7),))) == "sev-snp.revoked.vcek"


def test_a_revoked_key_is_refused() -> None:
    forge = MILAN.with_(crls=(ARK.crl(), ASK.crl(9)))

    assert rule(forge) == "sev-snp.revoked.vcek"


def test_a_revocation_list_out_of_its_time_is_refused() -> None:
    with pytest.raises(Stale):
        run(MILAN.with_(crls=(ARK.crl(end=NOW - 1),)))


def test_a_revocation_list_that_another_signed_is_refused() -> None:
    forge = MILAN.with_(crls=(OTHER_ROOT.crl(),))

    assert rule(forge) == "sev-snp.signature.vcek_crl"


def test_lists_of_other_roots_alone_do_not_do() -> None:
    forge = MILAN.with_(crls=(Authority("ARK-Genoa", "genoa").crl(),))

    assert rule(forge) == "sev-snp.missing_endorsement.crl"


def test_endorsements_that_are_none_are_refused() -> None:
    for role in ("vcek", "intermediate", "crl"):
        good = MILAN.trust().endorsements
        broken = Endorsements(good.roots, (), {**good.collateral, role: (b"none",)})
        with pytest.raises(Malformed):
            verify(MILAN.evidence(), Trust(broken), NOW)
