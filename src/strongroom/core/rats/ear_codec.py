# SPDX-License-Identifier: Apache-2.0
"""The claims set of an EAR in JSON (JWT) and CBOR (CWT), draft-ietf-rats-ear-04.

Names and labels are those of the draft. A reader takes what the writer here would
have written and nothing else: it encodes what it read again and compares.
"""

from collections.abc import Mapping
from dataclasses import fields

from strongroom.core.codec import cbor, jws
from strongroom.core.rats.ear_claims import (
    AttesterClaims,
    Ear,
    EarSubmodule,
    VerifierClaims,
    wrong_claims,
)
from strongroom.core.rats.results import EAR_PROFILE, TIERS, TrustVector
from strongroom.errors import Finding, Untrusted

_IAT, _EXP, _EAT_NONCE, _EAT_PROFILE, _SUBMODS = 6, 4, 10, 265, 266
_STATUS, _VECTOR, _POLICY_IDS, _VERIFIER_ID = 1000, 1001, 1003, 1004
_ATTESTER, _VERIFIER, _DIGEST = -70360, -70361, -70362
"""Private: the draft has names for the first two; their numbers are not settled."""

_TOP = {
    "eat_profile": _EAT_PROFILE,
    "iat": _IAT,
    "exp": _EXP,
    "eat_nonce": _EAT_NONCE,
    "ear_status": _STATUS,
    "ear_verifier_id": _VERIFIER_ID,
    "strongroom_evidence_digest": _DIGEST,
    "submods": _SUBMODS,
}
_SUBMODULE = {
    "ear_status": _STATUS,
    "ear_trustworthiness_vector": _VECTOR,
    "ear_appraisal_policy_ids": _POLICY_IDS,
    "ear_attester_claims": _ATTESTER,
    "ear_verifier_claims": _VERIFIER,
}
_WHO = {"developer": 0, "build": 1}
_VECTOR_FIELDS = [each.name for each in fields(TrustVector)]
_VECTOR_LABELS = {
    name.replace("_", "-"): number for number, name in enumerate(_VECTOR_FIELDS)
}
_MAX_CLAIM = 127


def to_json(ear: Ear) -> bytes:
    """Return the claims set with text labels; `from_json` is the inverse."""
    claims = _named(ear)
    claims["eat_nonce"] = jws.encode_base64url(ear.nonce).decode()
    claims["strongroom_evidence_digest"] = ear.evidence_digest.hex()
    return jws.to_json(claims)


def from_json(data: bytes) -> Ear:
    """Read the claims set of a JWT.

    Raises:
        Malformed: `json.*`, or `ear.claims` where `to_json` did not write it.
        Untrusted: `ear.profile`, another profile.
    """
    claims = jws.strict_json(data)
    _check_profile(claims.get("eat_profile"))
    match claims:
        case {
            "eat_nonce": str() as nonce,
            "strongroom_evidence_digest": str() as hexed,
        }:
            claims["eat_nonce"] = jws.decode_base64url(nonce.encode())
            claims["strongroom_evidence_digest"] = _unhex(hexed)
        case _:
            raise wrong_claims("no nonce or no digest")
    ear = _read(claims)
    if to_json(ear) != data:
        raise wrong_claims("claims besides or disordered")
    return ear


def to_cbor(ear: Ear) -> bytes:
    """Return the claims set with integer labels; `from_cbor` is the inverse."""
    claims = _named(ear)
    claims["ear_status"] = TIERS[ear.status]
    claims["ear_verifier_id"] = {0: ear.developer, 1: ear.build}
    claims["submods"] = {name: _numbered(each) for name, each in ear.submodules.items()}
    return cbor.encode({_TOP[name]: value for name, value in claims.items()})


def _numbered(each: EarSubmodule) -> dict[int, object]:
    claims = _named_submodule(each)
    claims["ear_status"] = TIERS[each.status]
    claims["ear_trustworthiness_vector"] = dict(enumerate(each.vector.values))
    return {_SUBMODULE[name]: value for name, value in claims.items()}


def from_cbor(data: bytes) -> Ear:
    """Read the claims set of a CWT; raises as `from_json`."""
    claims = _texts(cbor.decode(data), _TOP)
    _check_profile(claims.get("eat_profile"))
    claims["ear_verifier_id"] = _texts(claims.get("ear_verifier_id"), _WHO)
    submodules = claims.get("submods")
    if isinstance(submodules, dict):
        claims["submods"] = {
            name: _texts_of_submodule(each) for name, each in submodules.items()
        }
    ear = _read(claims)
    if to_cbor(ear) != data:
        raise wrong_claims("other claims")
    return ear


def _texts_of_submodule(value: object) -> dict[str, object]:
    claims = _texts(value, _SUBMODULE)
    vector = claims.get("ear_trustworthiness_vector")
    return claims | {"ear_trustworthiness_vector": _texts(vector, _VECTOR_LABELS)}


def _texts(value: object, table: Mapping[str, int]) -> dict[str, object]:
    """Return a map with the names of its integer labels."""
    if not isinstance(value, dict):
        raise wrong_claims("something other than a map")
    names = {label: name for name, label in table.items()}
    return {names.get(label, str(label)): each for label, each in value.items()}


def _named(ear: Ear) -> dict[str, object]:
    return {
        "eat_profile": EAR_PROFILE,
        "iat": ear.issued_at,
        "exp": ear.expires_at,
        "eat_nonce": ear.nonce,
        "ear_status": ear.status,
        "ear_verifier_id": {"developer": ear.developer, "build": ear.build},
        "strongroom_evidence_digest": ear.evidence_digest,
        "submods": {
            name: _named_submodule(each) for name, each in ear.submodules.items()
        },
    }


def _named_submodule(each: EarSubmodule) -> dict[str, object]:
    vector = zip(_VECTOR_LABELS, each.vector.values, strict=True)
    return {
        "ear_status": each.status,
        "ear_trustworthiness_vector": dict(vector),
        "ear_appraisal_policy_ids": [each.policy_id],
        "ear_attester_claims": each.attester.to_value(),
        "ear_verifier_claims": each.verifier.to_value(),
    }


def _read(claims: Mapping[str, object]) -> Ear:
    """Return the value of named claims; what they hold besides is not looked at.

    Encoding it again shows whether there was anything besides.
    """
    match claims:
        case {
            "iat": int() as issued_at,
            "exp": int() as expires_at,
            "eat_nonce": bytes() as nonce,
            "strongroom_evidence_digest": bytes() as digest,
            "ear_verifier_id": {
                "developer": str() as developer,
                "build": str() as build,
            },
            "submods": dict() as submodules,
        } if not isinstance(issued_at, bool) and not isinstance(expires_at, bool):
            return Ear(
                nonce=nonce,
                evidence_digest=digest,
                issued_at=issued_at,
                expires_at=expires_at,
                submodules={
                    str(name): _read_submodule(each)
                    for name, each in submodules.items()
                },
                build=build,
                developer=developer,
            )
        case _:
            raise wrong_claims("claims missing or mistyped")


def _read_submodule(claims: object) -> EarSubmodule:
    match claims:
        case {
            "ear_trustworthiness_vector": dict() as vector,
            "ear_appraisal_policy_ids": [str() as policy_id],
            "ear_attester_claims": attester,
            "ear_verifier_claims": verifier,
        }:
            return EarSubmodule(
                vector=_read_vector(vector),
                policy_id=policy_id,
                attester=AttesterClaims.from_value(attester),
                verifier=VerifierClaims.from_value(verifier),
            )
        case _:
            raise wrong_claims("a submodule of another form")


def _read_vector(claims: Mapping[object, object]) -> TrustVector:
    values = [claims.get(name) for name in _VECTOR_LABELS]
    numbers = [value for value in values if type(value) is int]
    if len(numbers) != len(values) or not all(0 <= n <= _MAX_CLAIM for n in numbers):
        raise wrong_claims("no AR4SI trustworthiness vector")
    return TrustVector(**dict(zip(_VECTOR_FIELDS, numbers, strict=True)))


def _check_profile(profile: object) -> None:
    if profile == EAR_PROFILE:
        return
    finding = Finding(
        "ear.profile",
        "core",
        EAR_PROFILE,
        str(profile),
        "Ask for a result of this profile, or update strongroom.",
    )
    raise Untrusted(str(finding), [finding])


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise wrong_claims("a digest that is not hex") from error
