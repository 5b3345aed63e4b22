# SPDX-License-Identifier: Apache-2.0
"""SGX and TDX quotes of our own making: what holds, and each way not to."""

import pytest

from strongroom.core.rats import (
    Endorsements,
    HardwareClaims,
    HardwareEvidence,
    Trust,
)
from strongroom.errors import Malformed, StrongroomError
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.dcap.forge import KINDS, IntelWorld, world
from tests.hardware.pki import DAY, NOW, Authority

each_kind = pytest.mark.parametrize("kind", KINDS)


def verify(
    made: IntelWorld, endorsements: Endorsements | None = None, now: int = NOW
) -> HardwareClaims:
    """Verify the world's own quote."""
    trust = Trust(endorsements or made.endorsements())
    return verify_hardware(made.evidence(), trust, now=now)


def rule(made: IntelWorld, endorsements: Endorsements | None = None) -> str:
    """Return the rule that refuses the world's quote."""
    with pytest.raises(StrongroomError) as refused:
        verify(made, endorsements)
    return refused.value.findings[0].rule


def without(made: IntelWorld, role: str) -> Endorsements:
    """Return the world's endorsements but for one role."""
    had = made.endorsements()
    rest = {name: each for name, each in had.collateral.items() if name != role}
    return Endorsements(had.roots, (), rest)


@each_kind
def test_a_quote_says_what_was_quoted(kind: str) -> None:
    made = world(kind)
    claims = verify(made)
    assert (claims.kind, claims.bound, claims.debug) == (made.tee, b"r" * 64, False)
    assert claims.tcb is not None
    assert (claims.tcb.status, claims.tcb.advisories) == ("UpToDate", ())
    launch = claims.measurements["mr_td" if made.tee == "tdx" else "mr_enclave"]
    assert set(launch) == {0x42}
    assert claims.fields["quote_version"] == made.version


@each_kind
def test_debug_and_tcb_status_are_claims(kind: str) -> None:
    assert verify(world(kind, debug=True)).debug
    tcb = verify(world(kind, status="SWHardeningNeeded")).tcb
    assert tcb is not None
    assert (tcb.status, tcb.advisories) == ("SWHardeningNeeded", ("INTEL-SA-00001",))
    old = verify(world(kind, svns=(4,) * 16)).tcb
    assert old is not None
    assert old.status == "OutOfDate"


@each_kind
@pytest.mark.parametrize(
    "role",
    [
        "tcb_info",
        "tcb_info_issuer_chain",
        "qe_identity",
        "qe_identity_issuer_chain",
        "pck_crl",
        "root_ca_crl",
    ],
)
def test_a_missing_endorsement_is_named(kind: str, role: str) -> None:
    made = world(kind)
    assert rule(made, without(made, role)) == f"{made.tee}.missing_endorsement.{role}"


@each_kind
@pytest.mark.parametrize("role", ["pck_crl", "root_ca_crl"])
def test_a_damaged_list_is_named(kind: str, role: str) -> None:
    made = world(kind)
    had = made.endorsements()
    cut = {**had.collateral, role: (had.collateral[role][0][:-1],)}
    damaged = Endorsements(had.roots, (), cut)
    assert rule(made, damaged) == f"{made.tee}.format.{role}"


@each_kind
def test_roots_of_others_revoked_keys_and_other_families_are_refused(
    kind: str,
) -> None:
    made = world(kind)
    tee = made.tee
    other = world(kind, root=Authority("SGX Root CA"))
    assert rule(made, other.endorsements()) == f"{tee}.root.pck"
    for revoked in (made.pck, made.platform):
        listed = made.endorsements(revoked.certificate)
        assert rule(made, listed) == f"{tee}.revoked.pck"
    assert rule(world(kind, fmspc_said=b"\1" * 6)).endswith("mismatch.fmspc")
    assert rule(world(kind, qe_signer_said=b"\1" * 32)).endswith("qe_identity")
    assert rule(world(kind, certification_type=1)).endswith("missing_endorsement.pck")


@each_kind
def test_documents_count_in_their_time_only(kind: str) -> None:
    assert rule(world(kind, next_update=NOW - 1)).endswith("expired.tcb_info")
    made = world(kind, next_update=NOW + 2 * DAY)
    with pytest.raises(StrongroomError) as refused:
        verify(made, now=NOW + DAY + 1)
    assert refused.value.findings[0].rule.split(".")[1] == "expired"


@each_kind
def test_a_document_that_intel_did_not_sign_is_refused(kind: str) -> None:
    made = world(kind)
    had = made.endorsements()
    for role in ("tcb_info", "qe_identity"):
        altered = had.collateral[role][0].replace(b'"UpToDate"', b'"UpToDatE"')
        forged = Endorsements(had.roots, (), {**had.collateral, role: (altered,)})
        assert rule(made, forged) == f"{made.tee}.signature.{role}"


@each_kind
def test_no_changed_byte_of_a_quote_is_believed(kind: str) -> None:
    made = world(kind)
    trust, quote = Trust(made.endorsements()), made.quote()
    original = verify_hardware(
        HardwareEvidence(made.tee, {"quote": quote}), trust, now=NOW
    )
    for at in range(0, len(quote), 13):
        changed = bytearray(quote)
        changed[at] ^= 1
        evidence = HardwareEvidence(made.tee, {"quote": bytes(changed)})
        try:
            assert verify_hardware(evidence, trust, now=NOW) == original
        except StrongroomError:
            continue


@each_kind
def test_a_quote_that_is_cut_or_grown_is_malformed(kind: str) -> None:
    made = world(kind)
    trust, quote = Trust(made.endorsements()), made.quote()
    cut = [quote[:n] for n in range(0, len(quote), 37)]
    for data in (*cut, quote + b"\1", quote + bytes(70) + b"\1"):
        with pytest.raises(Malformed):
            verify_hardware(HardwareEvidence(made.tee, {"quote": data}), trust, now=NOW)


@each_kind
def test_zeros_after_a_quote_say_nothing(kind: str) -> None:
    made = world(kind)
    trust, quote = Trust(made.endorsements()), made.quote()
    first, *others = [
        verify_hardware(
            HardwareEvidence(made.tee, {"quote": quote + bytes(n)}), trust, now=NOW
        )
        for n in (0, 1, 70, 3065)
    ]
    assert others == [first] * 3


@each_kind
@pytest.mark.parametrize("chain", ["root", "root platform", "root root"])
def test_the_root_itself_is_no_pck(kind: str, chain: str) -> None:
    refused = rule(world(kind, chain=chain))
    assert refused == f"{world(kind).tee}.chain.pck"
