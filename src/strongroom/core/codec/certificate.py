# SPDX-License-Identifier: Apache-2.0
"""Certificates: CBOR Web Tokens (RFC 8392) with a confirmation key (RFC 8747).

    COSE_Sign1 of {1: iss, 2: sub, 4: exp, 5: nbf, 6: iat, 7: cti, 8: {1: COSE_Key},
                   -70010: role}

The key is an OKP key (RFC 9053 section 7.2) for Ed25519 and an EC2 key (section 7.1)
with a private curve number for SM2. Chains of them are verified in cwt.py.
"""

from dataclasses import dataclass
from typing import Literal, Self, get_args

from strongroom.core.codec import cbor, cose
from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import SUITES, SigningKey
from strongroom.errors import Malformed

TYPE = "strongroom/certificate/v1"

Role = Literal["root", "intermediate", "attestation"]

_ISS, _SUB, _EXP, _NBF, _IAT, _CTI, _CNF, _ROLE = 1, 2, 4, 5, 6, 7, 8, -70010
_COSE_KEY = 1
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_OKP, _EC2, _ED25519, _SM2 = 1, 2, 6, -70001
_COORDINATE = 32
_UNCOMPRESSED = b"\x04"
_MAX_TIME = 2**53


@dataclass(frozen=True)
class Certificate:
    """What a certificate says; `cwt.verify_chain` returns only what holds.

    Times are Unix seconds: valid from `not_before`, and until just before
    `expires_at`.
    """

    issuer: str
    subject: str
    public_key: PublicKey
    serial: bytes
    issued_at: int
    not_before: int
    expires_at: int
    role: Role

    def __post_init__(self) -> None:
        if not self.issuer or not self.subject or not self.serial:
            message = "a certificate needs an issuer, a subject and a serial"
            raise Malformed(message)
        if self.role not in get_args(Role):
            message = f"a certificate's role is one of {', '.join(get_args(Role))}"
            raise Malformed(message)
        if self.public_key.use != "sign":
            message = "a certificate is for a key that signs"
            raise Malformed(message)
        times = (self.issued_at, self.not_before, self.expires_at)
        if min(times) < 0 or max(times) > _MAX_TIME or times[1] >= times[2]:
            message = (
                "a certificate's times are Unix seconds, and it ends after it begins"
            )
            raise Malformed(message)


@dataclass(frozen=True)
class SignedCertificate:
    """A certificate as it was read: UNVERIFIED."""

    claims: Certificate
    envelope: cose.Sign1

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse the bytes that `issue` wrote.

        Raises:
            Malformed: any other bytes.
        """
        envelope = cose.Sign1.parse(data)
        if envelope.typ != TYPE:
            message = f"these bytes are a {envelope.typ[:40]!r}, not a {TYPE}"
            raise Malformed(message)
        return cls(_from_claims(cbor.decode(envelope.payload)), envelope)


def issue(issuer_key: SigningKey, certificate: Certificate) -> bytes:
    """Return `certificate` signed by its issuer; a root signs itself."""
    return cose.sign1(issuer_key, TYPE, cbor.encode(_to_claims(certificate)))


def _to_claims(certificate: Certificate) -> dict[int, object]:
    return {
        _ISS: certificate.issuer,
        _SUB: certificate.subject,
        _EXP: certificate.expires_at,
        _NBF: certificate.not_before,
        _IAT: certificate.issued_at,
        _CTI: certificate.serial,
        _CNF: {_COSE_KEY: _to_cose_key(certificate.public_key)},
        _ROLE: certificate.role,
    }


_CLAIM_TYPES: dict[int, type] = {
    _ISS: str,
    _SUB: str,
    _EXP: int,
    _NBF: int,
    _IAT: int,
    _CTI: bytes,
    _CNF: dict,
    _ROLE: str,
}


def _from_claims(claims: object) -> Certificate:
    if not isinstance(claims, dict) or set(claims) != set(_CLAIM_TYPES):
        message = "a certificate holds iss, sub, exp, nbf, iat, cti, cnf and role"
        raise Malformed(message)
    for name, kind in _CLAIM_TYPES.items():
        if type(claims[name]) is not kind:
            message = f"claim {name} of a certificate is not of type {kind.__name__}"
            raise Malformed(message)
    if set(claims[_CNF]) != {_COSE_KEY}:
        message = "a certificate's cnf holds one COSE_Key"
        raise Malformed(message)
    return Certificate(
        issuer=claims[_ISS],
        subject=claims[_SUB],
        public_key=_from_cose_key(claims[_CNF][_COSE_KEY]),
        serial=claims[_CTI],
        issued_at=claims[_IAT],
        not_before=claims[_NBF],
        expires_at=claims[_EXP],
        role=claims[_ROLE],
    )


def _to_cose_key(key: PublicKey) -> dict[int, object]:
    head = {_ALG: SUITES[key.suite].cose_sign_alg}
    if key.suite == "intl":
        return {**head, _KTY: _OKP, _CRV: _ED25519, _X: key.raw}
    x, y = key.raw[1 : 1 + _COORDINATE], key.raw[1 + _COORDINATE :]
    return {**head, _KTY: _EC2, _CRV: _SM2, _X: x, _Y: y}


def _from_cose_key(value: object) -> PublicKey:
    """Parse a COSE_Key; only what `_to_cose_key` writes of a valid key is one."""
    key = value if isinstance(value, dict) else {}
    x, y = key.get(_X), key.get(_Y, b"")
    if isinstance(x, bytes) and isinstance(y, bytes):
        suite_id, lead = ("sm", _UNCOMPRESSED) if _Y in key else ("intl", b"")
        public = PublicKey(suite_id, "sign", lead + x + y)
        if cbor.encode(_to_cose_key(public)) == cbor.encode(value):
            return public
    message = "a certificate's cnf is not the COSE_Key of a suite here"
    raise Malformed(message)
