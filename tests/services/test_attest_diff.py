# SPDX-License-Identifier: Apache-2.0
"""What changed between two pieces of evidence or two policies; paths of claims."""

from dataclasses import replace

import pytest

from strongroom.core.rats import HardwareEvidence, LoggedEvent, Tcb
from strongroom.core.rats.hardware import Field
from strongroom.services.attestation.claim_paths import find, flat, tree
from strongroom.services.attestation.diff import (
    Difference,
    diff_claims,
    diff_policies,
    diff_unverified,
)
from strongroom.services.attestation.explain import explained, unverified
from tests.services.hardware_claims import NEW, OLD, claims, event, policy, rule


def paths(found: tuple[Difference, ...]) -> dict[str, str]:
    return {each.path: each.change for each in found}


def test_the_same_claims_do_not_differ() -> None:
    assert diff_claims(claims(), claims()) == ()
    assert diff_policies(policy(), policy()) == ()


def test_claims_are_compared_by_path() -> None:
    other = claims(
        measurements={"mr_td": bytes.fromhex(NEW)},
        svns={"tee_tcb_svn": 5, "more": 1},
        tcb=None,
    )
    found = diff_claims(claims(), other)
    assert paths(found) == {
        "tcb.status": "removed",
        "tcb.date": "removed",
        "measurements.mr_td": "changed",
        "measurements.rtmr.0": "removed",
        "svns.more": "added",
    }
    changed = next(each for each in found if each.path == "measurements.mr_td")
    assert (changed.left, changed.right) == (OLD, NEW)


def test_advisories_are_compared_by_name_in_whatever_order() -> None:
    one = Tcb("OutOfDate", ("SA-1", "SA-2", "SA-3"), 1)
    turned, fewer = (
        replace(one, advisories=("SA-3", "SA-1", "SA-2")),
        replace(one, advisories=("SA-3", "SA-9")),
    )
    assert diff_claims(claims(tcb=one), claims(tcb=turned)) == ()
    assert paths(diff_claims(claims(tcb=one), claims(tcb=fewer))) == {
        "tcb.advisories.SA-1": "removed",
        "tcb.advisories.SA-2": "removed",
        "tcb.advisories.SA-9": "added",
    }


def test_true_is_not_one() -> None:
    one, other = claims(fields={"x": True}), claims(fields={"x": 1})
    assert paths(diff_claims(one, other)) == {"fields.x": "changed"}


def test_the_first_event_that_differs_is_named() -> None:
    log = tuple(event("rtmr.0", number) for number in range(4))
    other = (*log[:2], event("rtmr.0", 9), event("rtmr.0", 8))
    (found,) = diff_claims(claims(events=log), claims(events=other))
    assert found.path == "events.rtmr.0.2"
    assert str(found.left).endswith("event 2")
    assert str(found.right).endswith("event 9")
    (longer,) = diff_claims(claims(events=log[:3]), claims(events=log))
    assert (longer.path, longer.change) == ("events.rtmr.0.3", "added")
    elsewhere = (*log, event("rtmr.1", 5))
    (added,) = diff_claims(claims(events=log), claims(events=elsewhere))
    assert (added.path, added.change) == ("events.rtmr.1.0", "added")


def test_words_of_a_log_are_no_difference() -> None:
    told = LoggedEvent("rtmr.0", b"\1" * 48, "EV_X", "harmless", False)
    one, other = claims(events=(event("rtmr.0", 1),)), claims(events=(told,))
    assert diff_claims(one, other) == ()


def test_inner_evidence_is_compared_in_its_place() -> None:
    old, new = claims(), claims(debug=True)
    one = claims(kind="ra-tls", inner=(old,))
    assert paths(diff_claims(one, claims(kind="ra-tls", inner=(new,)))) == {
        "inner.0.debug": "changed"
    }
    assert paths(diff_claims(one, claims(kind="ra-tls"))) == {"inner.0": "removed"}


def test_policies_differ_by_rules_and_what_is_open() -> None:
    same = replace(rule("format", "is", "x"), id="same")
    gone = replace(rule("format", "is", "x"), id="gone")
    one = policy(same, gone, rule("svns.x", "at_least", 3))
    opened = replace(one.not_checked[0], claim="measurements.mr_td")
    other = policy(
        rule("svns.x", "at_least", 4),
        same,
        tcb_statuses=("UpToDate",),
        not_checked=(*one.not_checked, opened),
    )
    found = paths(diff_policies(one, other))
    assert found["rules.it.values.0"] == "changed"
    assert found["rules.gone.claim"] == "removed"
    assert found["tcb_statuses.SWHardeningNeeded"] == "removed"
    assert found["not_checked.measurements.mr_td of every kind"] == "added"
    assert not any("rules.same" in path for path in found), "order is no difference"


def test_unverified_evidence_is_compared_by_bytes() -> None:
    one = HardwareEvidence("tdx", {"quote": b"abcdef", "event_log": b"log"})
    other = HardwareEvidence("tdx", {"quote": b"abcXefg"})
    found = diff_unverified(one, other)
    assert paths(found) == {"parts.quote": "changed", "parts.event_log": "removed"}
    assert found[0].right == "7 bytes, different from byte 3 on"
    assert diff_unverified(one, one) == ()


def test_explained_claims_have_all_there_is() -> None:
    inner = claims(not_proven=("inside",))
    found = explained(claims(inner=(inner,)))
    assert found["events"] == {
        "rtmr.0": [
            {
                "kind": "EV_IPL",
                "digest": f"{n:02x}" * 48,
                "text": f"event {n}",
                "rehashed": True,
            }
            for n in (1, 2)
        ]
    }
    assert found["not_proven"] == ["what runs later"]
    assert isinstance(found["inner"], list)
    assert isinstance(found["inner"][0], dict)
    assert found["inner"][0]["not_proven"] == ["inside"]


def test_a_long_log_is_cut_and_says_so() -> None:
    log = tuple(event("rtmr.0", 1) for _ in range(403))
    events = explained(claims(events=log))["events"]
    assert isinstance(events, dict)
    rows = events["rtmr.0"]
    assert isinstance(rows, list)
    assert (len(rows), rows[-1]) == (401, "and 3 more")


def test_nothing_of_unverified_evidence_but_names_and_sizes() -> None:
    found = unverified(HardwareEvidence("tdx", {"quote": b"says it is fine"}))
    assert found["verified"] is False
    assert "says it is fine" not in str(found)
    assert b"says it is fine".hex() not in str(found)
    assert unverified(HardwareEvidence("odd", {}))["known_kind"] is False


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("kind", "tdx"),
        ("device", b"device".hex()),
        ("measurements.rtmr.0", "01" * 48),
        ("fields.tcb.boot.svn", 4),
        ("fields.pcrs.0", "aa"),
        ("fields.pcrs.-1", None),
        ("fields.pcrs.9", None),
        ("fields.pcrs", ["aa", "bb"]),
        ("key", None),
        ("nothing", None),
    ],
)
def test_paths(path: str, wanted: Field) -> None:
    assert find(claims(), path) == wanted


def test_the_longest_name_counts() -> None:
    found = claims(fields={"a.b": 1, "a": {"b": 2, "c": 3}})
    assert find(found, "fields.a.b") == 1
    assert find(found, "fields.a.c") == 3


def test_every_flat_path_is_found_again() -> None:
    found = claims()
    for path, value in flat(tree(found)).items():
        expected = None if value in ("", None) else value
        assert find(found, path) == expected, path
