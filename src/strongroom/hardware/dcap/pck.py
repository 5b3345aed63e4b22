# SPDX-License-Identifier: Apache-2.0
"""What a PCK certificate says of its processor (Intel SGX PCK Certificate profile)."""

import re
from dataclasses import dataclass
from typing import Self, TypeAlias

from strongroom.core.crypto import der
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed

_OID = "1.2.840.113741.1.13.1"
_BASE = bytes.fromhex("2a864886f84d010d01")
_TCB, _PCE_ID, _FMSPC = b"\x02", b"\x03", b"\x04"
_COMPONENTS, _PCE_SVN = 16, 17
_PAIR, _MAX_SVN = 2, 0xFFFF

_Found: TypeAlias = tuple[list[int], bytes, bytes]
"""The 16 component SVNs with the PCE SVN, PCE id, FMSPC."""


def _usual(name: bytes, size: int, value: bytes) -> bytes:
    """Return the pattern of a pair: an id below Intel's, a value of so many bytes."""
    oid = _BASE + name
    head = bytes((0x30, len(oid) + size + 2, der.OBJECT_ID, len(oid)))
    return re.escape(head + oid) + value


_SVNS = b"".join(
    b"(?:"
    + _usual(_TCB + bytes([n]), 3, rb"\x02\x01([\x00-\x7f])")
    + b"|"
    + _usual(_TCB + bytes([n]), 4, rb"\x02\x02([\x00-\x7f].)")
    + b")"
    for n in range(1, _PCE_SVN + 1)
)
_SEQUENCE = rb"\x30\x82(..)"
_USUAL = re.compile(
    _SEQUENCE
    + _usual(b"\x01", 18, rb"\x04\x10.{16}")
    + (_SEQUENCE + re.escape(b"\x06\x0a" + _BASE + _TCB) + _SEQUENCE)
    + _SVNS
    + _usual(_TCB + b"\x12", 18, rb"\x04\x10.{16}")
    + _usual(_PCE_ID, 4, rb"\x04\x02(..)")
    + _usual(_FMSPC, 8, rb"\x04\x06(.{6})")
    + _usual(b"\x05", 3, rb"\x0a\x01.")
    + b"(?:"
    + _usual(b"\x06", 18, rb"\x04\x10.{16}")
    + _usual(b"\x07", 56, rb"\x30\x36")
    + b"".join(_usual(b"\x07" + bytes([n]), 3, rb"\x01\x01.") for n in (1, 2, 3))
    + b")?",
    re.DOTALL,
)
"""The extension as Intel lays it out, for processors and for platforms."""

_SVNS_AT, _AFTER_SVNS, _TCB_HEAD = 56, 16, 16
"""Where the SVNs begin, what is between them and the PCE id, what is before them."""

_PCE_ID_GROUP = 3 + 2 * _PCE_SVN + 1


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
        svns, pce_id, fmspc = _read_usual(value) or _read(value)
        return cls(tuple(svns[:_COMPONENTS]), svns[_COMPONENTS], fmspc, pce_id)


def _read_usual(value: bytes) -> _Found | None:
    """Read an extension that is laid out as Intel's are, or return None: it is not."""
    found = _USUAL.fullmatch(value)
    if found is None:
        return None
    whole, tcb, inner, *numbers, pce_id, fmspc = found.groups(b"")
    size = found.start(_PCE_ID_GROUP) - _AFTER_SVNS - _SVNS_AT
    said = [int.from_bytes(each, "big") for each in (whole, tcb, inner)]
    if said != [len(value) - 4, size + _TCB_HEAD, size]:
        return None
    svns = [int.from_bytes(each, "big") for each in numbers if each]
    return svns, pce_id, fmspc


def _read(value: bytes) -> _Found:
    """Read an extension that has in it what Intel says, in whatever order."""
    fields = _pairs(value, der.sequence(value, 0, len(value)))
    svns = _svns(value, fields)
    fmspc, pce_id = (_octets(value, fields.get(name)) for name in (_FMSPC, _PCE_ID))
    if len(fmspc) != 6 or len(pce_id) != 2:  # noqa: PLR2004 - Intel's sizes
        message = "a PCK certificate names FMSPC and PCE id"
        raise Malformed(message)
    return svns, pce_id, fmspc


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
