# SPDX-License-Identifier: Apache-2.0
"""The report of an SGX enclave, 384 bytes (Intel SDM volume 3D, REPORT structure)."""

import struct
from typing import NamedTuple, Self

_LAYOUT = struct.Struct("<16s4s12x16s16s32s32x32s32x64sHHH42x16s64s")
_DEBUG = 0x02


class EnclaveReport(NamedTuple):
    """What the processor says of an enclave; names are Intel's."""

    cpu_svn: bytes
    misc_select: bytes
    isv_ext_prod_id: bytes
    attributes: bytes
    mr_enclave: bytes
    mr_signer: bytes
    config_id: bytes
    isv_prod_id: int
    isv_svn: int
    config_svn: int
    isv_family_id: bytes
    report_data: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 384 bytes of a report, which the caller has counted."""
        return cls._make(_LAYOUT.unpack(data))

    @property
    def debug(self) -> bool:
        """Whether the enclave's memory may be read from outside."""
        return bool(self.attributes[0] & _DEBUG)
