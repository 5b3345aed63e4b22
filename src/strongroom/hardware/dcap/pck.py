# SPDX-License-Identifier: Apache-2.0
"""What a PCK certificate says of its processor (Intel SGX PCK Certificate profile)."""

from dataclasses import dataclass
from typing import Self

from strongroom.core.crypto import der
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed

_OID = "1.2.840.113741.1.13.1"
_BASE = bytes.fromhex("2a864886f84d010d01")
_TCB, _PCE_ID, _FMSPC = b"\x02", b"\x03", b"\x04"
_COMPONENTS, _PCE_SVN = 16, 17
_PAIR, _MAX_SVN = 2, 0xFFFF


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
        fields = _pairs(value, der.sequence(value, 0, len(value)))
        svns = _svns(value, fields)
        fmspc, pce_id = (_octets(value, fields.get(name)) for name in (_FMSPC, _PCE_ID))
        if len(fmspc) != 6 or len(pce_id) != 2:  # noqa: PLR2004 - Intel's sizes
            message = "a PCK certificate names FMSPC and PCE id"
            raise Malformed(message)
        return cls(tuple(svns[:_COMPONENTS]), svns[_COMPONENTS], fmspc, pce_id)


def _svns(value: bytes, fields: dict[bytes, der.Item]) -> list[int]:
    """Return the 16 component SVNs and the PCE SVN."""
    tag, content, end = fields.get(_TCB, (0, 0, 0))
    if tag != der.SEQUENCE:
        raise Malformed(_BAD)
    found = _pairs(value, der.items(value, content, end))
    return [
        _number(value, found.get(_TCB + bytes([n]))) for n in range(1, _PCE_SVN + 1)
    ]


def _pairs(data: bytes, pairs: list[der.Item]) -> dict[bytes, der.Item]:
    """Return the values of pairs by their object ids below Intel's."""
    found = {}
    for tag, begin, end in pairs:
        both = der.items(data, begin, end)
        if tag != der.SEQUENCE or len(both) != _PAIR:
            raise Malformed(_BAD)
        kind, at, stop = both[0]
        if kind != der.OBJECT_ID or data[at : at + len(_BASE)] != _BASE:
            raise Malformed(_BAD)
        found[data[at + len(_BASE) : stop]] = both[1]
    return found


def _octets(data: bytes, item: der.Item | None) -> bytes:
    if item is None or item[0] != der.OCTET_STRING:
        raise Malformed(_BAD)
    return data[item[1] : item[2]]


def _number(data: bytes, item: der.Item | None) -> int:
    if item is None or item[0] != der.INTEGER:
        raise Malformed(_BAD)
    digits = data[item[1] : item[2]]
    number = int.from_bytes(digits, "big", signed=True)
    if not digits or not 0 <= number <= _MAX_SVN:
        raise Malformed(_BAD)
    return number


_BAD = "a PCK certificate's SGX extension is not laid out as Intel says"
