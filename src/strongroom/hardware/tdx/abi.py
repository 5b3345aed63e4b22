# SPDX-License-Identifier: Apache-2.0
"""The report of a TD in a quote (TDX DCAP), each longer one beginning like the last.

584 bytes for TDX 1.0, 648 for 1.5, 885 for 1.5 extended.
"""

import struct
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

from strongroom.core.rats.hardware import Field

KIND = "tdx"
RTMRS = ("rt_mr0", "rt_mr1", "rt_mr2", "rt_mr3")
_NAMES = (
    "tee_tcb_svn",
    "mr_seam",
    "mr_signer_seam",
    "seam_attributes",
    "td_attributes",
    "xfam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    *RTMRS,
    "report_data",
)
_NEW_NAMES = ("tee_tcb_svn2", "mr_service_td")
_EXTENDED_NAMES = (
    "vm_id",
    "td_id",
    "dev_info",
    "init_service_td_hash",
    "init_service_td_attributes",
    "init_cpu_svn",
    "init_tee_tcb_svn",
    "init_tee_fmspc",
    "current_service_td_hash",
    "current_service_td_attributes",
)
_LAYOUTS = (
    (_NAMES, struct.Struct("16s48s48s8s8s8s48s48s48s48s48s48s48s48s64s")),
    (_NEW_NAMES, struct.Struct("16s48s")),
    (_EXTENDED_NAMES, struct.Struct("1s32s48s48s8s16s16s12s48s8s")),
)
MEASUREMENTS = (
    "mr_seam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    *RTMRS,
)
_digests = itemgetter(*MEASUREMENTS)


@dataclass(frozen=True)
class TdBody:
    """A TD's report: bytes by Intel's names."""

    values: dict[str, bytes]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body of 584, 648 or 885 bytes; the quote's parser has counted them."""
        values: dict[str, bytes] = {}
        at = 0
        for names, layout in _LAYOUTS:
            if at < len(body):
                values |= zip(names, layout.unpack_from(body, at), strict=True)
                at += layout.size
        return cls(values)

    @property
    def debug(self) -> bool:
        """Whether the TD may be watched from outside, under debug or profiling.

        Intel keeps the first eight attributes for that: with any of them set a TD is
        not to be trusted.
        """
        return self.values["td_attributes"][0] != 0

    def fields(self) -> dict[str, Field]:
        """Return everything as hex."""
        written = map(bytes.hex, self.values.values())
        return dict(zip(self.values, written, strict=True))

    def measurements(self) -> dict[str, bytes]:
        """Return the digests."""
        found = dict(zip(MEASUREMENTS, _digests(self.values), strict=True))
        if "mr_service_td" in self.values:
            found["mr_service_td"] = self.values["mr_service_td"]
        return found
