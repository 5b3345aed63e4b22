# SPDX-License-Identifier: Apache-2.0
"""Quotes with an encrypted PPID: their PCK certificate chain is an endorsement."""

import pytest

from strongroom.core.rats import Endorsements, Trust
from strongroom.errors import StrongroomError
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.dcap.forge import KINDS, IntelWorld, pem, world
from tests.hardware.pki import DAY, NOW, Authority

each_kind = pytest.mark.parametrize("kind", KINDS)
ROLE = "pck_certificate_chain"


def endorsed(made: IntelWorld, *chains: bytes, revoked: bool = False) -> Endorsements:
    """Return the world's endorsements with chains of PCK certificates."""
    had = made.endorsements(*[made.pck.certificate] if revoked else [])
    return Endorsements(had.roots, (), {**had.collateral, ROLE: chains})


def status(made: IntelWorld, endorsements: Endorsements) -> str:
    claims = verify_hardware(made.evidence(), Trust(endorsements), now=NOW)
    assert claims.tcb is not None
    return claims.tcb.status


def rule(made: IntelWorld, endorsements: Endorsements) -> str:
    with pytest.raises(StrongroomError) as refused:
        status(made, endorsements)
    return refused.value.findings[0].rule


@each_kind
@pytest.mark.parametrize("certification_type", [1, 2, 3])
def test_the_chain_may_be_an_endorsement(kind: str, certification_type: int) -> None:
    made = world(kind, certification_type=certification_type)
    whole = pem(made.pck, made.platform, made.root)
    assert status(made, endorsed(made, whole)) == "UpToDate"
    each = (made.root.certificate.der, made.platform.certificate.der)
    assert status(made, endorsed(made, *each, made.pck.certificate.der)) == "UpToDate"
    assert rule(made, endorsed(made)) == f"{made.tee}.missing_endorsement.pck"


@each_kind
def test_of_many_platforms_it_is_the_one_that_signed(kind: str) -> None:
    made = world(kind, certification_type=3)
    other = world(kind, root=Authority("SGX Root CA"))
    both = [pem(each.pck, each.platform, each.root) for each in (other, made)]
    assert status(made, endorsed(made, *both)) == "UpToDate"
    assert rule(made, endorsed(made, both[0])).endswith(".root.pck")


@each_kind
def test_a_platforms_other_certificate_did_not_sign(kind: str) -> None:
    made = world(kind, certification_type=3)
    extensions = dict(made.pck.extensions)
    other = Authority("PCK", made.platform, ca=False, extensions=extensions)
    chain = pem(other, made.platform)
    assert rule(made, endorsed(made, chain)) == f"{made.tee}.signature.qe_report"


@each_kind
def test_an_endorsed_chain_is_held_to_the_same_rules(kind: str) -> None:
    made = world(kind, certification_type=3)
    whole = pem(made.pck, made.platform, made.root)
    listed = endorsed(made, whole, revoked=True)
    assert rule(made, listed) == f"{made.tee}.revoked.pck"
    gap = endorsed(made, pem(made.pck, made.root))
    assert rule(made, gap) == f"{made.tee}.chain.pck"
    late = Trust(endorsed(made, whole))
    with pytest.raises(StrongroomError) as refused:
        verify_hardware(made.evidence(), late, now=NOW + 2 * DAY)
    assert refused.value.findings[0].rule == f"{made.tee}.expired.pck"


@each_kind
def test_a_quote_with_a_chain_inside_needs_no_other(kind: str) -> None:
    made, other = world(kind), world(kind)
    foreign = pem(other.pck, other.platform, other.root)
    assert status(made, endorsed(made, foreign)) == "UpToDate"


@each_kind
def test_a_remembered_chain_is_not_that_of_another_quote(kind: str) -> None:
    made = world(kind, certification_type=3)
    trust = Trust(endorsed(made, pem(made.pck, made.platform, made.root)))
    first = verify_hardware(made.evidence(), trust, now=NOW)
    again = verify_hardware(made.evidence(), trust, now=NOW)
    assert first.fields["fmspc"] == again.fields["fmspc"]
    with pytest.raises(StrongroomError):
        verify_hardware(world(kind, certification_type=3).evidence(), trust, now=NOW)
