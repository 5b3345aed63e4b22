# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052 section 4.2) as other people's tokens have it."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from strongroom.core.codec import foreign_cbor
from strongroom.core.codec.foreign_cbor import Key, Tag, Value
from strongroom.core.crypto.foreign import Curve, Digest, ForeignKey
from strongroom.errors import Malformed

SIGN1 = 18
"""The CBOR tag of COSE_Sign1."""

_ALG, _CRIT = 1, 2
_KTY, _CRV, _X, _Y, _EC2 = 1, -1, -2, -3, 2
_PARTS = 4
_CONTEXT = b"\x84\x6aSignature1"

ALGORITHMS: MappingProxyType[int, Digest] = MappingProxyType(
    {-7: "sha256", -35: "sha384", -36: "sha512"}
)
"""ES256, ES384, ES512 (RFC 9053 section 2.1) and the digest that each signs."""

_COORDINATE_BYTES: dict[Curve, int] = {"P-256": 32, "P-384": 48, "P-521": 66}
_SIGNATURE_BYTES = {str(name): 2 * n for name, n in _COORDINATE_BYTES.items()}
_CURVES: dict[int, Curve] = {1: "P-256", 2: "P-384", 3: "P-521"}


@dataclass(frozen=True)
class ForeignSign1:
    """A signed token as it was read: UNVERIFIED until `signed_by` is true.

    Attributes:
        protected: the header as it was signed.
        header: what `protected` says.
        unprotected: the header that nobody signed.
        payload: what is signed.
        signature: two big-endian halves.
    """

    protected: bytes
    header: dict[Key, Value]
    unprotected: dict[Key, Value]
    payload: bytes
    signature: bytes

    @classmethod
    def of(cls, value: Value, what: str) -> Self:
        """Take the array of four of a COSE_Sign1, with or without its tag.

        Raises:
            Malformed: it is something else, or has critical parameters.
        """
        parts = (
            value.value if isinstance(value, Tag) and value.number == SIGN1 else value
        )
        if not isinstance(parts, list) or len(parts) != _PARTS:
            message = f"{what}: not a COSE_Sign1 (RFC 9052 section 4.2)"
            raise Malformed(message)
        protected, unprotected, payload, signature = parts
        if (
            not isinstance(protected, bytes)
            or not isinstance(unprotected, dict)
            or not isinstance(payload, bytes)
            or not isinstance(signature, bytes)
        ):
            message = f"{what}: COSE_Sign1 is bytes, a map, bytes and bytes"
            raise Malformed(message)
        header = foreign_cbor.decode(protected, what) if protected else {}
        if not isinstance(header, dict) or _CRIT in header:
            message = f"{what}: a header that nobody here understands"
            raise Malformed(message)
        return cls(protected, header, unprotected, payload, signature)

    @property
    def digest(self) -> Digest | None:
        """The digest of the algorithm that the header names, if it is known here."""
        algorithm = self.header.get(_ALG)
        return ALGORITHMS.get(algorithm) if isinstance(algorithm, int) else None

    def signed_by(self, key: ForeignKey) -> bool:
        """Whether `key` signed this, as the protected header says."""
        digest, size = self.digest, _SIGNATURE_BYTES.get(key.curve)
        if digest is None or len(self.signature) != size:
            return False
        # Sig_structure (RFC 9052 section 4.4): nothing is signed beside the token
        signed = b"".join(
            (_CONTEXT, _bstr(self.protected), b"\x40", _bstr(self.payload))
        )
        return key.signed_raw(self.signature, signed, digest)


def elliptic_key(value: Value, what: str) -> ForeignKey:
    """Read a COSE_Key of type EC2 (RFC 9053 section 7.1.1).

    Raises:
        Malformed: another key, or none.
    """
    curve = value.get(_CRV) if isinstance(value, dict) else None
    name = _CURVES.get(curve) if isinstance(curve, int) else None
    if not isinstance(value, dict) or value.get(_KTY) != _EC2 or name is None:
        message = f"{what}: not a COSE_Key of an elliptic curve"
        raise Malformed(message)
    x, y = value.get(_X), value.get(_Y)
    if not isinstance(x, bytes) or not isinstance(y, bytes) or len(x) != len(y):
        message = f"{what}: a COSE_Key without its two coordinates"
        raise Malformed(message)
    return point_key(b"\x04" + x + y, what, name)


def point_key(point: bytes, what: str, curve: Curve | None = None) -> ForeignKey:
    """Read an uncompressed point (SEC 1 section 2.3.3) of any curve used here.

    Raises:
        Malformed: its length is of no curve, or of another than `curve`.
    """
    for name, size in _COORDINATE_BYTES.items():
        if len(point) == 1 + 2 * size and curve in (None, name):
            return ForeignKey.from_point(name, point[1:])
    message = f"{what}: not a point of a curve that is used here"
    raise Malformed(message)


def _bstr(data: bytes) -> bytes:
    """Return `data` as a CBOR byte string, with the shortest length."""
    n = len(data)
    if n < 24:  # noqa: PLR2004 - RFC 8949 section 3
        return bytes([0x40 | n]) + data
    width = next(w for w in (1, 2, 4, 8) if n < 1 << (8 * w))
    return bytes([0x57 + width.bit_length()]) + n.to_bytes(width, "big") + data
