# SPDX-License-Identifier: Apache-2.0
"""Parsers are total: any bytes are read or refused as malformed."""

from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from strongroom.errors import Malformed
from strongroom.hardware.tcg.event_log import parse_event_log
from strongroom.hardware.tcg.hcl import HclReport, RuntimeData
from strongroom.hardware.tcg.pcrs import read_json, read_serialized
from strongroom.hardware.tcg.public import Public
from strongroom.hardware.tcg.quote import Attest
from strongroom.hardware.tcg.signature import TPMT_SIGNATURE, Signature
from tests.hardware.tcg.forge import Ak, Log, Quote, digest_list, selection_list
from tests.hardware.tcg.paravisor import Paravisor

PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "quote": (lambda data: Attest.parse(data, "x"), Quote().attest()),
    "public": (lambda data: Public.parse(data, "x"), Ak("rsa").public),
    "elliptic": (lambda data: Public.parse(data, "x"), Ak().public),
    "signature": (
        lambda data: Signature.parse(data, TPMT_SIGNATURE, "x"),
        Ak().sign(b"data"),
    ),
    "log": (
        lambda data: parse_event_log(data, "x").events("sha256"),
        Log(locality=3).agile(),
    ),
    "older log": (
        lambda data: parse_event_log(data, "x").events("sha1"),
        Log().legacy(),
    ),
    "json": (lambda data: read_json(data, "x"), b'{"sha256": {"0": "00"}}'),
    "serialized": (
        lambda data: read_serialized(data, "x"),
        selection_list((0x0B, 3, (0,))) + b"\1\0\0\0" + digest_list(bytes(32)),
    ),
    "HCL report": (HclReport.parse, Paravisor().report(b"")),
    "runtime data": (RuntimeData.parse, Paravisor().runtime_data()),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_any_bytes_are_read_or_malformed(name: str, data: st.DataObject) -> None:
    parse, whole = PARSERS[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    altered = whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + 2 :]
    for each in (altered, data.draw(st.binary(max_size=64))):
        try:
            parse(each)
        except Malformed:
            continue


@pytest.mark.parametrize("name", PARSERS)
def test_the_whole_is_read(name: str) -> None:
    parse, whole = PARSERS[name]

    assert parse(whole)
