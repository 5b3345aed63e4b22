# SPDX-License-Identifier: Apache-2.0
"""CCA tokens in Arm's layout, with fresh keys: nothing here is a platform's."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.rats import Endorsements, HardwareEvidence, Trust

CHALLENGE = b"\x5a" * 64
LEGACY = "http://arm.com/CCA-SSD/1.0.0"
PROFILE = "tag:arm.com,2023:cca_platform#1.0.0"
REALM_PROFILE = "tag:arm.com,2023:realm#1.0.0"
PLATFORM, REALM = 44234, 44241
ALGORITHMS: dict[int, tuple[type[ec.EllipticCurve], hashes.HashAlgorithm, int]] = {
    -7: (ec.SECP256R1, hashes.SHA256(), 32),
    -35: (ec.SECP384R1, hashes.SHA384(), 48),
    -36: (ec.SECP521R1, hashes.SHA512(), 66),
}
CURVES = {-7: 1, -35: 2, -36: 3}


def key(name: str, algorithm: int = -35) -> ec.EllipticCurvePrivateKey:
    """Return the key of that name for an algorithm, made once."""
    return _key(name, algorithm if algorithm in ALGORITHMS else -35)


@cache
def _key(name: str, algorithm: int) -> ec.EllipticCurvePrivateKey:
    del name
    return ec.generate_private_key(ALGORITHMS[algorithm][0]())


def point(of: ec.EllipticCurvePrivateKey) -> bytes:
    return of.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def cose_key(of: ec.EllipticCurvePrivateKey, curve: int) -> bytes:
    raw = point(of)[1:]
    half = len(raw) // 2
    return cbor2.dumps({1: 2, -1: curve, -2: raw[:half], -3: raw[half:]})


def pem(of: ec.EllipticCurvePrivateKey) -> bytes:
    return of.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign1(
    payload: bytes,
    by: ec.EllipticCurvePrivateKey,
    algorithm: int = -35,
    header: dict[int, object] | None = None,
) -> bytes:
    """Return a tagged COSE_Sign1."""
    protected = cbor2.dumps({1: algorithm} | (header or {}))
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    _, digest, size = ALGORITHMS.get(algorithm, ALGORITHMS[-35])
    r, s = decode_dss_signature(by.sign(signed, ec.ECDSA(digest)))
    signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


@dataclass(frozen=True)
class Forge:
    """A token to be; `platform` and `realm` replace claims, None takes one away."""

    tag: int | None = 399
    algorithm: int = -35
    platform: dict[int, object] = field(default_factory=dict)
    realm: dict[int, object] = field(default_factory=dict)
    platform_signer: str = "cpak"
    realm_signer: str = "rak"
    header: dict[int, object] = field(default_factory=dict)
    as_cose_key: bool = False
    trusted: tuple[bytes, ...] | None = None

    def but(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def rak(self) -> bytes:
        of = key("rak", self.algorithm)
        curve = CURVES.get(self.algorithm, 2)
        return cose_key(of, curve) if self.as_cose_key else point(of)

    def realm_claims(self) -> dict[int, object]:
        claims: dict[int, object] = {
            10: CHALLENGE,
            44236: "sha-256",
            44240: "sha-256",
            44235: b"\x11" * 64,
            44237: self.rak(),
            44238: b"\x22" * 32,
            44239: [bytes([i]) * 32 for i in range(4)],
        }
        return _without_none(claims | self.realm)

    def platform_claims(self) -> dict[int, object]:
        claims: dict[int, object] = {
            265: LEGACY,
            10: hashlib.sha256(self.rak()).digest(),
            2396: b"\x33" * 32,
            256: b"\x01" + b"\x44" * 32,
            2401: b"\xcf\xcf",
            2395: 0x3003,
            2402: "sha-256",
            2399: [
                {1: "BL2", 5: b"\x55" * 32, 4: "3.4", 2: b"\x66" * 32, 6: "sha-256"},
                {1: "RMM", 5: b"\x55" * 32, 2: b"\x77" * 32},
                {5: b"\x55" * 32, 2: b"\x88" * 32},
            ],
        }
        return _without_none(claims | self.platform)

    def tokens(self) -> tuple[bytes, bytes]:
        """Return the platform token and the realm token."""
        algorithm = self.algorithm
        return (
            sign1(
                cbor2.dumps(self.platform_claims()),
                key(self.platform_signer, algorithm),
                algorithm,
                self.header,
            ),
            sign1(
                cbor2.dumps(self.realm_claims()),
                key(self.realm_signer, algorithm),
                algorithm,
            ),
        )

    def token(self) -> bytes:
        platform, realm = self.tokens()
        if self.tag == 907:
            value: object = {PLATFORM: [263, platform], REALM: [263, realm]}
        else:
            value = {PLATFORM: platform, REALM: realm}
        return cbor2.dumps(
            value if self.tag is None else cbor2.CBORTag(self.tag, value)
        )

    def trust(self) -> Trust:
        trusted = self.trusted
        if trusted is None:
            trusted = (pem(key("cpak", self.algorithm)),)
        return Trust(Endorsements((), (), {"trusted_platform_key": trusted}))


def evidence(token: bytes) -> HardwareEvidence:
    return HardwareEvidence("arm-cca", {"token": token})


def _without_none(claims: dict[int, object]) -> dict[int, object]:
    return {label: value for label, value in claims.items() if value is not None}


VALID = Forge()
