# SPDX-License-Identifier: Apache-2.0
"""The certificates of a device: who signs, what it is, and which firmware it runs.

The key that signs is certified by the device's own boot ROM, whose key NVIDIA
certified; the certificate names the digest of the firmware (FWID) that the ROM
started. Source: TCG DICE Attestation Architecture 1.1, section 6.1.1 (TcbInfo,
2.23.133.5.4.1.1); Implicit Identity Based Device Attestation 1.0, section 6
(CompositeDeviceID, 2.23.133.5.4.1, as Hopper has it); NVIDIA/attestation-sdk.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import Malformed

CURVE: Final = "P-384"

_MAX_BYTES: Final = 32 << 10
"""Of a chain, which has five certificates of a kilobyte in PEM."""

_COMPOSITE_DEVICE_ID, _TCB_INFO = "2.23.133.5.4.1", "2.23.133.5.4.1.1"
_SEQUENCE, _OCTETS, _FWIDS = 0x30, 0x04, 0xA6
_LONG_FORM, _MAX_LENGTH_BYTES = 0x80, 3
_MODEL = re.compile(r"CN=([A-Z]+)_?(\d+)")
_ARCHITECTURES = {"GH": "HOPPER", "GB": "BLACKWELL"}
_SWITCH = "LS"


@dataclass(frozen=True)
class Chain:
    """Certificates of one device as they came, in any order: UNVERIFIED."""

    leaf: Certificate
    above: tuple[Certificate, ...]

    @classmethod
    def read(cls, document: bytes) -> Self:
        """Read a chain in PEM; the leaf is the one that is no CA, or the first.

        Raises:
            Malformed: something in it is no certificate, or there are none or more
                than a device has.
        """
        if len(document) > _MAX_BYTES:
            message = f"a certificate chain of more than {_MAX_BYTES} bytes"
            raise Malformed(message)
        found = Certificate.read_all(document)
        leaf = next((each for each in found if not each.is_ca), found[0])
        return cls(leaf, tuple(each for each in found if each is not leaf))


@dataclass(frozen=True)
class Device:
    """What a verified certificate says of the device that signs."""

    certificate: Certificate
    arch: str
    is_switch: bool
    fwid: bytes | None
    id: bytes

    @classmethod
    def of(cls, certificate: Certificate, device_id: bytes) -> Self:
        """Read a leaf certificate.

        Raises:
            Malformed: its firmware id is not as TCG has it.
        """
        model = _MODEL.search(certificate.name)
        letters, number = model.groups() if model else ("", "")
        return cls(
            certificate,
            _ARCHITECTURES.get(letters, letters + number),
            letters == _SWITCH,
            read_fwid(certificate),
            device_id,
        )


def read_fwid(certificate: Certificate) -> bytes | None:
    """Return the first firmware id in a certificate, or None if it has none.

    Raises:
        Malformed: it is not as TCG has it.
    """
    value = certificate.extension(_TCB_INFO)
    if value is not None:
        _, body = _one(value, _SEQUENCE)
        return next(
            (
                _digest(*next(_items(fwids), (0, b"")))
                for tag, fwids in _items(body)
                if tag == _FWIDS
            ),
            None,
        )
    value = certificate.extension(_COMPOSITE_DEVICE_ID)
    if value is None:
        return None
    _, body = _one(value, _SEQUENCE)
    items = list(_items(body))
    return _digest(*items[-1]) if items else None


def _digest(tag: int, body: bytes) -> bytes:
    """Return the digest of a FWID: SEQUENCE { hashAlg, digest }."""
    items = list(_items(body)) if tag == _SEQUENCE else []
    if len(items) != 2 or items[1][0] != _OCTETS:  # noqa: PLR2004
        raise Malformed(_NO_FWID)
    return items[1][1]


def _one(data: bytes, tag: int) -> tuple[int, bytes]:
    items = list(_items(data))
    if len(items) != 1 or items[0][0] != tag:
        raise Malformed(_NO_FWID)
    return items[0]


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each DER item."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], int.from_bytes(data[at + 1 : at + 2], "big"), at + 2
        if length > _LONG_FORM + _MAX_LENGTH_BYTES:
            raise Malformed(_NO_FWID)
        if length >= _LONG_FORM:
            n = length - _LONG_FORM
            length, at = int.from_bytes(data[at : at + n], "big"), at + n
        content = data[at : at + length]
        if len(content) != length or at > len(data):
            raise Malformed(_NO_FWID)
        yield tag, content
        at += length


_NO_FWID = "a device certificate whose firmware id is not as TCG has it"
