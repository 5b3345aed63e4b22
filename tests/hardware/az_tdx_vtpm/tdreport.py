# SPDX-License-Identifier: Apache-2.0
"""TDREPORT_STRUCT with what a quote has in it; its MAC is nobody's."""

from collections.abc import Mapping

_PLACES = {
    "report_data": (128, 64),
    "tee_tcb_svn": (264, 16),
    "mr_seam": (280, 48),
    "mr_signer_seam": (328, 48),
    "seam_attributes": (376, 8),
    "td_attributes": (512, 8),
    "xfam": (520, 8),
    "mr_td": (528, 48),
    "mr_config_id": (576, 48),
    "mr_owner": (624, 48),
    "mr_owner_config": (672, 48),
    "rt_mr0": (720, 48),
    "rt_mr1": (768, 48),
    "rt_mr2": (816, 48),
    "rt_mr3": (864, 48),
}
NAMES = tuple(_PLACES)


def td_report(said: Mapping[str, bytes]) -> bytes:
    """Return a TDREPORT that says this, and zeros of everything else."""
    report = bytearray(1024)
    report[0] = 0x81
    for name, value in said.items():
        at, size = _PLACES[name]
        assert len(value) == size
        report[at : at + size] = value
    return bytes(report)
