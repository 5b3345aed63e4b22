# SPDX-License-Identifier: Apache-2.0
"""The three reports of a TD, and what counts as being under debug."""

import pytest

from strongroom.core.rats import HardwareClaims
from strongroom.errors import Malformed
from strongroom.hardware.dcap.quote import Quote
from strongroom.hardware.tdx.verify import verify
from tests.hardware.dcap.forge import SEPT_VE_DISABLE, Td, at, world
from tests.hardware.pki import NOW
from tests.hardware.tdx.forge import Forge

NOW_AT = at(3, 0, 7)


def claims(kind: str = "tdx v4", **changes: object) -> HardwareClaims:
    td = Td(**changes)  # type: ignore[arg-type]  # tests vary any
    return verify(*Forge(kind, td=td).made(), NOW)


@pytest.mark.parametrize(
    ("kind", "size", "new"),
    [
        ("tdx v4", 15, set()),
        ("tdx v5, 1.0", 15, set()),
        ("tdx v5, 1.5", 17, {"tee_tcb_svn2", "mr_service_td"}),
        ("tdx v5, 1.5 extended", 27, {"td_id", "init_tee_fmspc"}),
    ],
)
def test_every_field_of_a_report_is_a_claim(
    kind: str, size: int, new: set[str]
) -> None:
    fields = claims(kind, svn_now=NOW_AT).fields
    assert new <= set(fields)
    assert fields.get("tee_tcb_svn2", NOW_AT.hex()) == NOW_AT.hex()
    others = {"quote_version", "att_key_type", "tee_type", "qe_vendor_id", "user_data"}
    others |= {"body_type", "debug", "fmspc", "pck_ca"}
    assert len(set(fields) - others) == size


def test_a_service_td_is_a_measurement() -> None:
    found = claims("tdx v5, 1.5", service_td=b"\x55" * 48).measurements
    assert found["mr_service_td"] == b"\x55" * 48


@pytest.mark.parametrize("bit", range(8))
def test_debug_and_profiling_count_as_debug(bit: int) -> None:
    assert claims(attributes=SEPT_VE_DISABLE | 1 << bit).debug


@pytest.mark.parametrize("bit", [8, 16, 29, 30, 31, 63])
def test_attributes_of_other_groups_do_not_count_as_debug(bit: int) -> None:
    assert not claims(attributes=SEPT_VE_DISABLE | 1 << bit).debug


@pytest.mark.parametrize(
    ("kind", "named"),
    [("tdx v5, 1.5", 1), ("tdx v5, 1.5", 2), ("tdx v5, 1.0", 5), ("sgx v5", 2)],
)
def test_a_body_of_another_type_than_it_has_is_malformed(kind: str, named: int) -> None:
    quote = bytearray(world(kind).quote())
    quote[48:50] = named.to_bytes(2, "little")
    with pytest.raises(Malformed):
        Quote.parse(bytes(quote), "quote")
