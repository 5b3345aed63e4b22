# SPDX-License-Identifier: Apache-2.0
"""Public areas of keys in a TPM: TPMT_PUBLIC (TPM 2.0 Library 1.59, Part 2, 12.2.4)."""

from dataclasses import dataclass
from typing import Self

from strongroom.core.codec.cursor import Cursor
from strongroom.core.crypto.foreign import Curve, ForeignKey, ForeignSm2Key
from strongroom.errors import Malformed
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tcg.algorithms import ALGORITHMS, hasher

Key = ForeignKey | ForeignSm2Key

FIXED_TPM, FIXED_PARENT, OWN_ORIGIN = 1 << 1, 1 << 4, 1 << 5
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18
"""Bits of TPMA_OBJECT (8.3)."""

_RSA, _ECC, _NULL = 0x0001, 0x0023, 0x0010
_ECDAA = 0x001A
_SM2_CURVE = 0x0020
_CURVES: dict[int, Curve] = {0x0003: "P-256", 0x0004: "P-384", 0x0005: "P-521"}
_WIDTHS: dict[int, int] = {0x0003: 32, 0x0004: 48, 0x0005: 66, _SM2_CURVE: 32}
_DEFAULT_EXPONENT = 65537
_MAX_BYTES = 2048


@dataclass(frozen=True)
class Public:
    """A public area as it was read.

    Attributes:
        name_algorithm: TPM_ALG_ID of the hash that names it.
        attributes: TPMA_OBJECT.
        auth_policy: digest of the policy under which it is used, or b"".
        key: what verifies its signatures.
        raw: the TPMT_PUBLIC.
    """

    name_algorithm: int
    attributes: int
    auth_policy: bytes
    key: Key
    raw: bytes

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Read a TPMT_PUBLIC or a TPM2B_PUBLIC of an RSA or elliptic key.

        Raises:
            Malformed: another kind of key, or bytes left over.
        """
        if len(data) > _MAX_BYTES:
            message = f"{what}: more than {_MAX_BYTES} bytes"
            raise Malformed(message)
        # a TPM2B begins with its length, which is never that of a type of key
        if int.from_bytes(data[:2], "big") == len(data) - 2:
            data = data[2:]
        cursor = Cursor(data, what)
        kind, name_algorithm = cursor.big(2), cursor.big(2)
        attributes, policy = cursor.big(4), cursor.take(cursor.big(2))
        if kind not in (_RSA, _ECC):
            message = f"{what}: a key of type {kind:#06x}, neither RSA nor elliptic"
            raise Malformed(message)
        _skip_symmetric(cursor)
        _skip_scheme(cursor)
        key = _rsa(cursor, what) if kind == _RSA else _elliptic(cursor, what)
        cursor.end()
        return cls(name_algorithm, attributes, policy, key, data)

    def name(self) -> bytes:
        """Return the Name of the object (Part 1, section 16).

        Raises:
            Malformed: it is named with a hash that nobody here knows.
        """
        algorithm = ALGORITHMS.get(self.name_algorithm)
        if algorithm is None:
            message = f"a public area named with hash {self.name_algorithm:#06x}"
            raise Malformed(message)
        return self.name_algorithm.to_bytes(2, "big") + hasher(algorithm)(self.raw)

    def has(self, attributes: int) -> bool:
        """Whether all of these bits are set."""
        return self.attributes & attributes == attributes


def check_attestation_key(kind: str, public: Public) -> None:
    """Refuse a key that is not bound to sign only what its own TPM made.

    A restricted signing key refuses data that begins like a TPMS_ATTEST unless the
    TPM made it. One that is not fixed to its TPM, or whose private part the TPM did not
    draw by itself (`sensitiveDataOrigin`: it may be derived from what a user chose),
    may exist in software as well.

    Raises:
        Untrusted: `root`.
    """
    wanted = FIXED_TPM | FIXED_PARENT | OWN_ORIGIN | RESTRICTED | SIGN
    if public.has(wanted) and not public.has(DECRYPT):
        return
    raise refuse(
        kind,
        "root",
        "ak_attributes",
        expected="a restricted signing key that its TPM drew and that never leaves it",
        got=f"attributes {public.attributes:#010x}",
        remedy="Trust an attestation key; with any other the TPM's user can sign what "
        "no TPM said.",
    )


def _skip_symmetric(cursor: Cursor) -> None:
    """Skip a TPMT_SYM_DEF_OBJECT: NULL, or algorithm, key bits and mode."""
    if cursor.big(2) != _NULL:
        cursor.take(4)


def _skip_scheme(cursor: Cursor) -> None:
    """Skip a TPMT_RSA_SCHEME or TPMT_ECC_SCHEME: NULL, or a hash, and ECDAA's count."""
    scheme = cursor.big(2)
    if scheme != _NULL:
        cursor.take(4 if scheme == _ECDAA else 2)


def _rsa(cursor: Cursor, what: str) -> ForeignKey:
    bits, exponent = cursor.big(2), cursor.big(4)
    modulus = cursor.take(cursor.big(2))
    if len(modulus) * 8 != bits:
        message = f"{what}: a modulus of {len(modulus)} bytes, not of {bits} bits"
        raise Malformed(message)
    return ForeignKey.from_rsa(
        int.from_bytes(modulus, "big"), exponent or _DEFAULT_EXPONENT
    )


def _elliptic(cursor: Cursor, what: str) -> Key:
    curve = cursor.big(2)
    if cursor.big(2) != _NULL:
        cursor.take(2)
    width = _WIDTHS.get(curve)
    if width is None:
        message = f"{what}: a key of curve {curve:#06x}"
        raise Malformed(message)
    halves = [cursor.take(cursor.big(2)) for _ in range(2)]
    if any(len(half) > width for half in halves):
        message = f"{what}: a coordinate of more than {width} bytes"
        raise Malformed(message)
    x_y = b"".join(half.rjust(width, b"\0") for half in halves)
    if curve == _SM2_CURVE:
        return ForeignSm2Key(x_y)
    return ForeignKey.from_point(_CURVES[curve], x_y)
