# SPDX-License-Identifier: Apache-2.0
"""TCB info and QE identity as Intel's library reads them, and who may sign them."""

import pytest

from strongroom.core.rats import Trust
from strongroom.errors import Malformed, Untrusted
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.dcap.forge import (
    PCE_SVN,
    SVNS,
    IntelWorld,
    Td,
    at,
    level as tcb_level,
    module,
    world,
)
from tests.hardware.pki import NOW

ZERO = (0,) * 16


def status(made: IntelWorld) -> str:
    trust = Trust(made.endorsements())
    found = verify_hardware(made.evidence(), trust, now=NOW).tcb
    assert found is not None
    return found.status


def level(svns: tuple[int, ...], status: str) -> dict[str, object]:
    components = [{"svn": each} for each in svns]
    none = [{"svn": 0}] * 16
    tcb = {"sgxtcbcomponents": components, "tdxtcbcomponents": none, "pcesvn": PCE_SVN}
    return tcb_level(tcb, status)


@pytest.mark.parametrize("kind", ["sgx v3", "tdx v4"])
def test_the_highest_level_counts_wherever_it_stands(kind: str) -> None:
    levels = [level(ZERO, "OutOfDate"), level(SVNS, "UpToDate")]
    assert status(world(kind, info={"tcbLevels": levels})) == "UpToDate"


@pytest.mark.parametrize("said", [{"tcbType": 1}, {"version": 4}, {"id": None}])
def test_a_tcb_info_of_another_form_is_malformed(said: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        status(world("sgx v3", info=said))


@pytest.mark.parametrize("name", ["Unheard", "TDRelaunchAdvised"])
def test_a_status_that_no_level_has_makes_a_document_malformed(name: str) -> None:
    levels = [level(SVNS, "UpToDate"), level(ZERO, name)]
    with pytest.raises(Malformed):
        status(world("sgx v3", info={"tcbLevels": levels}))


def test_a_module_is_found_by_its_id_in_any_case() -> None:
    listed = [{**module(0x0A, _1="UpToDate"), "id": "tdx_0a"}]
    made = world("tdx v4", td=Td(at(1, 0x0A)), info={"tdxModuleIdentities": listed})
    assert status(made) == "UpToDate"


def test_a_time_without_a_zone_is_malformed() -> None:
    with pytest.raises(Malformed):
        status(world("sgx v3", info={"issueDate": "2020-01-01T00:00:00"}))


@pytest.mark.parametrize("signer", ["pck", "platform", "root"])
def test_only_a_signer_of_documents_signs_documents(signer: str) -> None:
    made = world("sgx v3")
    made.signing = getattr(made, signer)
    with pytest.raises(Untrusted) as refused:
        status(made)
    assert refused.value.findings[0].rule == "sgx.chain.tcb_info"
