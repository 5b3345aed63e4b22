# SPDX-License-Identifier: Apache-2.0
"""Signatures of a TPM's quotes (TPM 2.0 Library 1.59, Part 2, section 11.3).

As the TPM returns them (TPMT_SIGNATURE), or as software repacked them: DER of ECDSA,
or the bytes of RSA alone. The latter do not say which algorithm they are of, so what
brought them does, by a `signature_format` such as "ecdsa-sha256-der", "raw
RSASSA-PKCS1v1.5 SHA-256" or "raw RSASSA-PSS SHA-384".
"""

import re
from dataclasses import dataclass
from typing import Literal, Self, cast

from strongroom.core.codec.cursor import Cursor
from strongroom.core.crypto.foreign import Digest, ForeignKey, ForeignSm2Key
from strongroom.errors import Malformed
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tcg.algorithms import ALGORITHMS, WEAK, Algorithm
from strongroom.hardware.tcg.public import Key

TPMT_SIGNATURE = "TPMT_SIGNATURE"

Scheme = Literal["rsassa", "rsapss", "ecdsa", "sm2"]
_SCHEMES: dict[int, Scheme] = {
    0x0014: "rsassa",
    0x0016: "rsapss",
    0x0018: "ecdsa",
    0x001B: "sm2",
}
_DIGESTS: dict[Algorithm, Digest] = {
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
}
_WIDTHS = {"P-256": 32, "P-384": 48, "P-521": 66}
_SM2_WIDTH = 32
_MAX_BYTES, _MAX_FORMAT = 1200, 64

_FORMAT = re.compile(
    r"(?:raw)?"
    r"(?P<scheme>rsassapss|rsapss|rsassapkcs1v15|rsassa|rsapkcs1v15|ecdsa|sm2)"
    r"(?:with)?(?P<digest>sha1|sha256|sha384|sha512|sm3)"
    r"(?P<encoding>der|raw)?"
)
_CALLED: dict[str, Scheme] = {
    "rsassapss": "rsapss",
    "rsapss": "rsapss",
    "rsassapkcs1v15": "rsassa",
    "rsapkcs1v15": "rsassa",
    "rsassa": "rsassa",
    "ecdsa": "ecdsa",
    "sm2": "sm2",
}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature with its scheme; `value` is RSA's bytes, DER, or r and s as `r_s`."""

    scheme: Scheme
    algorithm: Algorithm
    value: bytes
    r_s: tuple[bytes, bytes] | None = None

    @classmethod
    def parse(cls, data: bytes, signature_format: str, what: str) -> Self:
        """Read a signature of the format of that name.

        Raises:
            Malformed: a format or an algorithm that is not known, or other bytes.
        """
        if len(data) > _MAX_BYTES:
            message = f"{what}: more than {_MAX_BYTES} bytes"
            raise Malformed(message)
        if signature_format == TPMT_SIGNATURE:
            return cls._parse_tpmt(data, what)
        squeezed = re.sub(r"[^a-z0-9]", "", signature_format[:_MAX_FORMAT].lower())
        found = _FORMAT.fullmatch(squeezed)
        if found is None:
            message = f"{what}: format {signature_format[:_MAX_FORMAT]!r} is not known"
            raise Malformed(message)
        scheme = _CALLED[found["scheme"]]
        algorithm = cast("Algorithm", found["digest"])
        if scheme == "sm2" or (scheme == "ecdsa" and "raw" in squeezed):
            half, odd = divmod(len(data), 2)
            if odd or "der" in squeezed:
                message = f"{what}: {len(data)} bytes are not two halves"
                raise Malformed(message)
            return cls(scheme, algorithm, b"", (data[:half], data[half:]))
        return cls(scheme, algorithm, data)

    @classmethod
    def _parse_tpmt(cls, data: bytes, what: str) -> Self:
        cursor = Cursor(data, what)
        number, hashed = cursor.big(2), cursor.big(2)
        scheme, algorithm = _SCHEMES.get(number), ALGORITHMS.get(hashed)
        if scheme is None or algorithm is None:
            message = f"{what}: scheme {number:#06x} with hash {hashed:#06x}"
            raise Malformed(message)
        first = cursor.take(cursor.big(2))
        elliptic = scheme in ("ecdsa", "sm2")
        second = cursor.take(cursor.big(2)) if elliptic else b""
        cursor.end()
        if elliptic:
            return cls(scheme, algorithm, b"", (first, second))
        return cls(scheme, algorithm, first)

    def is_by(self, key: Key, data: bytes) -> bool:
        """Whether it is `key`'s over `data`, whatever its hash."""
        if isinstance(key, ForeignSm2Key):
            return self._is_by_sm2(key, data)
        return self._is_by(key, data)

    def _is_by(self, key: ForeignKey, data: bytes) -> bool:
        algorithm = _DIGESTS.get(self.algorithm)
        rsa = self.scheme in ("rsassa", "rsapss")
        if algorithm is None or rsa != (key.curve == "RSA"):
            return False
        if self.scheme == "rsapss":
            return key.signed_pss(self.value, data, algorithm)
        if self.r_s is None:
            return key.signed(self.value, data, algorithm)
        r_s = _joined(self.r_s, _WIDTHS[key.curve])
        return key.signed_raw(r_s, data, algorithm)

    def _is_by_sm2(self, key: ForeignSm2Key, data: bytes) -> bool:
        """Verify over SM3 of the data alone: a TPM knows no identity of a signer."""
        if self.scheme != "sm2" or self.algorithm != "sm3" or self.r_s is None:
            return False
        return key.signed_plain(_joined(self.r_s, _SM2_WIDTH), data)


def verify_quote_signature(
    kind: str, what: str, keys: tuple[Key, ...], data: bytes, signature: Signature
) -> Key:
    """Return which of `keys` signed `data`.

    Args:
        kind: of the evidence, for rule ids.
        what: names the quote in rule ids.
        keys: attestation keys; usually one.
        data: the TPMS_ATTEST.
        signature: over it.

    Raises:
        Untrusted: `weak_algorithm` for SHA-1, `signature`.
    """
    if signature.algorithm == WEAK:
        raise refuse(
            kind,
            "weak_algorithm",
            what,
            expected="a quote signed with SHA-256 or better",
            got="SHA-1",
        )
    for key in keys:
        if signature.is_by(key, data):
            return key
    raise refuse(
        kind,
        "signature",
        what,
        expected="a quote signed by its attestation key",
        got="one that is not",
    )


def _joined(r_s: tuple[bytes, bytes], width: int) -> bytes:
    """Return both halves at full width, or b"" where one is longer than that."""
    if any(len(half.lstrip(b"\0")) > width for half in r_s):
        return b""
    return b"".join(half.lstrip(b"\0").rjust(width, b"\0") for half in r_s)
