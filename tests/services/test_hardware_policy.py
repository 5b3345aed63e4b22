# SPDX-License-Identifier: Apache-2.0
"""The language of hardware policies: what each check accepts, and what never passes."""

from dataclasses import replace

import pytest

from strongroom.core.rats import Tcb
from strongroom.core.rats.hardware_policy import (
    CONTAINED,
    LAUNCH,
    ClaimRule,
    HardwarePolicy,
    NotChecked,
    TcbException,
)
from strongroom.errors import Malformed, Refused, Stale
from strongroom.hardware.refusal import reason_of
from strongroom.hardware.registry import HARDWARE
from strongroom.services.attestation.hardware_appraise import appraise_hardware
from strongroom.services.attestation.hardware_rules import hardware_findings
from strongroom.services.attestation.reference_rules import References
from tests.services.hardware_claims import (
    DAY,
    NEW,
    NONCE,
    NOW,
    OLD,
    OPEN,
    claims,
    policy,
    rule,
    rules_broken,
)

ATTRIBUTES = "fields.td_attributes"


@pytest.mark.parametrize(
    "passes",
    [
        rule("measurements.mr_td", "is", OLD),
        rule("measurements.mr_td", "is", OLD.upper()),
        rule("measurements.mr_td", "one_of", NEW, OLD),
        rule("measurements.mr_td", "none_of", NEW),
        rule("measurements.rtmr.0", "is", "01" * 48),
        rule("format", "is", "TDX quote v4"),
        rule("fields.secure", "is", True),
        rule("fields.vmpl", "one_of", 0, 3),
        rule("fields.pcrs.1", "is", "bb"),
        rule("fields.pcrs", "one_of", "aa", "bb", "cc"),
        rule("fields.pcrs", "none_of", "dd"),
        rule("fields.tcb.boot.svn", "at_least", 4),
        rule("svns.tee_tcb_svn", "at_least", 5),
        rule("svns.tee_tcb_svn", "at_most", 5),
        rule("tcb.status", "is", "UpToDate"),
        rule("tcb.date", "at_least", NOW - 40 * DAY),
        rule("tcb.advisories", "one_of", "INTEL-SA-00615"),
        rule(ATTRIBUTES, "bits_set", "0000001000000000"),
        rule(ATTRIBUTES, "bits_clear", "0100000000000000"),
        rule("fields.vmpl", "bits_set", 2),
        rule("fields.vmpl", "bits_clear", 4),
    ],
    ids=lambda each: f"{each.claim} {each.check} {each.values[0]}",
)
def test_a_rule_that_holds(passes: ClaimRule) -> None:
    assert rules_broken(claims(), policy(passes)) == []


@pytest.mark.parametrize(
    "fails",
    [
        rule("measurements.mr_td", "is", NEW),
        rule("measurements.mr_td", "one_of", NEW),
        rule("measurements.mr_td", "none_of", NEW, OLD),
        rule("measurements.mr_td", "at_least", 1),
        rule("fields.secure", "is", 1),
        rule("fields.vmpl", "is", "3"),
        rule("fields.vmpl", "is", True),
        rule("fields.vmpl", "none_of", "3"),
        rule("fields.pcrs", "is", "aa"),
        rule("fields.pcrs", "one_of", "aa"),
        rule("fields.pcrs", "none_of", "bb"),
        rule("fields.tcb", "is", "boot"),
        rule("svns.tee_tcb_svn", "at_least", 6),
        rule("svns.tee_tcb_svn", "at_most", 4),
        rule("fields.secure", "at_least", 0),
        rule("tcb.date", "at_least", NOW),
        rule(ATTRIBUTES, "bits_set", "0100001000000000"),
        rule(ATTRIBUTES, "bits_clear", "0000001000000000"),
        rule(ATTRIBUTES, "bits_clear", "01"),
        rule(ATTRIBUTES, "bits_clear", 1),
        rule("format", "bits_clear", "00" * 6),
        rule("fields.vmpl", "bits_set", 4),
    ],
    ids=lambda each: f"{each.claim} {each.check} {each.values[0]}",
)
def test_a_rule_that_does_not_hold(fails: ClaimRule) -> None:
    found = rules_broken(claims(), policy(fails))
    assert len(found) == 1
    assert found[0].startswith("tdx.")
    assert found[0].endswith(".it")


@pytest.mark.parametrize("check", ["is", "one_of", "none_of", "at_most", "bits_clear"])
@pytest.mark.parametrize(
    "path",
    [
        "measurements.mr_seam",
        "fields.pcrs.2",
        "fields.pcrs.x",
        "fields.vmpl.x",
        "svns",
        "issued_at",
        "key",
        "measurements.mr_td.more",
    ],
)
def test_what_is_absent_does_not_pass(path: str, check: str) -> None:
    number = check in ("at_most", "bits_clear")
    found = rules_broken(
        claims(svns={}), policy(rule(path, check, 0 if number else "x"))
    )
    assert len(found) == 1


def test_a_claim_that_says_none_is_absent() -> None:
    found = claims(tcb=Tcb("UpToDate", (), None), fields={"date": None})
    for path in ("tcb.date", "fields.date"):
        assert len(rules_broken(found, policy(rule(path, "none_of", "x")))) == 1
    assert len(rules_broken(claims(tcb=None), policy(rule("tcb.status", "is", "x"))))


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("measurements.mr_td", "measurement"),
        ("fields.vmpl", "measurement"),
        ("svns.tee_tcb_svn", "tcb_out_of_date"),
        ("tcb.status", "tcb_out_of_date"),
        ("key", "binding"),
        ("format", "format"),
        ("bound", "report_data"),
    ],
)
def test_a_finding_names_kind_reason_and_rule(claim: str, reason: str) -> None:
    wanted = policy(rule(claim, "is", "other", remedy="Ask the bank."))
    (finding,) = hardware_findings(claims(), wanted, NONCE)
    assert finding.rule == f"tdx.{reason}.it"
    assert reason_of(finding) == reason
    assert finding.remedy == "Ask the bank."
    assert finding.expected.startswith(claim)


def test_every_finding_is_told_at_once() -> None:
    bad = claims(debug=True, tcb=Tcb("OutOfDate", ("SA-1",), 0), bound=b"old")
    wanted = policy(
        replace(rule("measurements.mr_td", "is", NEW), id="td"),
        replace(rule("svns.tee_tcb_svn", "at_least", 9), id="svn"),
    )
    assert rules_broken(bad, wanted) == [
        "tdx.debug",
        "tdx.tcb_out_of_date",
        "tdx.measurement.td",
        "tdx.tcb_out_of_date.svn",
        "tdx.report_data",
    ]


def test_rules_are_about_their_kinds() -> None:
    wanted = policy(
        rule("measurements.mr_td", "is", NEW, kinds=("sev-snp",)),
        kinds=("tdx", "sev-snp"),
    )
    assert rules_broken(claims(), wanted) == []
    assert rules_broken(claims(kind="sev-snp"), wanted) == ["sev-snp.measurement.it"]


def test_evidence_inside_is_judged_by_its_own_kind() -> None:
    inner = claims(debug=True, inner=(), tcb=Tcb("Revoked", (), 0))
    outer = claims(kind="az-tdx-vtpm", inner=(inner,))
    wanted = policy(
        rule("measurements.mr_td", "is", NEW, kinds=("tdx",)),
        kinds=("az-tdx-vtpm",),
        inner_kinds=("tdx",),
    )
    assert rules_broken(outer, wanted) == [
        "tdx.debug",
        "tdx.tcb_revoked",
        "tdx.measurement.it",
    ]


def test_kinds_are_denied_unless_named() -> None:
    inner = claims()
    outer = claims(kind="az-tdx-vtpm", inner=(inner,))
    assert rules_broken(claims(kind="sgx"), policy()) == ["sgx.kind"]
    assert rules_broken(outer, policy(kinds=("az-tdx-vtpm",))) == ["tdx.kind"]
    both = policy(kinds=("az-tdx-vtpm",), inner_kinds=("tdx",))
    assert rules_broken(outer, both) == []
    assert rules_broken(inner, both) == ["tdx.kind"], "inside is not by itself"


def test_tcb_statuses_and_exceptions() -> None:
    late = claims(tcb=Tcb("OutOfDate", ("SA-1",), 0))
    exception = TcbException(
        statuses=("OutOfDate",),
        advisories=("SA-1", "SA-2"),
        until=NOW + DAY,
        reason="update window",
    )
    wanted = policy(tcb_exceptions=(exception,))
    broken = ["tdx.tcb_out_of_date"]
    assert rules_broken(late, policy()) == broken
    assert rules_broken(late, wanted) == []
    assert rules_broken(late, wanted, References(now=NOW + DAY)) == broken
    assert rules_broken(late, wanted, References()) == broken, "nobody said when it is"
    other = claims(tcb=Tcb("OutOfDate", ("SA-3",), 0))
    assert rules_broken(other, wanted) == broken
    elsewhere = replace(exception, kinds=("sgx",))
    kinds = ("tdx", "sgx")
    assert (
        rules_broken(late, policy(tcb_exceptions=(elsewhere,), kinds=kinds)) == broken
    )
    appraisal = appraise_hardware(late, wanted, NONCE, References(now=NOW))
    assert "tdx.tcb.status OutOfDate: update window" in appraisal.unchecked


def test_appraisal_tells_decisions_and_what_is_open() -> None:
    wanted = policy(rule("measurements.mr_td", "is", OLD))
    found = appraise_hardware(claims(), wanted, None, References(now=NOW))
    found.require()
    assert found.accepted
    assert [(each.rule, each.holds) for each in found.decisions] == [
        ("tdx.measurement.it", True)
    ]
    assert found.unchecked[0] == "tdx.measurements: a test of something else"
    assert found.unchecked[1].startswith("the nonce")
    assert found.not_proven == ("what runs later",)
    assert len(found.policy_digest) == 64


def test_a_refusal_is_stale_only_where_the_nonce_is_all() -> None:
    wanted = policy(rule("bound", "is", "00"))
    with pytest.raises(Stale):
        appraise_hardware(claims(), policy(), b"other", References()).require()
    for bound in (b"other", NONCE):
        with pytest.raises(Refused) as caught:
            appraise_hardware(claims(), wanted, bound, References()).require()
        assert type(caught.value) is Refused


@pytest.mark.parametrize("kind", LAUNCH)
def test_the_launch_measurement_is_ruled_or_left_open_with_a_reason(kind: str) -> None:
    with pytest.raises(Malformed, match="not_checked"):
        HardwarePolicy(owner="bank", kinds=(kind,))
    ruled = rule(f"{LAUNCH[kind][0]}", "is", "00")
    HardwarePolicy(owner="bank", kinds=(kind,), rules=(ruled,))
    for idle in (replace(ruled, claim="fields.x"), replace(ruled, check="none_of")):
        with pytest.raises(Malformed, match=kind):
            HardwarePolicy(owner="bank", kinds=(kind,), rules=(idle,))
    opened = NotChecked(claim=LAUNCH[kind][0], reason="nobody knows it yet")
    left = HardwarePolicy(owner="bank", kinds=(kind,), not_checked=(opened,))
    assert left.unchecked_for(kind) == (
        f"{kind}.{LAUNCH[kind][0]}: nobody knows it yet",
    )


def test_one_pcr_accounts_for_a_measured_boot() -> None:
    ruled = rule("measurements.pcr.4", "is", "00")
    HardwarePolicy(owner="bank", kinds=("tpm2",), rules=(ruled,))


@pytest.mark.parametrize("kind", HARDWARE)
def test_the_default_policy_of_every_kind(kind: str) -> None:
    made = HardwarePolicy.default("me", (kind,))
    assert made.inner_kinds == tuple(sorted(CONTAINED.get(kind, ())))
    assert made.unchecked_for(kind)[0].startswith(f"{kind}.measurements: ")
    assert HardwarePolicy.from_bytes(made.to_bytes()) == made


def test_the_tables_name_kinds_that_there_are() -> None:
    inner = {kind for kinds in CONTAINED.values() for kind in kinds}
    assert {*LAUNCH, *CONTAINED, *inner} <= set(HARDWARE)
    assert set(HARDWARE) - set(LAUNCH) == {"ra-tls", "ibm-se"}


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": ""},
        {"kinds": ()},
        {"tcb_statuses": ("UpToDate", "Revoked")},
        {"rules": (rule("format", "is", "x"), rule("format", "is", "y"))},
        {"rules": (rule("format", "is", "x", kinds=("tdxx",)),)},
        {"rules": (rule("measurements.mr_td", "reference", "payroll"),)},
        {"reference_signers": (b"short",)},
        {"not_checked": ()},
        {"inner_kinds": ("sgx",), "not_checked": (replace(OPEN, kinds=("tdx",)),)},
    ],
)
def test_a_policy_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        policy(**changes)


@pytest.mark.parametrize(
    ("claim", "check", "values"),
    [
        ("debug", "is", (True,)),
        ("kind", "is", ("tdx",)),
        ("fields..x", "is", ("x",)),
        ("fields." + "x" * 300, "is", ("x",)),
        ("format", "is", ()),
        ("format", "is", ("a", "b")),
        ("format", "one_of", ()),
        ("svns.x", "at_least", ("4",)),
        ("svns.x", "at_least", (True,)),
        ("svns.x", "bits_set", ("0x1",)),
        ("svns.x", "bits_set", (-1,)),
        ("svns.x", "bits_set", (True,)),
        ("format", "reference", (3,)),
        ("format", "reference", ("",)),
    ],
)
def test_a_rule_that_cannot_be(
    claim: str, check: str, values: tuple[object, ...]
) -> None:
    with pytest.raises(Malformed):
        rule(claim, check, *values)


def test_what_else_cannot_be() -> None:
    with pytest.raises(Malformed, match="lower-case"):
        replace(rule("format", "is", "x"), id="A rule")
    with pytest.raises(Malformed, match="why"):
        NotChecked(claim="measurements", reason=" ")
    good = TcbException(statuses=("OutOfDate",), advisories=(), until=NOW, reason="x")
    for changes in ({"statuses": ("Revoked",)}, {"until": 2**50}, {"reason": ""}):
        with pytest.raises(Malformed):
            replace(good, **changes)


def test_debug_is_refused_inside_too_and_by_every_policy() -> None:
    outer = claims(kind="ra-tls", inner=(claims(debug=True),))
    everything = HardwarePolicy.default("lenient", ("ra-tls", "tdx"))
    assert rules_broken(outer, everything) == ["tdx.debug"]
