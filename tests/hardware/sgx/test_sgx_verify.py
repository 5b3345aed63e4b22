# SPDX-License-Identifier: Apache-2.0
"""Quotes of SGX enclaves: what is claimed, and how up to date the platform is."""

import pytest

from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.errors import Malformed, StrongroomError
from strongroom.hardware.sgx.verify import verify
from tests.hardware.dcap.forge import (
    PCE_SVN,
    SVNS,
    Enclave,
    IntelWorld,
    svn_levels,
    world,
)
from tests.hardware.pki import NOW

LEVELS = {
    "tcbLevels": svn_levels(
        "INTEL-SA-00002", _8="UpToDate", _7="OutOfDate", _6="Revoked"
    )
}
LOWER = [(*SVNS[:n], SVNS[n] - 1, *SVNS[n + 1 :]) for n in range(16)]
each_kind = pytest.mark.parametrize("kind", ["sgx v3", "sgx v4", "sgx v5"])


def run(made: IntelWorld) -> HardwareClaims:
    return verify(made.evidence(), Trust(made.endorsements()), NOW)


def status(made: IntelWorld) -> str:
    found = run(made).tcb
    assert found is not None
    return found.status


def rule(made: IntelWorld) -> str:
    with pytest.raises(StrongroomError) as refused:
        run(made)
    return refused.value.findings[0].rule


@each_kind
def test_fields_of_key_separation_are_claims(kind: str) -> None:
    kss = bytes(range(1, 65))
    fields = run(world(kind, kss=kss)).fields
    assert fields["config_id"] == kss.hex()
    assert fields["isv_ext_prod_id"] == kss[:16].hex()
    assert fields["isv_family_id"] == kss[:16].hex()
    assert (fields["isv_prod_id"], fields["isv_svn"], fields["debug"]) == (1, 8, False)


@pytest.mark.parametrize("svns", LOWER)
def test_any_component_below_is_a_lower_level(svns: tuple[int, ...]) -> None:
    assert status(world("sgx v3", svns=svns)) == "OutOfDate"


def test_higher_components_are_the_same_level() -> None:
    higher = tuple(each + 1 for each in SVNS)
    assert status(world("sgx v3", svns=higher, pce_svn=PCE_SVN + 1)) == "UpToDate"


def test_a_certification_enclave_below_is_a_lower_level() -> None:
    assert status(world("sgx v3", pce_svn=PCE_SVN - 1)) == "OutOfDate"


@pytest.mark.parametrize(
    ("svn", "found"),
    [(9, "UpToDate"), (8, "UpToDate"), (7, "OutOfDate"), (6, "Revoked")],
)
def test_a_quoting_enclave_counts_by_its_svn(svn: int, found: str) -> None:
    made = world("sgx v3", qe=Enclave(svn=svn), identified=LEVELS)
    assert status(made) == found
    below = world("sgx v3", qe=Enclave(svn=5), identified=LEVELS)
    assert rule(below) == "sgx.tcb_out_of_date.qe"


@each_kind
@pytest.mark.parametrize(
    "qe",
    [
        Enclave(signer=b"\1" * 32),
        Enclave(product=2),
        Enclave(misc=1),
        Enclave(misc=1 << 31),
        Enclave(attributes=3),
        Enclave(attributes=1 | 1 << 127),
    ],
    ids=["signer", "product", "misc", "last misc", "debug", "last attribute"],
)
def test_another_quoting_enclave_is_refused(kind: str, qe: Enclave) -> None:
    assert rule(world(kind, qe=qe)).endswith("collateral_mismatch.qe_identity")


@pytest.mark.parametrize(
    ("qe", "said"),
    [
        (Enclave(misc=1), {"miscselectMask": "fe" + "ff" * 3}),
        (Enclave(misc=1), {"miscselect": "01" + "00" * 3}),
        (Enclave(attributes=1 | 1 << 64), {"attributesMask": "ff" * 8 + "00" * 8}),
        (Enclave(attributes=0x11), {"attributes": "11" + "00" * 15}),
    ],
    ids=["misc mask", "misc", "attributes mask", "attributes"],
)
def test_masks_say_what_of_a_quoting_enclave_counts(
    qe: Enclave, said: dict[str, object]
) -> None:
    assert status(world("sgx v3", qe=qe, identified=said)) == "UpToDate"
    assert rule(world("sgx v3", qe=qe)).endswith("qe_identity")


@pytest.mark.parametrize("said", [bytes(64), b"\1" * 64], ids=["zeros", "ones"])
def test_an_attestation_key_that_the_qe_did_not_make_is_refused(said: bytes) -> None:
    made = world("sgx v3", qe=Enclave(report_data=said))
    assert rule(made) == "sgx.signature.attestation_key"


@pytest.mark.parametrize("size", [0, 1, 32, 1000])
def test_the_qe_may_authenticate_data_of_any_length(size: int) -> None:
    made = world("sgx v3", qe=Enclave(authentication=bytes(size)))
    assert status(made) == "UpToDate"


@each_kind
def test_a_quote_of_another_vendor_or_key_type_is_malformed(kind: str) -> None:
    for changed in ({"vendor": bytes(16)}, {"key_type": 3}, {"version": 6}):
        with pytest.raises(Malformed):
            run(world(kind, **changed))


def test_a_quote_of_a_td_is_none_of_an_enclave() -> None:
    made = world("tdx v4")
    evidence = HardwareEvidence("sgx", {"quote": made.quote()})
    with pytest.raises(Malformed) as refused:
        verify(evidence, Trust(made.endorsements()), NOW)
    assert refused.value.findings[0].rule == "sgx.format.quote"


@each_kind
def test_a_status_that_no_level_has_is_never_passed_on(kind: str) -> None:
    levels = {"tcbLevels": svn_levels("INTEL-SA-00002", _8="Unheard")}
    for made in (world(kind, status="Unheard"), world(kind, identified=levels)):
        with pytest.raises(Malformed):
            run(made)


@pytest.mark.parametrize(
    "other", [{"fmspc_said": b"\1" * 6}, {"info": {"pceId": "0001"}}]
)
def test_a_tcb_info_of_another_family_is_refused(other: dict[str, object]) -> None:
    assert rule(world("sgx v3", **other)) == "sgx.collateral_mismatch.fmspc"


@each_kind
@pytest.mark.parametrize("kept", ["pck root", "pck", "platform root"])
def test_a_chain_with_a_gap_is_refused(kind: str, kept: str) -> None:
    assert run(world(kind, chain="pck root platform")).kind == "sgx"
    assert run(world(kind, chain="pck platform", padding=b"\0")).kind == "sgx"
    with pytest.raises(StrongroomError):
        run(world(kind, chain=kept))


def old_level(svns: tuple[int, ...], status: str) -> dict[str, object]:
    """Return a level as TCB infos of version 2 have them."""
    tcb: dict[str, object] = {
        f"sgxtcbcomp{n:02}svn": svn for n, svn in enumerate(svns, 1)
    }
    tcb["pcesvn"] = PCE_SVN
    return {"tcb": tcb, "tcbDate": "2020-01-01T00:00:00Z", "tcbStatus": status}


def test_a_tcb_info_of_version_2_is_read() -> None:
    levels = [old_level(SVNS, "SWHardeningNeeded"), old_level((0,) * 16, "OutOfDate")]
    said = {"version": 2, "tcbLevels": levels}
    assert status(world("sgx v3", info=said)) == "SWHardeningNeeded"
    assert status(world("sgx v3", info=said, svns=LOWER[15])) == "OutOfDate"
