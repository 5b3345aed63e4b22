# SPDX-License-Identifier: Apache-2.0
"""Forged Intel quotes of every kind beside dcap-qvl: the same verdict and TCB status.

What is refused here is refused there; what is accepted has the same status. Where the
two differ on purpose (debug, a revoked TCB: refused there, a claim here) is said.
"""

import pytest

from benchmarks.intel_quotes import peer
from strongroom.cli.cases import Case
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Endorsements, HardwareClaims, Trust
from strongroom.errors import StrongroomError
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.dcap.forge import KINDS, SVNS, IntelWorld, world
from tests.hardware.pki import DAY, NOW, Authority

STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)
LOWER = tuple((*SVNS[:n], SVNS[n] - 1, *SVNS[n + 1 :]) for n in range(0, 16, 5))

# dcap-qvl takes SGX quotes of version 3 alone; those of version 5 have a body for them
SHARED_KINDS = [kind for kind in KINDS if kind != "sgx v5"]
each_kind = pytest.mark.parametrize("kind", SHARED_KINDS)


def case_of(
    made: IntelWorld,
    endorsements: Endorsements | None = None,
    *,
    time: int = NOW,
    quote: bytes = b"",
) -> Case:
    """Return a forged world as a case."""
    evidence = made.evidence()
    if quote:
        evidence = type(evidence)(made.tee, {"quote": quote})
    return Case(
        name="forged",
        tee=made.tee,
        evidence=evidence,
        endorsements=endorsements or made.endorsements(),
        time=time,
        bound=None,
        expected=None,
    )


def both(case: Case) -> tuple[HardwareClaims | None, tuple[str, set[str]] | None]:
    """Return what we say and what dcap-qvl says; None for a refusal."""
    try:
        mine = verify_hardware(case.evidence, Trust(case.endorsements), now=case.time)
    except StrongroomError:
        mine = None
    try:
        return mine, peer(case)()
    except ValueError:
        return mine, None


@each_kind
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_the_same(kind: str, status: str) -> None:
    mine, other = both(case_of(world(kind, status=status)))
    assert mine is not None
    assert mine.tcb is not None
    assert (mine.tcb.status, set(mine.tcb.advisories)) == other


@each_kind
@pytest.mark.parametrize("svns", LOWER)
def test_a_component_below_gives_the_same_level(
    kind: str, svns: tuple[int, ...]
) -> None:
    mine, other = both(case_of(world(kind, svns=svns)))
    assert mine is not None
    assert mine.tcb is not None
    assert mine.tcb.status == "OutOfDate"
    assert (mine.tcb.status, set(mine.tcb.advisories)) == other


@each_kind
def test_debug_and_a_revoked_tcb_are_claims_here_and_refusals_there(kind: str) -> None:
    mine, other = both(case_of(world(kind, debug=True)))
    assert mine is not None
    assert (mine.debug, other) == (True, None)
    mine, other = both(case_of(world(kind, status="Revoked")))
    assert mine is not None
    assert mine.tcb is not None
    assert (mine.tcb.status, other) == ("Revoked", None)


@each_kind
def test_what_is_refused_here_is_refused_there(kind: str) -> None:
    made = world(kind)
    had = made.endorsements()

    def revoked(certificate: Certificate) -> Case:
        return case_of(made, made.endorsements(certificate))

    foreign = world(kind, root=Authority("SGX Root CA"))
    unsigned = had.collateral["tcb_info"][0].replace(b'"UpToDate"', b'"UpToDatE"')
    altered = Endorsements((had.roots), (), {**had.collateral, "tcb_info": (unsigned,)})
    quote = made.quote()
    flipped = quote[:100] + bytes([quote[100] ^ 1]) + quote[101:]
    cases = {
        "root": case_of(made, foreign.endorsements()),
        "revoked pck": revoked(made.pck.certificate),
        "revoked platform": revoked(made.platform.certificate),
        "fmspc": case_of(world(kind, fmspc_said=b"\1" * 6)),
        "qe signer": case_of(world(kind, qe_signer_said=b"\1" * 32)),
        "expired": case_of(made, time=NOW + 3 * DAY),
        "tcb info": case_of(made, altered),
        "quote": case_of(made, quote=flipped),
        "cut": case_of(made, quote=quote[:-40]),
    }
    for name, each in cases.items():
        assert both(each) == (None, None), name
