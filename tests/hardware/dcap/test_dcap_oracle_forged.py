# SPDX-License-Identifier: Apache-2.0
"""Forged Intel quotes of every kind beside dcap-qvl: the same verdict and TCB status.

Every variant that the forge can make is here: what is refused by one is refused by the
other, what is accepted has the same status and advisories. Where the two differ on
purpose is in test_dcap_oracle_differences.
"""

from collections.abc import Callable
from itertools import product

import pytest

from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Endorsements
from tests.hardware.dcap.forge import (
    FMSPC,
    KINDS,
    PCE_SVN,
    SVNS,
    Enclave,
    IntelWorld,
    Td,
    at,
    level,
    module,
    svn_levels,
    time,
    world,
)
from tests.hardware.dcap.oracle import Both, judge
from tests.hardware.pki import DAY, NOW, Authority

STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)
LOWER = tuple((*SVNS[:n], SVNS[n] - 1, *SVNS[n + 1 :]) for n in range(16))
MODULES = [
    module(1, _6="UpToDate", _4="OutOfDate"),
    module(3, _3="UpToDate"),
]
QE = {"tcbLevels": svn_levels("INTEL-SA-00002", _8="UpToDate", _7="OutOfDate")}
SVN = (at(6, 1, 3), at(4, 1, 3), at(1, 1, 3), at(6, 1, 2), at(3, 3, 3), at(5, 0, 3))
SVN_NOW = (*SVN, at(6, 2, 3), at(6, 1, 1), at(4, 0, 3), at())

# dcap-qvl takes SGX quotes of version 3 alone; versions 4 and 5 have a body for them
SHARED_KINDS = [kind for kind in KINDS if kind not in ("sgx v4", "sgx v5")]
TDX_KINDS = [kind for kind in SHARED_KINDS if kind.startswith("tdx")]
each_kind = pytest.mark.parametrize("kind", SHARED_KINDS)
each_td = pytest.mark.parametrize("kind", TDX_KINDS)


def levels(*rows: tuple[int, int, bytes, str]) -> list[dict[str, object]]:
    """Return platform levels: SGX components, PCE SVN, TDX components, status."""
    return [
        level(
            {
                "sgxtcbcomponents": [{"svn": svn}] * 16,
                "pcesvn": pce,
                "tdxtcbcomponents": [{"svn": each} for each in tdx],
            },
            status,
        )
        for svn, pce, tdx, status in rows
    ]


def same(found: Both) -> bool:
    """Return whether both accepted the quote; their verdicts must be equal."""
    assert found.ours == found.theirs
    return found.ours is not None


@each_kind
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("qe", [9, 8, 7, 6])
def test_a_status_is_the_same(kind: str, status: str, qe: int) -> None:
    made = world(kind, status=status, qe=Enclave(svn=qe), identified=QE)
    assert same(judge(made)) == (qe > 6)


@each_kind
@pytest.mark.parametrize("svns", LOWER)
def test_a_component_below_gives_the_same_level(
    kind: str, svns: tuple[int, ...]
) -> None:
    found = judge(world(kind, svns=svns))
    assert found.ours == found.theirs == ("OutOfDate", {"INTEL-SA-00001"})


@each_kind
@pytest.mark.parametrize("pce_svn", [0, PCE_SVN - 1, PCE_SVN, PCE_SVN + 1])
def test_a_certification_enclave_gives_the_same_level(kind: str, pce_svn: int) -> None:
    assert same(judge(world(kind, pce_svn=pce_svn)))
    listed = levels((5, PCE_SVN, at(), "UpToDate"))
    found = judge(world(kind, pce_svn=pce_svn, info={"tcbLevels": listed}))
    assert same(found) == (pce_svn >= PCE_SVN)


@each_kind
@pytest.mark.parametrize("row", [(6, 11), (5, 12), (6, 12)])
def test_a_platform_below_every_level_is_refused(
    kind: str, row: tuple[int, int]
) -> None:
    listed = levels((*row, at(), "UpToDate"))
    assert not same(judge(world(kind, info={"tcbLevels": listed})))


@each_td
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("svn", SVN)
def test_a_module_gives_the_same_status(kind: str, status: str, svn: bytes) -> None:
    listed = levels((5, 11, at(5, 0, 3), status), (5, 11, at(5, 0, 2), "OutOfDate"))
    info = {"tdxModuleIdentities": MODULES, "tcbLevels": listed}
    found = judge(world(kind, td=Td(svn=svn, svn_now=svn), info=info))
    assert same(found) == (svn != at(1, 1, 3))


@pytest.mark.parametrize("kind", ["tdx v5, 1.5", "tdx v5, 1.5 extended"])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("qe", [8, 7])
def test_the_advice_to_launch_again_is_the_same(
    kind: str, status: str, qe: int
) -> None:
    made = world(kind, qe=Enclave(svn=qe), identified=QE)
    listed = levels((5, 11, at(5, 0, 3), status), (5, 11, at(5, 0, 2), "OutOfDate"))
    made.info = {"tdxModuleIdentities": MODULES, "tcbLevels": listed}
    endorsed, advised = made.endorsements(), set()
    for svn, now in product(SVN, SVN_NOW):
        made.td = Td(svn=svn, svn_now=now)
        found = judge(made, endorsed)
        if same(found) and found.ours is not None:
            advised.add(found.ours[0])
    relaunch = any(each.startswith("TDRelaunchAdvised") for each in advised)
    assert relaunch == (qe == 8 and not status.startswith("OutOfDate"))


Make = Callable[[str], IntelWorld]


def of_type(certification: int) -> Make:
    """Return a maker of worlds whose certification data are of a type."""
    return lambda kind: world(kind, certification_type=certification)


ACCEPTED: dict[str, Make] = {
    "as it is": world,
    "misc masked": lambda kind: world(
        kind, qe=Enclave(misc=1), identified={"miscselectMask": "fe" + "ff" * 3}
    ),
    "misc expected": lambda kind: world(
        kind, qe=Enclave(misc=1), identified={"miscselect": "01" + "00" * 3}
    ),
    "attributes masked": lambda kind: world(
        kind,
        qe=Enclave(attributes=1 | 1 << 70),
        identified={"attributesMask": "ff" * 8 + "00" * 8},
    ),
    "fmspc in upper case": lambda kind: world(
        kind, info={"fmspc": FMSPC.hex().upper()}
    ),
    "current to this second": lambda kind: world(
        kind, info={"nextUpdate": time(NOW)}, identified={"issueDate": time(NOW)}
    ),
    "another evaluation": lambda kind: world(
        kind, identified={"tcbEvaluationDataNumber": 3}
    ),
    "chain without root": lambda kind: world(kind, chain="pck platform"),
    "chain in another order": lambda kind: world(kind, chain="pck root platform"),
    "chain with a zero after it": lambda kind: world(kind, padding=b"\0"),
}
REFUSED: dict[str, Make] = {
    "fmspc": lambda kind: world(kind, fmspc_said=b"\1" * 6),
    "document of the other TEE": lambda kind: world(
        kind, info={"id": "SGX" if "tdx" in kind else "TDX"}
    ),
    "identity of the other QE": lambda kind: world(
        kind, identified={"id": "QE" if "tdx" in kind else "TD_QE"}
    ),
    "identity of version 1": lambda kind: world(kind, identified={"version": 1}),
    "no levels": lambda kind: world(kind, info={"tcbLevels": []}),
    "no levels of the QE": lambda kind: world(kind, identified={"tcbLevels": []}),
    "a status nobody knows": lambda kind: world(kind, status="Unheard"),
    "advice as a status": lambda kind: world(kind, status="TDRelaunchAdvised"),
    "tcb info of tomorrow": lambda kind: world(kind, info={"issueDate": time(NOW + 1)}),
    "identity of tomorrow": lambda kind: world(
        kind, identified={"issueDate": time(NOW + 1)}
    ),
    "tcb info expired": lambda kind: world(kind, info={"nextUpdate": time(NOW - 1)}),
    "identity expired": lambda kind: world(
        kind, identified={"nextUpdate": time(NOW - 1)}
    ),
    "qe signer": lambda kind: world(kind, qe=Enclave(signer=b"\1" * 32)),
    "qe product": lambda kind: world(kind, qe=Enclave(product=2)),
    "qe misc": lambda kind: world(kind, qe=Enclave(misc=1 << 31)),
    "qe debug": lambda kind: world(kind, qe=Enclave(attributes=3)),
    "qe attributes": lambda kind: world(kind, qe=Enclave(attributes=1 | 1 << 70)),
    "qe below": lambda kind: world(kind, qe=Enclave(svn=0)),
    "qe mask too short": lambda kind: world(
        kind, identified={"attributesMask": "ff" * 8}
    ),
    "attestation key": lambda kind: world(kind, qe=Enclave(report_data=bytes(64))),
    "vendor": lambda kind: world(kind, vendor=bytes(16)),
    "key type": lambda kind: world(kind, key_type=3),
    "chain without ca": lambda kind: world(kind, chain="pck root"),
    "chain with the ca first": lambda kind: world(kind, chain="platform pck root"),
    **{f"certification data of type {n}": of_type(n) for n in (0, 1, 2, 3, 4, 6, 7)},
}
TD_REFUSED: dict[str, Make] = {
    "module signer": lambda kind: world(kind, td=Td(signer=b"\1" * 48)),
    "module attributes": lambda kind: world(
        kind, td=Td(module_attributes=b"\1" + bytes(7))
    ),
    "no module": lambda kind: world(kind, info={"tdxModule": None}),
    "module of an unknown version": lambda kind: world(
        kind, td=Td(svn=at(6, 2)), info={"tdxModuleIdentities": MODULES}
    ),
    "no modules with versions": lambda kind: world(kind, td=Td(svn=at(6, 1))),
    "module below": lambda kind: world(
        kind, td=Td(svn=at(1, 1)), info={"tdxModuleIdentities": MODULES}
    ),
    "module with a status nobody knows": lambda kind: world(
        kind, td=Td(svn=at(6, 1)), info={"tdxModuleIdentities": [module(1, _6="?")]}
    ),
}


@each_kind
@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted_here_is_accepted_there(kind: str, name: str) -> None:
    assert same(judge(ACCEPTED[name](kind)))


@each_kind
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_here_is_refused_there(kind: str, name: str) -> None:
    assert not same(judge(REFUSED[name](kind)))


@each_td
@pytest.mark.parametrize("name", TD_REFUSED)
def test_a_td_that_is_refused_here_is_refused_there(kind: str, name: str) -> None:
    assert not same(judge(TD_REFUSED[name](kind)))


@each_kind
def test_endorsements_that_do_not_hold_are_refused_by_both(kind: str) -> None:
    made = world(kind)
    had = made.endorsements()

    def revoked(certificate: Certificate) -> Both:
        return judge(made, made.endorsements(certificate))

    def altered(role: str) -> Both:
        data = had.collateral[role][0].replace(b'"UpToDate"', b'"UpToDatE"')
        rest = {**had.collateral, role: (data,)}
        return judge(made, Endorsements(had.roots, (), rest))

    foreign = world(kind, root=Authority("SGX Root CA"))
    found = {
        "root": judge(made, foreign.endorsements()),
        "revoked pck": revoked(made.pck.certificate),
        "revoked platform": revoked(made.platform.certificate),
        "revoked signer": revoked(made.signing.certificate),
        "tcb info": altered("tcb_info"),
        "qe identity": altered("qe_identity"),
        "later": judge(made, time=NOW + 3 * DAY),
        "earlier": judge(made, time=NOW - 3 * DAY),
    }
    assert {
        name for name, each in found.items() if each.accepted != (False, False)
    } == (set())


@each_kind
def test_no_changed_byte_of_a_quote_is_believed_by_either(kind: str) -> None:
    made = world(kind)
    quote, endorsed = made.quote(), made.endorsements()
    text = quote.index(b"-----BEGIN")
    original = judge(made, endorsed, quote=quote)
    assert same(original)
    for place in range(0, len(quote), 29):
        changed = bytearray(quote)
        changed[place] ^= 1
        found = judge(made, endorsed, quote=bytes(changed))
        assert found.ours in (None, original.ours)
        assert found.theirs in (None, original.theirs)
        if place < text:  # after that, text that may be written otherwise
            assert found.accepted == (False, False), place


@each_kind
def test_a_quote_that_is_cut_is_refused_by_both(kind: str) -> None:
    made = world(kind)
    quote, endorsed = made.quote(), made.endorsements()
    for size in range(0, len(quote), 61):
        found = judge(made, endorsed, quote=quote[:size] or b"\0")
        assert found.accepted == (False, False), size
