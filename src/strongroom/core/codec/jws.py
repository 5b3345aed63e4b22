# SPDX-License-Identifier: Apache-2.0
"""JWS in its compact form (RFC 7515), the envelope of attestation results as JWT.

    base64url({"alg":"EdDSA","kid":"<key id in hex>","typ":"..."}) . payload . signature

`alg` is not a choice: each suite has one, and a verifier takes that of the key it
has pinned, whatever a token says. "SM2-SM3" is private (RFC 7515 section 4.1.1): the
signature is the DER of GB/T 35276 over the signing input, as everywhere in suite `sm`.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Self

from strongroom.core.crypto import SigningKey, VerifyingKey
from strongroom.errors import Finding, Malformed, Untrusted

ALGORITHMS = {"intl": "EdDSA", "sm": "SM2-SM3"}
"""`alg` by suite: RFC 8037 for Ed25519, private use for SM2 with SM3."""

MAX_TOKEN_BYTES = 8 << 20
_HEADER = {"alg", "kid", "typ"}
_PARTS = 3
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_MAX_DEPTH = 16


@dataclass(frozen=True)
class Jws:
    """A compact JWS as it was read: UNVERIFIED until `verify` returns."""

    alg: str
    kid: str
    typ: str
    payload: bytes
    signature: bytes
    signing_input: bytes

    @classmethod
    def parse(cls, token: bytes) -> Self:
        """Parse a token; `sign` is the inverse.

        Raises:
            Malformed: any bytes that `sign` does not write.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise malformed("jws.size", f"at most {MAX_TOKEN_BYTES} bytes", len(token))
        parts = token.split(b".")
        if len(parts) != _PARTS:
            raise malformed("jws.parts", "three parts with dots between", len(parts))
        header = strict_json(decode_base64url(parts[0]))
        if set(header) != _HEADER:
            raise malformed("jws.header", "alg, kid and typ", sorted(header))
        alg, kid, typ = (header[name] for name in ("alg", "kid", "typ"))
        match alg, kid, typ:
            case str(), str(), str():
                return cls(
                    alg,
                    kid,
                    typ,
                    decode_base64url(parts[1]),
                    decode_base64url(parts[2]),
                    parts[0] + b"." + parts[1],
                )
            case _:
                raise malformed("jws.header", "texts in the header", "others")

    def verify(self, key: VerifyingKey, typ: str) -> bytes:
        """Return the payload, now known to be `key`'s statement of kind `typ`.

        1. The algorithm is the one of the key's suite: never one that a token chose.
        2. The type is the expected one.
        3. The key id is that of `key`.
        4. The signature holds over the signing input (RFC 7515 section 5.2).

        Raises:
            Untrusted: one of them does not hold.
        """
        # 1
        wanted = ALGORITHMS[key.suite_id]
        if self.alg != wanted:
            raise _untrusted("jws.algorithm", wanted, self.alg)
        # 2
        if self.typ != typ:
            raise _untrusted("jws.type", f"a token of type {typ}", self.typ)
        # 3
        if self.kid != key.key_id.hex():
            raise _untrusted("jws.key", f"key {key.key_id.hex()[:16]}", self.kid[:16])
        # 4
        try:
            key.verify(self.signature, self.signing_input)
        except Untrusted as error:
            expected = f"a signature by {self.kid[:16]} over this token"
            got = "one that does not verify"
            raise _untrusted("jws.signature", expected, got) from error
        return self.payload


def sign(key: SigningKey, typ: str, payload: bytes) -> bytes:
    """Return `payload` signed as a compact JWS of kind `typ`."""
    header = {
        "alg": ALGORITHMS[key.suite_id],
        "kid": key.public.key_id.hex(),
        "typ": typ,
    }
    signing_input = encode_base64url(to_json(header)) + b"." + encode_base64url(payload)
    return signing_input + b"." + encode_base64url(key.sign(signing_input))


def to_json(value: object) -> bytes:
    """Return the JSON of `value` in one line with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def encode_base64url(data: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode_base64url(text: bytes) -> bytes:
    """Return what `encode_base64url` encoded.

    Raises:
        Malformed: padding, other letters, or bits that no encoder sets.
    """
    if _BASE64URL.fullmatch(text):
        try:
            data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        except (binascii.Error, ValueError) as error:
            raise _not_base64url() from error
        if encode_base64url(data) == text:
            return data
    raise _not_base64url()


def strict_json(data: bytes) -> dict[str, object]:
    """Return the object in UTF-8 JSON without duplicate names, floats or constants.

    Raises:
        Malformed: anything else.
    """
    try:
        value: object = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once_each,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        raise malformed("json.syntax", "a JSON object in UTF-8", "no JSON") from error
    if not isinstance(value, dict):
        raise malformed("json.syntax", "a JSON object", type(value).__name__)
    _check_depth(value, 0)
    return value


def malformed(rule: str, expected: str, got: object) -> Malformed:
    """Return the error for bytes that break a rule of a token's format."""
    finding = Finding(
        rule, "core", expected, str(got), "Get the token again from who signed it."
    )
    return Malformed(str(finding), [finding])


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise malformed("json.duplicate", "each name once", "a name twice")
    return value


def _refuse_number(text: str) -> object:
    raise malformed("json.number", "whole numbers", text)


def _check_depth(value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise malformed("json.depth", f"at most {_MAX_DEPTH} levels", "more")
    below: list[object] = []
    if isinstance(value, dict):
        below = list(value.values())
    elif isinstance(value, list):
        below = value
    for each in below:
        _check_depth(each, depth + 1)


def _not_base64url() -> Malformed:
    return malformed("jws.base64url", "base64url without padding", "another encoding")


def _untrusted(rule: str, expected: str, got: str) -> Untrusted:
    finding = Finding(
        rule, "core", expected, got, "Get the token again from who should have signed."
    )
    return Untrusted(str(finding), [finding])
