# SPDX-License-Identifier: Apache-2.0
"""The TDREPORT in an HCL report (Intel TDX Module 1.5 ABI, 344425, TDREPORT_STRUCT).

REPORTMACSTRUCT  256 bytes: digests of the two below, report data, and a MAC that
                 only the CPU which made it can check
TEE_TCB_INFO     239 bytes, 17 reserved
TDINFO           512 bytes: attributes, MRTD, RTMRs
"""

from dataclasses import dataclass
from struct import Struct
from typing import Self

from strongroom.errors import Malformed

TDREPORT_BYTES = 1024

_TYPE = 0x81
_MAC = Struct("<B127x64s")
_TCB_AT, _INFO_AT = 256, 512
_TCB = Struct("<8x16s48s48s8s")
_INFO = Struct("<8s8s48s48s48s48s48s48s48s48s")
_INFO_NAMES = (
    "td_attributes",
    "xfam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    "rt_mr0",
    "rt_mr1",
    "rt_mr2",
    "rt_mr3",
)
_TCB_NAMES = ("tee_tcb_svn", "mr_seam", "mr_signer_seam", "seam_attributes")


@dataclass(frozen=True, slots=True)
class TdReport:
    """A TDREPORT as it was read; a quote must say the same, for nobody else vouches."""

    fields: dict[str, str]
    """What a quote has too, by the names of a quote's fields, in hex."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a TDREPORT and whatever zeros follow it.

        Raises:
            Malformed: another structure.
        """
        if len(data) < TDREPORT_BYTES or any(data[TDREPORT_BYTES:]):
            message = f"TDREPORT: not {TDREPORT_BYTES} bytes"
            raise Malformed(message)
        kind, report_data = _MAC.unpack_from(data)
        if kind != _TYPE:
            message = f"TDREPORT: of type {kind:#04x}"
            raise Malformed(message)
        versions = _TCB.unpack_from(data, _TCB_AT)
        values = (*_INFO.unpack_from(data, _INFO_AT), *versions, report_data)
        names = (*_INFO_NAMES, *_TCB_NAMES, "report_data")
        return cls(
            {name: value.hex() for name, value in zip(names, values, strict=True)}
        )
