# SPDX-License-Identifier: Apache-2.0
"""What a PCK certificate says of its processor (Intel SGX PCK Certificate profile)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed

_OID = "1.2.840.113741.1.13.1"
_BASE = bytes.fromhex("2a864886f84d010d01")
_TCB, _PCE_ID, _FMSPC = b"\x02", b"\x03", b"\x04"
_COMPONENTS, _PCE_SVN = 16, 17
_SEQUENCE, _INTEGER, _OCTETS, _OID_TAG = 0x30, 0x02, 0x04, 0x06
_LONG = 0x80


@dataclass(frozen=True)
class PckTcb:
    """The TCB that a PCK certificate stands for: 16 component SVNs, PCE SVN, family."""

    components: tuple[int, ...]
    pce_svn: int
    fmspc: bytes
    pce_id: bytes

    @classmethod
    def parse(cls, certificate: Certificate) -> Self:
        """Read the SGX extension of a PCK certificate.

        Raises:
            Malformed: it has none, or one that is not laid out as Intel says.
        """
        value = certificate.extension(_OID)
        if value is None:
            message = "a PCK certificate has Intel's SGX extension"
            raise Malformed(message)
        fields = dict(_pairs(_sequence(value)))
        tcb = dict(_pairs(fields.get(_TCB, (0, b""))[1]))
        svns = [_number(tcb.get(_TCB + bytes([n]))) for n in range(1, _PCE_SVN + 1)]
        fmspc, pce_id = fields.get(_FMSPC), fields.get(_PCE_ID)
        if fmspc is None or pce_id is None or len(fmspc[1]) != 6 or len(pce_id[1]) != 2:  # noqa: PLR2004 - Intel's sizes
            message = "a PCK certificate names FMSPC and PCE id"
            raise Malformed(message)
        return cls(tuple(svns[:_COMPONENTS]), svns[_COMPONENTS], fmspc[1], pce_id[1])


def _pairs(data: bytes) -> Iterator[tuple[bytes, tuple[int, bytes]]]:
    """Yield (object id below Intel's, (tag, value)) of a sequence's pairs."""
    while data:
        tag, pair, data = _item(data)
        if tag != _SEQUENCE:
            raise Malformed(_BAD)
        tag, oid, rest = _item(pair)
        kind, value, rest = _item(rest)
        if tag != _OID_TAG or rest or not oid.startswith(_BASE):
            raise Malformed(_BAD)
        yield oid[len(_BASE) :], (kind, value)


def _sequence(data: bytes) -> bytes:
    tag, body, rest = _item(data)
    if tag != _SEQUENCE or rest:
        raise Malformed(_BAD)
    return body


def _number(item: tuple[int, bytes] | None) -> int:
    if item is None or item[0] != _INTEGER or not 0 < len(item[1]) <= 3:  # noqa: PLR2004 - an SVN has 16 bits
        raise Malformed(_BAD)
    number = int.from_bytes(item[1], "big", signed=True)
    if number < 0:
        raise Malformed(_BAD)
    return number


def _item(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag, value and what follows of one DER item of at most 64 KiB."""
    if len(data) < 2:  # noqa: PLR2004 - tag and length
        raise Malformed(_BAD)
    tag, length, start = data[0], data[1], 2
    if length >= _LONG:
        extra = length - _LONG
        start += extra
        if extra not in (1, 2) or len(data) < start:
            raise Malformed(_BAD)
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise Malformed(_BAD)
    return tag, data[start : start + length], data[start + length :]


_BAD = "a PCK certificate's SGX extension is not laid out as Intel says"
