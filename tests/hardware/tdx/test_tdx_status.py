# SPDX-License-Identifier: Apache-2.0
"""How up to date a TD is: module, platform, quoting enclave; then and now."""

from collections.abc import Mapping

import pytest

from strongroom.core.rats import Tcb
from strongroom.errors import Malformed, StrongroomError
from strongroom.hardware.tdx.verify import verify
from tests.hardware.dcap.forge import (
    MODULE,
    PCE_SVN,
    SVNS,
    Enclave,
    Td,
    at,
    level,
    module,
    svn_levels,
)
from tests.hardware.pki import NOW
from tests.hardware.tdx.forge import Forge

MODULES = [
    module(1, _6="UpToDate", _4="OutOfDate", _2="Revoked"),
    module(3, _3="UpToDate"),
]
QE = svn_levels("INTEL-SA-00002", _8="UpToDate", _7="OutOfDate", _6="Revoked")
NEW, OLD, BAD, OTHER = at(6, 1, 3), at(4, 1, 3), at(2, 1, 3), at(3, 3, 3)
LATE = at(6, 1, 2)
"""A current module on a platform whose microcode is behind."""


def platform(*statuses: str) -> list[dict[str, object]]:
    """Return the levels of a platform whose third component counts down from 3."""
    return [
        level(
            {
                "sgxtcbcomponents": [{"svn": each} for each in SVNS],
                "pcesvn": PCE_SVN,
                "tdxtcbcomponents": [{"svn": each} for each in at(5, 0, 3 - behind)],
            },
            status,
        )
        for behind, status in enumerate(statuses)
    ]


def made(
    svn: bytes,
    now: bytes | None = None,
    status: str = "UpToDate",
    *,
    qe: int = 8,
    said: Mapping[str, object] | None = None,
) -> Forge:
    info = {
        "tdxModuleIdentities": MODULES,
        "tcbLevels": platform(status, "OutOfDate"),
        **(said or {}),
    }
    kind = "tdx v4" if now is None else "tdx v5, 1.5"
    td = Td(svn=svn, svn_now=svn if now is None else now)
    changes = {"info": info, "qe": Enclave(svn=qe), "identified": {"tcbLevels": QE}}
    return Forge(kind, td=td, changes=changes)


def tcb(forge: Forge) -> Tcb:
    found = verify(*forge.made(), NOW).tcb
    assert found is not None
    return found


def rule(forge: Forge) -> str:
    with pytest.raises(StrongroomError) as refused:
        verify(*forge.made(), NOW)
    return refused.value.findings[0].rule


@pytest.mark.parametrize(
    ("svn", "status"),
    [(NEW, "UpToDate"), (OTHER, "UpToDate"), (OLD, "OutOfDate"), (BAD, "Revoked")],
)
def test_a_module_with_a_version_is_judged_by_its_own_levels(
    svn: bytes, status: str
) -> None:
    found = tcb(made(svn))
    assert found.status == status
    assert found.advisories == (() if status == "UpToDate" else ("INTEL-SA-00003",))


def test_a_module_without_a_version_is_judged_with_the_platform() -> None:
    assert tcb(made(at(5, 0, 3))).status == "UpToDate"
    assert rule(made(at(4, 0, 3))) == "tdx.tcb_out_of_date.platform"


def test_a_component_after_the_module_is_judged_with_the_platform() -> None:
    assert tcb(made(LATE)).status == "OutOfDate"
    assert rule(made(at(6, 1, 1))) == "tdx.tcb_out_of_date.platform"


@pytest.mark.parametrize(
    ("status", "behind"),
    [
        ("UpToDate", "OutOfDate"),
        ("SWHardeningNeeded", "OutOfDate"),
        ("ConfigurationNeeded", "OutOfDateConfigurationNeeded"),
        ("ConfigurationAndSWHardeningNeeded", "OutOfDateConfigurationNeeded"),
        ("OutOfDate", "OutOfDate"),
        ("OutOfDateConfigurationNeeded", "OutOfDateConfigurationNeeded"),
        ("Revoked", "Revoked"),
    ],
)
def test_a_part_that_is_behind_makes_the_whole_so(status: str, behind: str) -> None:
    assert tcb(made(NEW, status=status)).status == status
    assert tcb(made(OLD, status=status)).status == behind
    assert tcb(made(NEW, status=status, qe=7)).status == behind
    assert tcb(made(OLD, status=status, qe=6)).status == "Revoked"


@pytest.mark.parametrize("now", [NEW, OTHER])
@pytest.mark.parametrize("svn", [OLD, LATE])
def test_who_alone_is_behind_is_advised_to_launch_again(svn: bytes, now: bytes) -> None:
    assert tcb(made(svn, now)).status == "TDRelaunchAdvised"
    assert tcb(made(svn, now, "SWHardeningNeeded")).status == "TDRelaunchAdvised"
    for status in ("ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"):
        found = tcb(made(svn, now, status)).status
        assert found == "TDRelaunchAdvisedConfigurationNeeded"


def test_the_advice_keeps_what_was_wrong() -> None:
    assert tcb(made(OLD, NEW)).advisories == ("INTEL-SA-00003",)


@pytest.mark.parametrize("now", [OLD, LATE])
def test_who_is_behind_where_the_platform_is_too_is_out_of_date(now: bytes) -> None:
    assert tcb(made(OLD, now)).status == "OutOfDate"


@pytest.mark.parametrize("status", ["OutOfDate", "OutOfDateConfigurationNeeded"])
def test_a_platform_that_is_behind_advises_nothing(status: str) -> None:
    assert tcb(made(OLD, NEW, status)).status == status


def test_a_quoting_enclave_that_is_behind_is_so_now_too() -> None:
    assert tcb(made(OLD, NEW, qe=7)).status == "OutOfDate"
    assert tcb(made(OLD, NEW, qe=6)).status == "Revoked"


def test_a_launch_that_was_up_to_date_stays_so() -> None:
    for now in (OLD, LATE, OTHER):
        assert tcb(made(NEW, now)).status == "UpToDate"


def test_what_now_runs_on_what_is_revoked_is_revoked() -> None:
    for svn in (NEW, OLD):
        assert tcb(made(svn, BAD)).status == "Revoked"
    assert tcb(made(BAD, NEW)).status == "Revoked"


def test_what_now_runs_below_every_level_is_refused() -> None:
    assert rule(made(NEW, at(1, 1, 3))) == "tdx.tcb_out_of_date.tdx_module"
    assert rule(made(NEW, at(6, 1, 1))) == "tdx.tcb_out_of_date.platform"
    assert rule(made(NEW, at(6, 2, 3))) == "tdx.collateral_mismatch.tdx_module"


def test_only_a_report_that_says_what_runs_now_is_advised() -> None:
    forge = made(OLD, NEW)
    assert tcb(forge.with_(kind="tdx v4")).status == "OutOfDate"
    assert tcb(forge.with_(kind="tdx v5, 1.0")).status == "OutOfDate"
    extended = tcb(forge.with_(kind="tdx v5, 1.5 extended"))
    assert extended.status == "TDRelaunchAdvised"


@pytest.mark.parametrize("svn", [at(5, 0, 3), NEW], ids=["no version", "version 1"])
@pytest.mark.parametrize(
    "changed",
    [
        {"signer": b"\1" * 48},
        {"module_attributes": b"\1" + bytes(7)},
        {"module_attributes": bytes(7) + b"\x80"},
    ],
    ids=["signer", "attributes", "last attribute"],
)
def test_another_module_is_refused(svn: bytes, changed: dict[str, object]) -> None:
    forge = made(svn)
    td = Td(svn=svn, **changed)  # type: ignore[arg-type]
    assert rule(forge.with_(td=td)) == "tdx.collateral_mismatch.tdx_module"


def test_a_mask_hides_no_attribute_of_a_module() -> None:
    unmasked = {"tdxModule": {**MODULE, "attributesMask": "00" * 8}}
    forge = made(at(5, 0, 3), said=unmasked)
    td = Td(svn=at(5, 0, 3), module_attributes=b"\1" + bytes(7))
    assert tcb(forge).status == "UpToDate"
    assert rule(forge.with_(td=td)) == "tdx.collateral_mismatch.tdx_module"


@pytest.mark.parametrize("version", [2, 4, 255])
def test_a_module_of_a_version_that_is_not_listed_is_refused(version: int) -> None:
    forge = made(at(9, version, 3))
    assert rule(forge) == "tdx.collateral_mismatch.tdx_module"


def test_a_module_below_every_level_is_refused() -> None:
    assert rule(made(at(1, 1, 3))) == "tdx.tcb_out_of_date.tdx_module"


@pytest.mark.parametrize("status", ["Unheard", "TDRelaunchAdvised", ""])
def test_a_status_that_no_level_has_is_never_passed_on(status: str) -> None:
    listed = {"tdxModuleIdentities": [module(1, _6=status)]}
    for forge in (made(NEW, status=status), made(NEW, said=listed)):
        with pytest.raises(Malformed):
            tcb(forge)


def test_a_tcb_info_of_version_2_says_nothing_of_tds() -> None:
    old = {f"sgxtcbcomp{n:02}svn": 0 for n in range(1, 17)} | {"pcesvn": 0}
    said = {"version": 2, "tcbLevels": [level({**old}, "UpToDate")]}
    assert rule(made(NEW, said=said)).startswith("tdx.")
