# SPDX-License-Identifier: Apache-2.0
"""Verify Arm CCA tokens: authenticity, never expectation."""

import hashlib
from types import MappingProxyType
from typing import Final

from strongroom.core.codec.foreign_cbor import Key, Tag, Value
from strongroom.core.codec.foreign_cose import ForeignSign1
from strongroom.core.crypto import constant_time_equal
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.hardware import Field
from strongroom.core.rats.trust import Verified
from strongroom.errors import Malformed, Refused
from strongroom.hardware.arm_cca.abi import PlatformClaims, RealmClaims, Token
from strongroom.hardware.chain import check_key
from strongroom.hardware.refusal import refuse

KIND: Final = "arm-cca"
KEYS: Final = "trusted_platform_key"

_HASHES: MappingProxyType[str, str] = MappingProxyType(
    {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
)
"""Hash Name Strings (IANA Named Information registry) that bind the realm's key."""

_NOT_PROVEN = (
    "that the platform's firmware is one that its vendor endorses",
    "that the instance id is the key's own: of several trusted keys, any may claim it",
    "that the platform key was not revoked since it was put into the endorsements",
    "what the extensible measurements stand for: the realm's own software extends them",
)


def verify(evidence: HardwareEvidence, trust: Trust, now: int) -> HardwareClaims:
    """Return what a CCA token says, known to be the platform's and the monitor's word.

    1. Parse the collection, both COSE_Sign1 and both claims sets.
    2. The platform token is signed by a trusted platform attestation key (CPAK).
    3. The platform's challenge is the digest of the realm public key claim, by the
       algorithm that the realm token names: so the platform vouches for that key.
    4. The realm token is signed by that key (RAK).

    A platform whose lifecycle is not "secured" is debug-enabled.

    Not checked: certificates in headers (the CPAK is trusted as it stands, and for
    ever), reference values of firmware, age; tokens of the direct model, which have
    another profile, are refused.

    Args:
        evidence: `token`.
        trust: `trusted_platform_key`, each a SubjectPublicKeyInfo in PEM or DER.
        now: not used: nothing in a token or in its key has an end.

    Raises:
        Malformed: step 1.
        Untrusted: `missing_endorsement` without a key, `signature`, `revoked`,
            `binding`, or `weak_algorithm`.
    """
    # 1
    token = Token.parse(evidence.part("token"))
    platform = PlatformClaims.parse(token.platform.payload)
    realm = RealmClaims.parse(token.realm.payload)
    # 2
    _check_platform(token.platform, trust, now)
    # 3
    _check_binding(platform, realm)
    # 4
    key = realm.key()
    if not token.realm.signed_by(key):
        raise _not_signed(token.realm, "realm_token", "the realm attestation key")
    check_key(KIND, "realm_public_key", key.spki, trust)
    return HardwareClaims(
        kind=KIND,
        format=f"CCA token, profile {platform.profile}",
        device=platform.instance_id,
        bound=realm.challenge,
        bound_as="realm_challenge",
        debug=not platform.secured,
        measurements=_measurements(platform, realm),
        fields={
            "cbor_tag": token.cbor_tag,
            "platform_claims": _field(platform.claims),
            "realm_claims": _field(realm.claims),
        },
        not_proven=_NOT_PROVEN,
        proof=vouch(),
    )


def _check_platform(token: ForeignSign1, trust: Trust, now: int) -> None:
    keys = trust.once((KIND, KEYS), now, lambda: Verified(_read_keys(trust)))
    if not keys:
        raise refuse(
            KIND,
            "missing_endorsement",
            KEYS,
            expected="a platform attestation key to trust",
            got="none",
        )
    signer = next((key for key in keys if token.signed_by(key)), None)
    if signer is None:
        raise _not_signed(token, "platform_token", "a trusted platform key")
    check_key(KIND, KEYS, signer.spki, trust)


def _read_keys(trust: Trust) -> tuple[ForeignKey, ...]:
    return tuple(
        ForeignKey.from_pem(each)
        if b"-----BEGIN" in each
        else ForeignKey.from_spki(each)
        for each in trust.documents(KEYS)
    )


def _not_signed(token: ForeignSign1, what: str, key: str) -> Refused | Malformed:
    if token.digest is None:
        return refuse(
            KIND,
            "weak_algorithm",
            what,
            expected="ES256, ES384 or ES512",
            got=f"algorithm {str(token.header.get(1))[:32]}",
        )
    return refuse(
        KIND,
        "signature",
        what,
        expected=f"a token signed by {key}",
        got="one that is not",
    )


def _check_binding(platform: PlatformClaims, realm: RealmClaims) -> None:
    name = _HASHES.get(realm.public_key_hash)
    if name is None:
        raise refuse(
            KIND,
            "weak_algorithm",
            "realm_public_key",
            expected=f"one of {', '.join(_HASHES)}",
            got=realm.public_key_hash[:32],
        )
    digest = hashlib.new(name, realm.public_key).digest()
    if not constant_time_equal(platform.challenge, digest):
        raise refuse(
            KIND,
            "binding",
            "realm_public_key",
            expected="the platform's challenge to be the digest of the realm's key",
            got="another challenge",
        )


def _measurements(platform: PlatformClaims, realm: RealmClaims) -> dict[str, bytes]:
    found = {"rim": realm.initial}
    found |= {f"rem.{i}": value for i, value in enumerate(realm.extensible)}
    for i, (name, value) in enumerate(platform.components):
        role = f"platform.{name or i}"
        found[role if role not in found else f"{role}.{i}"] = value
    return found


def _field(value: Value) -> Field:
    """Return a CBOR value as JSON has it; keys of maps become text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Tag):
        return {"tag": value.number, "value": _field(value.value)}
    if isinstance(value, list):
        return [_field(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {_name(key): _field(each) for key, each in value.items()}
    if len(named) != len(value):
        message = "CCA token: two keys of a map have the same name"
        raise Malformed(message)
    return named


def _name(key: Key) -> str:
    return key.hex() if isinstance(key, bytes) else str(key)
