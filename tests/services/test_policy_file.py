# SPDX-License-Identifier: Apache-2.0
"""Policies as people write them: the documented example, and typing errors."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from strongroom.core.rats.hardware_policy import ACCEPTED_TCB
from strongroom.errors import Malformed
from strongroom.services.attestation.policy_file import read_policy
from tests.services.hardware_claims import claims, policy, rule, rules_broken

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "policy.md"
HEAD = """
owner = "bank"
kinds = ["tdx"]
[[not_checked]]
claim = "measurements"
reason = "a test"
"""


def test_the_example_of_the_documentation_is_a_policy() -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found = read_policy(examples[0].encode())
    assert {each.check for each in found.rules} >= {
        "reference",
        "at_least",
        "bits_clear",
    }
    assert found.tcb_exceptions
    assert found.not_checked


def test_every_key_is_read() -> None:
    found = read_policy(
        b"""
        owner = "bank"
        kinds = ["tdx", "sev-snp"]
        inner_kinds = ["sgx"]
        tcb_statuses = ["UpToDate"]
        reference_signers = ["%s"]
        min_reference_version = 3
        [[rule]]
        id = "td"
        kinds = ["tdx"]
        claim = "measurements.mr_td"
        one_of = ["aa", "bb"]
        remedy = "Ask."
        [[rule]]
        id = "date"
        claim = "tcb.date"
        at_least = 2026-01-01T00:00:00Z
        [[rule]]
        id = "flag"
        claim = "fields.flag"
        is = false
        [[not_checked]]
        kinds = ["sev-snp", "sgx"]
        claim = "measurements"
        reason = "later"
        [[tcb_exception]]
        kinds = ["tdx"]
        statuses = ["OutOfDate"]
        advisories = ["SA-1"]
        until = 2026-12-01T00:00:00+08:00
        reason = "window"
        """
        % (b"ab" * 32)
    )
    assert (found.kinds, found.inner_kinds) == (("tdx", "sev-snp"), ("sgx",))
    assert (found.tcb_statuses, found.min_reference_version) == (("UpToDate",), 3)
    assert found.reference_signers == (b"\xab" * 32,)
    assert found.rules[0].values == ("aa", "bb")
    assert (found.rules[0].kinds, found.rules[0].remedy) == (("tdx",), "Ask.")
    assert found.rules[1].values == (1_767_225_600,)
    assert found.rules[2].values == (False,)
    assert found.not_checked[0].reason == "later"
    assert found.tcb_exceptions[0].until == 1_796_054_400
    assert read_policy(found.to_bytes()) == found


def test_statuses_are_the_usual_ones_unless_others_are_named() -> None:
    assert read_policy(HEAD.encode()).tcb_statuses == ACCEPTED_TCB
    none = read_policy(("tcb_statuses = []\n" + HEAD).encode())
    assert rules_broken(claims(), none) == ["tdx.tcb_out_of_date"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "owner = 3",
        "owner = ",
        HEAD.replace("kinds", "kind"),
        HEAD.replace("reason", "because"),
        HEAD.replace('"a test"', '""'),
        HEAD.replace('["tdx"]', '"tdx"'),
        HEAD.replace('["tdx"]', "[1]"),
        "rule = 3" + HEAD,
        "rule = [3]" + HEAD,
        'min_reference_version = "1"' + HEAD,
        "min_reference_version = -1" + HEAD,
        "min_reference_version = true" + HEAD,
        'reference_signers = ["no hex"]' + HEAD,
        HEAD + '[[rule]]\nid="x"\nclaim="format"',
        HEAD + '[[rule]]\nid="x"\nclaim="format"\nis="a"\nat_least=3',
        HEAD + '[[rule]]\nid="x"\nclaim="format"\nis=["a"]',
        HEAD + '[[rule]]\nid="x"\nclaim="format"\none_of="a"',
        HEAD + '[[rule]]\nid="x"\nclaim="format"\nequals="a"',
        HEAD + '[[rule]]\nid="x"\nclaim="format"\nis=1.5',
        HEAD + '[[rule]]\nid="x"\nclaim="tcb.date"\nat_least=2026-01-01T00:00:00',
        HEAD + '[[rule]]\nid="x"\nclaim="tcb.date"\nat_least=2026-01-01',
        HEAD + '[[rule]]\nid="x"\nclaim="format"\nis="a"\nremedy=1',
        HEAD + '[[tcb_exception]]\nstatuses=["OutOfDate"]\nreason="x"',
        HEAD + '[[tcb_exception]]\nstatuses=["OutOfDate"]\nreason="x"\nuntil=true',
    ],
)
def test_a_typing_error_opens_nothing(text: str) -> None:
    with pytest.raises(Malformed):
        read_policy(text.encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_policy_or_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_policy(data)


def test_a_record_that_was_cut_is_malformed() -> None:
    data = policy(rule("format", "is", "x")).to_bytes()
    for end in range(0, len(data), 7):
        with pytest.raises(Malformed):
            read_policy(data[:end])
    with pytest.raises(Malformed, match="at most"):
        read_policy(bytes(2 << 20))
