# SPDX-License-Identifier: Apache-2.0
"""The TPM in an Azure VM on TDX: what holds, and what must not."""

import pytest

from strongroom.core.rats import HardwareClaims, Trust
from strongroom.errors import Malformed, Refused, Stale, StrongroomError
from strongroom.hardware.az_tdx_vtpm.verify import verify
from tests.hardware.az_tdx_vtpm.forge import TDX, Forge
from tests.hardware.dcap.forge import world
from tests.hardware.pki import DAY, NOW, Authority
from tests.hardware.tcg.forge import NONCE, Ak, Log
from tests.hardware.tcg.paravisor import AK, QUOTE, Paravisor, log_of

VALID = Forge()


def run(forge: Forge) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), NOW)


def rule(forge: Forge) -> str:
    with pytest.raises(Refused) as refused:
        run(forge)
    return refused.value.findings[0].rule


@pytest.mark.parametrize("kind", ["tdx v4", "tdx v5, 1.0", "tdx v5, 1.5"])
def test_hardware_vouches_for_the_tpm(kind: str) -> None:
    claims = run(VALID.with_(kind=kind))
    assert (claims.bound, claims.bound_as) == (NONCE, "nonce")
    assert claims.key == AK.spki
    assert claims.measurements["pcr.4"] == QUOTE.log.registers()[4]
    assert claims.measurements["mr_td"] == b"\x42" * 48
    assert [each.kind for each in claims.inner] == ["tdx"]
    assert isinstance(claims.fields["tdx"], dict)


def test_an_event_log_leads_to_the_registers() -> None:
    claims = run(VALID.with_(parts=log_of()))
    assert "pcr.4" in {each.register for each in claims.events}
    wrong = VALID.with_(parts=log_of(QUOTE.with_(log=Log(events=()))))
    assert rule(wrong).startswith("az-tdx-vtpm.event_log.pcr-")


def test_debug_and_tcb_status_of_the_td_are_claims() -> None:
    assert run(VALID.with_(hardware={"debug": True})).debug
    claims = run(VALID.with_(hardware={"status": "OutOfDate"}))
    assert claims.inner[0].tcb is not None
    assert claims.inner[0].tcb.status == "OutOfDate"


@pytest.mark.parametrize("name", ["mr_td", "rt_mr0", "rt_mr3", "td_attributes"])
def test_a_td_report_of_another_td_is_refused(name: str) -> None:
    size = 8 if name == "td_attributes" else 48
    other = VALID.with_(said={name: b"\x66" * size})
    assert rule(other) == f"az-tdx-vtpm.binding.{name}"


def test_runtime_data_that_the_hardware_did_not_bind_are_refused() -> None:
    assert rule(VALID.with_(bound=bytes(64))) == "az-tdx-vtpm.binding.runtime_data"
    changed = Paravisor(report_type=TDX, claims={"user-data": "00"})
    other = Forge(changed, bound=VALID.paravisor.report_data())
    assert rule(other) == "az-tdx-vtpm.binding.runtime_data"


def test_a_quote_by_another_key_is_refused() -> None:
    stranger = QUOTE.with_(ak=Ak("rsa", "stranger"))
    assert rule(VALID.with_(quote=stranger)) == "az-tdx-vtpm.signature.tpm_quote"


def test_what_intel_refuses_is_refused_here() -> None:
    made = VALID.world
    revoked = Trust(made.endorsements(made.pck.certificate))
    foreign = Trust(world("tdx v4", root=Authority("SGX Root CA")).endorsements())
    for trust, reason in ((revoked, "revoked"), (foreign, "root")):
        with pytest.raises(Refused) as refused:
            verify(VALID.evidence(), trust, NOW)
        assert refused.value.findings[0].rule == f"tdx.{reason}.pck"
    with pytest.raises(Stale):
        verify(VALID.evidence(), VALID.trust(), NOW + 3 * DAY)


def test_a_report_around_something_else_is_refused() -> None:
    snp = VALID.with_(paravisor=Paravisor(report_type=2))
    with pytest.raises(StrongroomError):
        run(snp)


@pytest.mark.parametrize("role", ["hcl_report", "td_quote", "tpm_quote"])
def test_a_missing_or_cut_part_is_malformed(role: str) -> None:
    with pytest.raises(Malformed):
        run(VALID.with_(without=(role,)))
    whole = VALID.evidence().part(role).rstrip(b"\0")
    for length in range(0, len(whole), max(1, len(whole) // 9)):
        with pytest.raises(StrongroomError):
            run(VALID.with_(parts={role: whole[:length]}))


@pytest.mark.parametrize("role", ["hcl_report", "td_quote", "tpm_quote"])
def test_no_changed_byte_is_believed(role: str) -> None:
    evidence, trust = VALID.evidence(), VALID.trust()
    original, whole = verify(evidence, trust, NOW), evidence.part(role)
    for at in range(0, len(whole), 41):
        changed = bytearray(whole)
        changed[at] ^= 1
        altered = type(evidence)(
            evidence.kind, {**evidence.parts, role: bytes(changed)}
        )
        try:
            assert verify(altered, trust, NOW) == original
        except StrongroomError:
            continue
