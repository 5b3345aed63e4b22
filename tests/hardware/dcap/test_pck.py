# SPDX-License-Identifier: Apache-2.0
"""The SGX extension of a PCK certificate: the quick reader says what the other says."""

import pytest
from hypothesis import given, strategies as st

from strongroom.errors import Malformed
from strongroom.hardware.dcap import pck
from tests.hardware.dcap.forge import FMSPC, PCE_ID, PCE_SVN, SVNS, der, pair


def number(value: int) -> bytes:
    """Return an INTEGER."""
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def extension(svns: tuple[int, ...], *, platform: bool) -> bytes:
    """Return the extension with 16 component SVNs and the PCE SVN."""
    numbered = enumerate(svns, 1)
    tcb = b"".join(pair(2, n, value=number(svn)) for n, svn in numbered)
    tcb += pair(2, 18, value=der(4, bytes(16)))
    flags = b"".join(pair(7, n, value=der(1, b"\xff")) for n in (1, 2, 3))
    more = pair(6, value=der(4, bytes(16))) + pair(7, value=der(0x30, flags))
    return der(
        0x30,
        pair(1, value=der(4, b"p" * 16))
        + pair(2, value=der(0x30, tcb))
        + pair(3, value=der(4, PCE_ID))
        + pair(4, value=der(4, FMSPC))
        + pair(5, value=der(10, b"\1"))
        + (more if platform else b""),
    )


@given(st.tuples(*[st.integers(0, 0x7FFF)] * 17), st.booleans())
def test_the_quick_reader_reads_every_svn(
    svns: tuple[int, ...],
    platform: bool,  # noqa: FBT001 - a case
) -> None:
    value = extension(svns, platform=platform)
    assert pck._read_usual(value) == pck._read(value) == (list(svns), PCE_ID, FMSPC)


def test_svns_that_only_the_other_reads() -> None:
    value = extension((0x8000,) * 17, platform=False)
    assert pck._read_usual(value) is None
    assert pck._read(value)[0] == [0x8000] * 17


@pytest.mark.parametrize("platform", [True, False])
def test_no_changed_byte_is_read_in_two_ways(platform: bool) -> None:  # noqa: FBT001 - a case
    value = extension((*SVNS[:15], 0x0180, PCE_SVN), platform=platform)
    read_here = 0
    for at in range(len(value)):
        for by in (1, 2, 4, 0x10, 0x80, 0xFF):
            changed = bytearray(value)
            changed[at] ^= by
            quick = pck._read_usual(bytes(changed))
            if quick is not None:
                assert quick == pck._read(bytes(changed))
                read_here += 1
    assert read_here > 100


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_what_is_cut_or_longer_is_malformed(cut: int) -> None:
    value = extension((*SVNS, PCE_SVN), platform=True)
    for changed in (value[:-cut], value + bytes(cut)):
        assert pck._read_usual(changed) is None
        with pytest.raises(Malformed):
            pck._read(changed)
