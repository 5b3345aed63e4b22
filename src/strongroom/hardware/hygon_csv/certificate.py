# SPDX-License-Identifier: Apache-2.0
"""Hygon's own two certificate formats: of its signing keys and of one chip's keys.

    HRK, HSK   832 bytes    who made the processors; the HRK signs itself
    CEK, PEK  2084 bytes    the chip, and the platform's key that signs reports

Numbers are little-endian, in fields of 72 bytes where SM2 fills the first 32. Who
signs names its own SM2 identity in its certificate. Source: Hygon's csv devkit
(attestation), and openanolis/csv-rs, certs/.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

from strongroom.core.crypto.foreign import ForeignSm2Key
from strongroom.errors import Malformed

HRK, HSK, PEK, CEK = 0x0000, 0x0013, 0x1002, 0x1004
"""What a key is for."""

SM2_SIGNING: Final = 4
SM2_GROUP: Final = 3
_CA_VERSION: Final = 1
_CHIP_VERSIONS: Final = (1, 2)

CA_BYTES, CHIP_BYTES = 832, 2084

_NUMBER_BYTES, _SM2_BYTES = 72, 32
_KEY = struct.Struct("<I72s72sH254s")
_CA = struct.Struct("<I16s16sI24x")
_CA_SIGNED_BYTES = 576
_CA_SIGNATURE = struct.Struct("<72s72s")
_CHIP = struct.Struct("<I4xII")
_CHIP_SIGNED_BYTES = 1044
_SIGNER_AT, _ID_BYTES = 420, 16
_SIGNATURE = struct.Struct("<II72s72s368x")


@dataclass(frozen=True)
class Signature:
    """One signature on a certificate: by a key of that use, two big-endian halves."""

    usage: int
    r_s: bytes


@dataclass(frozen=True)
class Certificate:
    """A certificate as it was read: UNVERIFIED.

    Attributes:
        usage: what the key is for.
        x_y: its point.
        identity: the SM2 identity that its owner signs under.
        signed: what the signatures are over.
        signatures: one, or those of a PEK's chip and owner.
        key_id: the number of the key, b"" for a chip's.
        signer_id: the number of the key that signed, b"" where it is not named.
    """

    usage: int
    x_y: bytes
    identity: bytes
    signed: bytes
    signatures: tuple[Signature, ...]
    key_id: bytes = b""
    signer_id: bytes = b""

    @classmethod
    def parse_ca(cls, data: bytes) -> Self:
        """Parse an HRK or HSK certificate.

        Raises:
            Malformed: it is neither.
        """
        if len(data) != CA_BYTES:
            message = f"a certificate of Hygon's CA has {CA_BYTES} bytes"
            raise Malformed(message)
        version, key_id, signer_id, usage = _CA.unpack_from(data)
        if version != _CA_VERSION or usage not in (HRK, HSK):
            message = "not a certificate of Hygon's CA that is known"
            raise Malformed(message)
        x_y, identity = _key(data, _CA.size)
        r, s = _CA_SIGNATURE.unpack_from(data, _CA_SIGNED_BYTES)
        return cls(
            usage=usage,
            x_y=x_y,
            identity=identity,
            signed=data[:_CA_SIGNED_BYTES],
            signatures=(Signature(HRK, signature(r, s)),),
            key_id=key_id,
            signer_id=signer_id,
        )

    @classmethod
    def parse_chip(cls, data: bytes) -> Self:
        """Parse a CEK or PEK certificate.

        Raises:
            Malformed: it is neither.
        """
        if len(data) != CHIP_BYTES:
            message = f"a certificate of a Hygon chip has {CHIP_BYTES} bytes"
            raise Malformed(message)
        version, usage, algorithm = _CHIP.unpack_from(data)
        known = version in _CHIP_VERSIONS and algorithm == SM2_SIGNING
        if not known or usage not in (CEK, PEK):
            message = "not a certificate of a Hygon chip's CEK or PEK"
            raise Malformed(message)
        x_y, identity = _key(data, _CHIP.size)
        signatures = tuple(
            Signature(by, signature(r, s))
            for by, algorithm, r, s in _SIGNATURE.iter_unpack(data[_CHIP_SIGNED_BYTES:])
            if algorithm == SM2_SIGNING
        )
        # version 1 has zeros where version 2 names the key that signed it
        signer_id = data[_SIGNER_AT : _SIGNER_AT + _ID_BYTES] if version > 1 else b""
        return cls(
            usage=usage,
            x_y=x_y,
            identity=identity,
            signed=data[:_CHIP_SIGNED_BYTES],
            signatures=signatures,
            signer_id=signer_id,
        )

    def key(self) -> ForeignSm2Key:
        """Return the key that is certified, with its owner's identity.

        Raises:
            Malformed: it is not a point of the curve.
        """
        return ForeignSm2Key(self.x_y, self.identity)

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Whether one of the signatures is the key's of `issuer`."""
        if self.signer_id and self.signer_id != issuer.key_id:
            return False
        mine = [each for each in self.signatures if each.usage == issuer.usage]
        if not mine:
            return False
        try:
            key = issuer.key()
        except Malformed:
            return False
        return any(key.signed_raw(each.r_s, self.signed) for each in mine)


def looks_like_pek(data: bytes) -> bool:
    """Whether these bytes begin as the certificate of a PEK does."""
    version, usage, algorithm = _CHIP.unpack_from(data)
    return version in _CHIP_VERSIONS and (usage, algorithm) == (PEK, SM2_SIGNING)


def signature(r: bytes, s: bytes) -> bytes:
    """Return two little-endian fields of 72 bytes as big-endian halves of 32.

    Raises:
        Malformed: a number is too large for SM2.
    """
    return _number(r) + _number(s)


def _key(data: bytes, offset: int) -> tuple[bytes, bytes]:
    group, x, y, identity_bytes, identity = _KEY.unpack_from(data, offset)
    if group != SM2_GROUP or identity_bytes > len(identity):
        message = "a Hygon certificate of another curve, or with a wrong identity"
        raise Malformed(message)
    return _number(x) + _number(y), identity[:identity_bytes]


def _number(field: bytes) -> bytes:
    if any(field[_SM2_BYTES:]):
        message = "a number of a Hygon certificate or report is too large for SM2"
        raise Malformed(message)
    return field[_SM2_BYTES - 1 :: -1]
