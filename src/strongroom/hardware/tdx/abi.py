# SPDX-License-Identifier: Apache-2.0
"""The report of a TD in a quote: 584 bytes for TDX 1.0, 648 for 1.5 (TDX DCAP)."""

import struct
from dataclasses import dataclass
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
_LAYOUT = struct.Struct("16s48s48s8s8s8s48s48s48s48s48s48s48s48s64s")
_NEW_LAYOUT = struct.Struct("16s48s")
_DEBUG = 0x01
MEASUREMENTS = (
    "mr_seam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    *RTMRS,
)


@dataclass(frozen=True)
class TdBody:
    """A TD's report: bytes by Intel's names."""

    values: dict[str, bytes]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body of 584 or 648 bytes, which the quote's parser has counted."""
        size = _LAYOUT.size
        values = dict(zip(_NAMES, _LAYOUT.unpack(body[:size]), strict=True))
        if len(body) > size:
            new = _NEW_LAYOUT.unpack(body[size:])
            values |= dict(zip(_NEW_NAMES, new, strict=True))
        return cls(values)

    @property
    def debug(self) -> bool:
        """Whether the TD's memory may be read from outside."""
        return bool(self.values["td_attributes"][0] & _DEBUG)

    def fields(self) -> dict[str, Field]:
        """Return everything as hex."""
        return {name: value.hex() for name, value in self.values.items()}

    def measurements(self) -> dict[str, bytes]:
        """Return the digests."""
        found = {name: self.values[name] for name in MEASUREMENTS}
        if "mr_service_td" in self.values:
            found["mr_service_td"] = self.values["mr_service_td"]
        return found
