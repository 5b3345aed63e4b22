# SPDX-License-Identifier: Apache-2.0
"""Where we and dcap-qvl differ on purpose, and why; each named, none else.

Stricter here: what Intel's library refuses, dcap-qvl lets pass. Stricter there: it
refuses what here is a claim for appraisal to judge, or asks for more than Intel does.
"""

from collections.abc import Callable

import pytest

from strongroom.core.rats import Endorsements
from tests.hardware.dcap.forge import (
    KINDS,
    MODULE,
    SEPT_VE_DISABLE,
    Enclave,
    IntelWorld,
    Td,
    at,
    level,
    module,
    pem,
    svn_levels,
    world,
)
from tests.hardware.dcap.oracle import judge

Make = Callable[[str], IntelWorld]
SHARED_KINDS = [kind for kind in KINDS if kind not in ("sgx v4", "sgx v5")]
TDX_KINDS = [kind for kind in SHARED_KINDS if kind.startswith("tdx")]
each_kind = pytest.mark.parametrize("kind", SHARED_KINDS)
each_td = pytest.mark.parametrize("kind", TDX_KINDS)
CLAIMED, REFUSED = (True, False), (False, True)

MODULES = {"tdxModuleIdentities": [module(1, _6="UpToDate", _2="Revoked")]}
CLAIMED_HERE: dict[str, Make] = {
    "debug: a claim": lambda kind: world(kind, debug=True),
    "a revoked platform: a claim": lambda kind: world(kind, status="Revoked"),
    "a revoked quoting enclave: a claim": lambda kind: world(
        kind, identified={"tcbLevels": svn_levels("INTEL-SA-00002", _8="Revoked")}
    ),
    "QE data of another length than 32: Intel takes any": lambda kind: world(
        kind, qe=Enclave(authentication=b"")
    ),
    "a debug QE where Intel's identity says it does not matter": lambda kind: world(
        kind,
        qe=Enclave(attributes=3),
        identified={"attributesMask": "fd" + "ff" * 15},
    ),
    "a QE with a status Intel gives to no QE: counts as out of date": lambda kind: (
        world(
            kind,
            identified={
                "tcbLevels": svn_levels("INTEL-SA-00002", _8="SWHardeningNeeded")
            },
        )
    ),
}
TD_CLAIMED_HERE: dict[str, Make] = {
    "a revoked module: a claim": lambda kind: world(
        kind, td=Td(svn=at(2, 1), svn_now=at(2, 1)), info=MODULES
    ),
    "a module with a status Intel gives to none: counts as out of date": (
        lambda kind: world(
            kind,
            td=Td(svn=at(6, 1), svn_now=at(6, 1)),
            info={"tdxModuleIdentities": [module(1, _6="SWHardeningNeeded")]},
        )
    ),
    "pages that may raise #VE (SEPT_VE_DISABLE): for a rule to ask": lambda kind: world(
        kind, td=Td(attributes=0)
    ),
    "a TD that may migrate: for a rule to ask": lambda kind: world(
        kind, td=Td(attributes=SEPT_VE_DISABLE | 1 << 29)
    ),
    "reserved attributes, which no module sets: for a rule to ask": lambda kind: world(
        kind, td=Td(attributes=SEPT_VE_DISABLE | 1 << 40)
    ),
    "a TD under profiling: debug, a claim": lambda kind: world(
        kind, td=Td(attributes=SEPT_VE_DISABLE | 1 << 5)
    ),
}
REFUSED_HERE: dict[str, Make] = {
    "the PCE id is not compared there": lambda kind: world(
        kind, info={"pceId": "0001"}
    ),
    "TCB info of version 4 is unknown to Intel's library": lambda kind: world(
        kind, info={"version": 4}
    ),
    "bits outside of its mask that an identity asks for": lambda kind: world(
        kind,
        identified={"miscselect": "01" + "00" * 3, "miscselectMask": "fe" + "ff" * 3},
    ),
}
TD_REFUSED_HERE: dict[str, Make] = {
    "a QE identity of version 3 is unknown to Intel's library": lambda kind: world(
        kind, identified={"version": 3}
    ),
    "a module with attributes, even those of its identity": lambda kind: world(
        kind,
        td=Td(module_attributes=b"\1" + bytes(7)),
        info={"tdxModule": {**MODULE, "attributes": "01" + "00" * 7}},
    ),
}


@each_kind
@pytest.mark.parametrize("name", CLAIMED_HERE)
def test_what_is_a_claim_here_is_refused_there(kind: str, name: str) -> None:
    assert judge(CLAIMED_HERE[name](kind)).accepted == CLAIMED


@each_td
@pytest.mark.parametrize("name", TD_CLAIMED_HERE)
def test_what_is_a_claim_of_a_td_here_is_refused_there(kind: str, name: str) -> None:
    assert judge(TD_CLAIMED_HERE[name](kind)).accepted == CLAIMED


@each_kind
@pytest.mark.parametrize("name", REFUSED_HERE)
def test_what_intel_refuses_is_accepted_there(kind: str, name: str) -> None:
    assert judge(REFUSED_HERE[name](kind)).accepted == REFUSED


@each_td
@pytest.mark.parametrize("name", TD_REFUSED_HERE)
def test_what_intel_refuses_of_a_td_is_accepted_there(kind: str, name: str) -> None:
    assert judge(TD_REFUSED_HERE[name](kind)).accepted == REFUSED


@each_kind
def test_debug_and_revocation_are_said_here(kind: str) -> None:
    assert judge(world(kind, debug=True)).debug
    revoked = judge(world(kind, status="Revoked")).ours
    assert revoked is not None
    assert revoked[0] == "Revoked"


@pytest.mark.parametrize("kind", ["tdx v5, 1.5", "tdx v5, 1.5 extended"])
def test_a_service_td_is_a_measurement_here_and_refused_there(kind: str) -> None:
    assert judge(world(kind, td=Td(service_td=b"\1" * 48))).accepted == CLAIMED


@each_kind
def test_a_configuration_that_a_qe_needs_counts_here(kind: str) -> None:
    levels = svn_levels("INTEL-SA-00002", _8="ConfigurationNeeded")
    found = judge(world(kind, identified={"tcbLevels": levels}))
    assert found.ours == ("OutOfDate", {"INTEL-SA-00002"})
    assert found.theirs == ("UpToDate", {"INTEL-SA-00002"})


@pytest.mark.parametrize("kind", ["sgx v4", "sgx v5"])
def test_enclaves_in_newer_quotes_are_accepted_here_alone(kind: str) -> None:
    assert judge(world(kind)).accepted == CLAIMED


def test_tcb_info_of_version_2_is_read_here_alone() -> None:
    tcb: dict[str, object] = {f"sgxtcbcomp{n:02}svn": 5 for n in range(1, 17)}
    levels = [level({**tcb, "pcesvn": 11}, "UpToDate")]
    made = world("sgx v3", info={"version": 2, "tcbLevels": levels})
    assert judge(made).accepted == CLAIMED


@each_kind
def test_bytes_after_a_quote_are_refused_here_alone(kind: str) -> None:
    made = world(kind)
    assert judge(made, quote=made.quote() + b"\1").accepted == REFUSED
    assert judge(made, quote=made.quote() + bytes(70)).accepted == (True, True)


@each_kind
def test_a_platform_may_not_sign_documents_here(kind: str) -> None:
    """With its PCK it could call itself, and every other, up to date."""
    made = world(kind)
    made.signing = made.pck
    had, chain = made.endorsements(), pem(made.pck, made.platform, made.root)
    issuers = {f"{role}_issuer_chain": (chain,) for role in ("tcb_info", "qe_identity")}
    collateral = {**had.collateral, **issuers}
    found = judge(made, Endorsements(had.roots, (), collateral))
    assert found.accepted == REFUSED


@each_kind
def test_a_root_on_its_own_list_is_refused_there_alone(kind: str) -> None:
    """A root answers for itself: whoever trusts it has to take it away."""
    made = world(kind)
    listed = made.endorsements(made.root.certificate)
    assert judge(made, listed).accepted == CLAIMED
