# SPDX-License-Identifier: Apache-2.0
"""Only what manifest and agreement name leaves, and lengths tell nothing."""

import dataclasses
import json

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from strongroom.application.runtime.app import encode_result
from strongroom.application.runtime.output import PADDING_BYTES, check_output, narrow
from strongroom.core.codec.bundle import OutputRule
from strongroom.errors import LimitReached, Malformed, Refused, StrongroomError

JSON = OutputRule("json", ("conclusion", "reason"), 1, 4096, 0, "")
TABLE = OutputRule("table", ("region", "n", "mean"), 3, 4096, 5, "n")


def checked(
    result: object, rule: OutputRule, agreed: OutputRule | None = None
) -> bytes:
    kind, data = encode_result(result)
    return check_output(kind, bytes(data), rule, agreed or rule).data


def test_named_fields_leave() -> None:
    data = checked({"conclusion": "accept", "reason": "none"}, JSON)
    assert json.loads(data) == {"conclusion": "accept", "reason": "none"}


def test_two_conclusions_have_one_length() -> None:
    short = checked({"conclusion": "accept", "reason": ""}, JSON)
    long = checked({"conclusion": "decline", "reason": "cardiovascular"}, JSON)
    assert len(short) == len(long) == PADDING_BYTES


def test_a_field_that_the_manifest_does_not_declare_is_refused() -> None:
    with pytest.raises(Refused, match=r"output\.fields") as refusal:
        checked({"conclusion": "accept", "blood_pressure": 140}, JSON)
    assert "blood_pressure" not in str(refusal.value)


def test_a_field_that_the_agreement_does_not_show_is_left_out() -> None:
    agreed = dataclasses.replace(JSON, fields=("conclusion",))
    data = checked({"conclusion": "decline", "reason": "metabolic"}, JSON, agreed)
    assert json.loads(data) == {"conclusion": "decline"}


def test_an_agreement_may_not_ask_for_more_than_the_app_declares() -> None:
    for change in (
        {"fields": ("conclusion", "everything")},
        {"max_rows": 2},
        {"max_bytes": 9999},
    ):
        with pytest.raises(Refused, match=r"output\.agreed"):
            narrow(JSON, dataclasses.replace(JSON, **change))


def test_too_many_rows_are_a_limit_that_is_named() -> None:
    with pytest.raises(LimitReached, match="max_rows"):
        checked([{"conclusion": "a"}, {"conclusion": "b"}], JSON)


def test_a_small_group_is_refused_and_not_named() -> None:
    table = pa.table({"region": ["north", "south"], "n": [5, 4], "mean": [1.0, 2.0]})
    with pytest.raises(Refused, match=r"output\.min-group") as refusal:
        checked(table, TABLE)
    assert "south" not in str(refusal.value)
    assert b"north" in checked(table.slice(0, 1), TABLE)


def test_a_group_column_that_is_missing_or_not_a_number_is_refused() -> None:
    for table in (
        pa.table({"region": ["x"]}),
        pa.table({"region": ["x"], "n": ["9"]}),
        pa.table({"region": ["x", "y"], "n": [9, None]}),
        pa.table({"region": ["x", "y"], "n": [9.0, float("nan")]}),
    ):
        with pytest.raises(Refused, match=r"output\.min-group"):
            checked(table, TABLE)


def test_json_rows_hold_the_group_rule_too() -> None:
    rule = OutputRule("json", ("g", "n"), 9, 4096, 5, "n")
    with pytest.raises(Refused, match=r"output\.min-group"):
        checked([{"g": "x", "n": 9}, {"g": "y", "n": True}], rule)


def test_another_type_than_declared_is_refused() -> None:
    with pytest.raises(Refused, match=r"output\.type"):
        checked(b"raw record", JSON)


@given(st.sampled_from(["json", "table", "bytes", "other"]), st.binary(max_size=300))
def test_any_bytes_give_an_output_or_a_typed_error(kind: str, data: bytes) -> None:
    for rule in (JSON, TABLE):
        try:
            check_output(kind, data, rule, rule)
        except StrongroomError:
            continue


def test_not_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        check_output("json", b"{", JSON, JSON)
