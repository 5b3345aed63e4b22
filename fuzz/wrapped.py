# SPDX-License-Identifier: Apache-2.0
"""Parsers that take more than bytes, as functions of bytes."""

from strongroom.core.crypto.x509 import Certificate
from strongroom.hardware.dcap.documents import QeIdentity, TcbInfo, read_signed
from strongroom.hardware.dcap.pck import PckTcb


def tcb_info(data: bytes) -> TcbInfo:
    """Read a TCB info with its envelope."""
    return TcbInfo.parse(read_signed(data, "tcbInfo").value)


def qe_identity(data: bytes) -> QeIdentity:
    """Read a QE identity with its envelope."""
    return QeIdentity.parse(read_signed(data, "enclaveIdentity").value)


def pck(data: bytes) -> PckTcb:
    """Read what a PCK certificate says of its processor."""
    return PckTcb.parse(Certificate.read(data))
