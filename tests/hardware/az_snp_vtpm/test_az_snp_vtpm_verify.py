# SPDX-License-Identifier: Apache-2.0
"""The TPM in an Azure VM on SEV-SNP: what holds, and what must not."""

from dataclasses import replace

import pytest

from strongroom.core.rats import HardwareClaims
from strongroom.errors import Malformed, Refused, Stale, StrongroomError
from strongroom.hardware.az_snp_vtpm.verify import verify
from tests.hardware.az_snp_vtpm.forge import NOW, Forge
from tests.hardware.sev_snp import forge as snp
from tests.hardware.tcg.forge import NONCE, Ak, Log
from tests.hardware.tcg.paravisor import AK, QUOTE, Paravisor, log_of

VALID = Forge()


def run(forge: Forge) -> HardwareClaims:
    return verify(forge.evidence(), forge.trust(), NOW)


def rule(forge: Forge) -> str:
    with pytest.raises(Refused) as refused:
        run(forge)
    return refused.value.findings[0].rule


def body(**changes: object) -> snp.Forge:
    made = replace(snp.MILAN.body, **changes)  # type: ignore[arg-type]
    return snp.MILAN.with_(body=made)


@pytest.mark.parametrize("hardware", [snp.MILAN, snp.VLEK], ids=["VCEK", "VLEK"])
def test_hardware_vouches_for_the_tpm(hardware: snp.Forge) -> None:
    claims = run(VALID.with_(hardware=hardware))

    assert (claims.bound, claims.bound_as) == (NONCE, "nonce")
    assert claims.key == AK.spki
    assert claims.measurements["pcr.4"] == QUOTE.log.registers()[4]
    assert claims.measurements["measurement"] == snp.MILAN.body.measurement
    assert [each.kind for each in claims.inner] == ["sev-snp"]
    assert claims.fields["runtime_data_sha256"] == claims.inner[0].bound[:32].hex()


def test_fields_show_the_quote_and_the_report() -> None:
    fields = run(VALID).fields

    assert isinstance(fields["quote"], dict)
    assert fields["quote"]["extra_data"] == NONCE.hex()
    assert isinstance(fields["snp"], dict)
    assert fields["snp"]["vmpl"] == 0
    assert "vm_configuration" in fields


def test_an_event_log_leads_to_the_registers() -> None:
    claims = run(VALID.with_(parts=log_of()))

    assert "pcr.4" in {each.register for each in claims.events}
    wrong = VALID.with_(parts=log_of(QUOTE.with_(log=Log(events=()))))
    assert rule(wrong).startswith("az-snp-vtpm.event_log.pcr-")


def test_debugging_of_the_vm_is_debugging_of_its_tpm() -> None:
    assert run(VALID.with_(hardware=body(policy=0xB0000))).debug
    assert not run(VALID).debug


@pytest.mark.parametrize("vmpl", [1, 2, 3, 0xFFFFFFFF])
def test_a_report_that_the_paravisor_did_not_ask_for_is_refused(vmpl: int) -> None:
    assert rule(VALID.with_(hardware=body(vmpl=vmpl))) == "az-snp-vtpm.binding.vmpl"


def test_runtime_data_that_the_hardware_did_not_bind_are_refused() -> None:
    assert rule(VALID.with_(bound=bytes(64))) == "az-snp-vtpm.binding.runtime_data"

    other = Forge(
        Paravisor(claims={"user-data": "00"}), bound=VALID.report()[0x50:0x90]
    )
    assert rule(other) == "az-snp-vtpm.binding.runtime_data"


def test_a_quote_by_another_key_is_refused() -> None:
    stranger = QUOTE.with_(ak=Ak("rsa", "stranger"))

    assert rule(VALID.with_(quote=stranger)) == "az-snp-vtpm.signature.tpm_quote"


def test_registers_that_were_not_quoted_are_refused() -> None:
    parts = {"pcrs": b'{"sha256": {}}'}

    assert rule(VALID.with_(parts=parts)) == "az-snp-vtpm.measurement.pcrs"


def test_sha_1_is_refused() -> None:
    quote = QUOTE.with_(selections=(("sha1", (0,)),))

    assert rule(VALID.with_(quote=quote)) == "az-snp-vtpm.weak_algorithm.pcr_bank"


def test_the_report_inside_must_hold() -> None:
    bare = snp.MILAN.with_(leaves=())
    assert rule(VALID.with_(hardware=bare)).startswith("sev-snp.missing_endorsement")

    late = snp.MILAN.with_(leaf=replace(snp.MILAN.leaf, end=NOW - 1))
    with pytest.raises(Stale):
        run(VALID.with_(hardware=late))


def test_a_tpm_in_another_kind_of_vm_is_refused() -> None:
    with pytest.raises(Malformed, match="report_type"):
        run(VALID.with_(paravisor=Paravisor(report_type=4)))


@pytest.mark.parametrize("role", ["hcl_report", "tpm_quote", "tpm_signature"])
def test_every_part_must_be_there_and_whole(role: str) -> None:
    part = VALID.evidence().parts[role]

    with pytest.raises(Malformed):
        run(VALID.with_(without=(role,)))
    for cut in (0, 1, 40, len(part) // 2):
        with pytest.raises(StrongroomError):
            run(VALID.with_(parts={role: part[:cut]}))


def test_a_changed_bit_anywhere_in_the_report_is_noticed() -> None:
    part = VALID.evidence().parts["hcl_report"]
    for at in range(32, len(part), 41):
        changed = part[:at] + bytes([part[at] ^ 4]) + part[at + 1 :]
        with pytest.raises(StrongroomError):
            run(VALID.with_(parts={"hcl_report": changed}))
