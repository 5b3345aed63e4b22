# SPDX-License-Identifier: Apache-2.0
"""The TDREPORT in an HCL report."""

import pytest

from strongroom.errors import Malformed
from strongroom.hardware.az_tdx_vtpm.abi import TdReport
from tests.hardware.az_tdx_vtpm.tdreport import td_report

SAID = {"mr_td": b"\x11" * 48, "rt_mr3": b"\x22" * 48, "report_data": b"\x33" * 64}


def test_a_report_says_what_a_quote_says() -> None:
    fields = TdReport.parse(td_report(SAID)).fields

    assert {name: fields[name] for name in SAID} == {
        name: value.hex() for name, value in SAID.items()
    }
    assert fields["xfam"] == "00" * 8
    assert TdReport.parse(td_report(SAID) + bytes(160)).fields == fields


@pytest.mark.parametrize(
    "data",
    [
        b"",
        td_report(SAID)[:-1],
        td_report(SAID) + b"\1",
        b"\0" + td_report(SAID)[1:],
    ],
    ids=["nothing", "cut", "longer", "of SGX"],
)
def test_other_structures_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        TdReport.parse(data)
