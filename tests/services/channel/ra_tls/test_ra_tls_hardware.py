# SPDX-License-Identifier: Apache-2.0
"""RA-TLS to a program on hardware that speaks for itself: forged SEV-SNP reports."""

import pytest

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.core.rats import HardwareEvidence
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Malformed, StrongroomError
from strongroom.services.attestation.reference_rules import References
from strongroom.services.channel.ra_tls.certificate import Shown, show_hardware
from strongroom.services.channel.ra_tls.connection import client_end, server_end
from strongroom.services.channel.ra_tls.hardware import Hardware
from tests.hardware.ra_tls.forge import snp_evidence, snp_report
from tests.hardware.sev_snp import forge as snp
from tests.services.channel.ra_tls.ra_tls_world import ANYBODY, Wire, wire

SUITES = ("sm", "intl")
VALIDITY = (snp.NOW - 60, snp.NOW + 60)
POLICY = HardwarePolicy.default("bank", ("sev-snp",))


def accepts(policy: HardwarePolicy = POLICY) -> Hardware:
    trust = snp.MILAN.trust()
    return Hardware(trust, policy, lambda: References(now=snp.NOW), lambda: snp.NOW)


def connect(suite_id: str, shown: Shown, policy: HardwarePolicy = POLICY) -> Wire:
    one = client_end(suite_id, None, accepts(policy))
    return wire(one, server_end(suite_id, shown, ANYBODY)).run()


def rule(both: Wire) -> str:
    return both.errors["client"].findings[0].rule


@pytest.mark.parametrize("suite_id", SUITES)
def test_a_program_on_hardware_is_accepted_by_two_reports(suite_id: str) -> None:
    both = connect(suite_id, show_hardware(suite_id, snp_evidence, VALIDITY))
    assert not both.errors
    assert both.client.is_open


def test_hardware_of_another_kind_than_wanted_is_refused() -> None:
    shown = show_hardware("intl", snp_evidence, VALIDITY)
    both = connect("intl", shown, HardwarePolicy.default("bank", ("tdx",)))
    assert isinstance(both.errors["client"], StrongroomError)
    assert not both.client.is_open


def test_a_report_of_before_is_not_a_word_in_this_connection() -> None:
    shown = show_hardware("intl", snp_evidence, VALIDITY)
    old = snp_evidence(b"an old value of 32 bytes........").to_bytes()
    assert rule(connect("intl", Shown(shown.credential, lambda *_: old))) == (
        "ra-tls.fresh"
    )


def test_no_word_at_all_is_refused() -> None:
    shown = show_hardware("intl", snp_evidence, VALIDITY)
    both = connect("intl", Shown(shown.credential, lambda *_: b""))
    assert isinstance(both.errors["client"], Malformed)


@pytest.mark.parametrize(
    "changes",
    [{"measurement": b"\x11" * 48}, {"chip_id": bytes(64)}],
    ids=["program", "chip"],
)
def test_nobody_else_can_give_the_word(changes: dict[str, bytes]) -> None:
    calls: list[bytes] = []

    def collect(bound: bytes) -> HardwareEvidence:
        calls.append(bound)
        changed = changes if len(calls) > 1 else {}
        return HardwareEvidence("sev-snp", {"report": snp_report(bound, **changed)})

    both = connect("intl", show_hardware("intl", collect, VALIDITY))
    assert isinstance(both.errors["client"], StrongroomError)
    assert len(calls) == 2
    if "measurement" in changes:
        assert rule(both) == "ra-tls.program"
