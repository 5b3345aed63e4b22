# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052 section 4.2): the one envelope of everything signed here.

    18([ << {1: alg, 4: kid, 16: typ, -70000: suite} >>, {}, payload, signature ])

Everything is in the protected header, so everything is signed. `typ` (RFC 9596)
keeps a signature on one kind of statement from being taken for another; the suite
is named beside the algorithm and must agree with it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from strongroom.core.codec import cbor
from strongroom.core.crypto import SUITES, SigningKey, VerifyingKey
from strongroom.errors import Malformed, Untrusted

TAG = b"\xd2"
"""CBOR tag 18, COSE_Sign1, in its one-byte form; `cbor` itself refuses tags."""

_ALG, _KID, _TYP, _SUITE = 1, 4, 16, -70000
_PARTS = 4
_LIST, _EMPTY = b"\x84", b"\xa0"
_SIGNATURE1 = b"\x84\x6aSignature1"
"""How a list of four begins in CBOR, an empty map, and a Sig_structure begins."""
_HEADERS, _SHORT_HEADER_BYTES = 256, 512
"""How many headers are remembered, and how long one may be."""


@dataclass(frozen=True)
class Sign1:
    """A signed statement as it was read: UNVERIFIED until `verify` returns."""

    typ: str
    suite_id: str
    key_id: bytes
    payload: bytes
    signature: bytes
    protected: bytes
    """The header as it was signed."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse an envelope; `sign1` is the inverse.

        Raises:
            Malformed: any bytes that `sign1` does not write.
        """
        if data[:1] != TAG:
            message = "these bytes are not a tagged COSE_Sign1 (RFC 9052)"
            raise Malformed(message)
        parts = cbor.decode(data[1:])
        if not isinstance(parts, list) or len(parts) != _PARTS or parts[1] != {}:
            message = "COSE_Sign1: expected [protected, {}, payload, signature]"
            raise Malformed(message)
        protected, _, payload, signature = parts
        if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
            message = "COSE_Sign1: protected, payload and signature are bytes"
            raise Malformed(message)
        typ, suite_id, key_id = _parse_header(protected)
        return cls(typ, suite_id, key_id, payload, signature, protected)

    def verify(self, key: VerifyingKey, typ: str, aad: bytes = b"") -> bytes:
        """Return the payload, now known to be `key`'s statement of kind `typ`.

        1. The type is the expected one.
        2. The suite and the key id are those of `key`.
        3. The signature holds over Sig_structure (RFC 9052 section 4.4).

        Raises:
            Untrusted: one of them does not hold.
        """
        if self.typ != typ:
            raise _untrusted(
                rule="cose.type", expected=f"a statement of type {typ}", got=self.typ
            )
        if (self.suite_id, self.key_id) != (key.suite_id, key.key_id):
            raise _untrusted(
                rule="cose.key",
                expected=f"{key.suite_id} key {key.key_id.hex()[:16]}",
                got=f"{self.suite_id} key {self.key_id.hex()[:16]}",
            )
        try:
            key.verify(
                self.signature, _sig_structure(self.protected, aad, self.payload)
            )
        except Untrusted as error:
            raise _untrusted(
                rule="cose.signature",
                expected=f"a signature by {key.key_id.hex()[:16]} over this statement",
                got="one that does not verify",
            ) from error
        return self.payload


def sign1(key: SigningKey, typ: str, payload: bytes, *, aad: bytes = b"") -> bytes:
    """Return `payload` signed as a statement of kind `typ`.

    Args:
        key: the signer.
        typ: the name of the payload's format.
        payload: what is signed, inside the envelope.
        aad: what is signed beside it and known to the verifier.
    """
    protected = _header(key.suite_id, key.public.key_id, typ)
    signature = key.sign(_sig_structure(protected, aad, payload))
    return (
        TAG + _LIST + cbor.octets(protected) + _EMPTY + cbor.octets(payload, signature)
    )


@lru_cache(maxsize=_HEADERS)
def _header(suite_id: str, key_id: bytes, typ: str) -> bytes:
    """Return the protected header of what a key signs of one kind."""
    alg = SUITES[suite_id].cose_sign_alg
    return cbor.encode({_ALG: alg, _KID: key_id, _TYP: typ, _SUITE: suite_id})


def _parse_header(protected: bytes) -> tuple[str, str, bytes]:
    """Parse a header; a short one that comes again is not parsed again."""
    parse = _parse_known if len(protected) <= _SHORT_HEADER_BYTES else _parse_any
    return parse(protected)


def _parse_any(protected: bytes) -> tuple[str, str, bytes]:
    header = cbor.decode(protected)
    if not isinstance(header, dict) or set(header) != {_ALG, _KID, _TYP, _SUITE}:
        message = "COSE_Sign1: the protected header is not {alg, kid, typ, suite}"
        raise Malformed(message)
    typ, suite_id, key_id = header[_TYP], header[_SUITE], header[_KID]
    if not isinstance(typ, str) or not isinstance(key_id, bytes):
        message = "COSE_Sign1: typ is text and kid is bytes"
        raise Malformed(message)
    row = SUITES.get(suite_id) if isinstance(suite_id, str) else None
    if (
        row is None
        or type(header[_ALG]) is not int
        or row.cose_sign_alg != header[_ALG]
    ):
        message = "COSE_Sign1: the suite is unknown or alg is not its algorithm"
        raise Malformed(message)
    return typ, row.id, key_id


_parse_known = lru_cache(maxsize=_HEADERS)(_parse_any)


def _sig_structure(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    return _SIGNATURE1 + cbor.octets(protected, aad, payload)


def _untrusted(*, rule: str, expected: str, got: str) -> Untrusted:
    refusal = Untrusted.because(
        rule=rule,
        owner="core",
        expected=expected,
        got=got,
        remedy="Get the statement again from the one who should have signed it.",
    )
    return Untrusted(refusal.message, refusal.findings)
