# SPDX-License-Identifier: Apache-2.0
"""Signed attestation results: both forms, and every way to be refused its own rule."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, strategies as st

from strongroom.core.codec import cbor, cose, jws
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import TrustVector, not_checked_bytes
from strongroom.core.rats.claims import Proof
from strongroom.core.rats.ear import (
    TYPE_CWT,
    TYPE_JWT,
    Ear,
    EarSubmodule,
    Form,
    VerifiedEar,
    evidence_digest,
    sign_ear,
    verify_ear,
)
from strongroom.core.rats.ear_claims import AttesterClaims, FindingText, VerifierClaims
from strongroom.core.rats.results import EAR_PROFILE
from strongroom.errors import Malformed, Refused, Stale, StrongroomError, Untrusted

NOW = 1_800_000_000
NONCE = b"nonce of the initiator"
FORMS: tuple[Form, ...] = ("jwt", "cwt")
SUITES = ("intl", "sm")
GOOD = TrustVector(
    instance_identity=2,
    configuration=2,
    executables=2,
    file_system=0,
    hardware=2,
    runtime_opaque=2,
    storage_opaque=0,
    sourced_data=0,
)
CPU = EarSubmodule(
    vector=GOOD,
    policy_id="intl:00",
    attester=AttesterClaims(kind="tdx", measurements={"mr_td": "aa"}, svns={"pce": 7}),
    verifier=VerifierClaims(owner="bank", tcb_status="UpToDate", not_proven=("x",)),
)
GPU = replace(CPU, attester=AttesterClaims(kind="nvidia-gpu"))
DEBUG = FindingText("tdx.debug", "bank", "off", "on", "switch it off")


def key_of(suite_id: str, number: int = 1) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([number]) * row.sign_seed_bytes)


def ear_of(suite_id: str = "intl", **changes: object) -> Ear:
    ear = Ear(
        nonce=NONCE,
        evidence_digest=evidence_digest(suite_id, {"cpu": b"quote", "gpu": b"report"}),
        issued_at=NOW,
        expires_at=NOW + 300,
        submodules={"cpu": CPU, "gpu": GPU},
    )
    return replace(ear, **changes)  # type: ignore[arg-type]  # tests vary any


def read(token: bytes, suite_id: str = "intl", **changes: object) -> VerifiedEar:
    digest = evidence_digest(suite_id, {"cpu": b"quote", "gpu": b"report"})
    given: dict[str, object] = {"nonce": NONCE, "evidence_digest": digest, "now": NOW}
    key = key_of(suite_id).public
    return verify_ear(token, key, **(given | changes))  # type: ignore[arg-type]


def rule(read_it: Callable[[], object], kind: type[StrongroomError]) -> str:
    with pytest.raises(kind) as caught:
        read_it()
    return caught.value.findings[0].rule


@pytest.mark.parametrize("suite_id", SUITES)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_signed_is_what_is_read(form: Form, suite_id: str) -> None:
    ear = ear_of(suite_id)
    verified = read(sign_ear(key_of(suite_id), ear, form), suite_id)
    assert verified.ear == ear
    assert verified.status == "affirming"
    assert verified.require_good() is verified
    assert verified.key_id == key_of(suite_id).public.key_id


def test_a_standard_tool_reads_the_jwt() -> None:
    """Header, claims and signature as RFC 7515, 7519 and 8037 have them."""
    token = sign_ear(key_of("intl"), ear_of(), "jwt")
    header, payload, signature = (
        base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
        for part in token.split(b".")
    )
    assert json.loads(header) == {
        "alg": "EdDSA",
        "kid": key_of("intl").public.key_id.hex(),
        "typ": TYPE_JWT,
    }
    key = Ed25519PublicKey.from_public_bytes(key_of("intl").public.raw)
    key.verify(signature, token.rpartition(b".")[0])
    claims = json.loads(payload)
    assert claims["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
    assert (claims["iat"], claims["exp"]) == (NOW, NOW + 300)
    assert base64.urlsafe_b64decode(claims["eat_nonce"] + "==") == NONCE
    assert set(claims["ear_verifier_id"]) == {"developer", "build"}
    cpu = claims["submods"]["cpu"]
    assert cpu["ear_status"] == claims["ear_status"] == "affirming"
    assert cpu["ear_trustworthiness_vector"]["instance-identity"] == 2
    assert cpu["ear_appraisal_policy_ids"] == ["intl:00"]
    assert cpu["ear_attester_claims"]["measurements"] == {"mr_td": "aa"}
    assert cpu["ear_verifier_claims"]["tcb_status"] == "UpToDate"


def test_the_cwt_has_the_labels_of_the_draft() -> None:
    token = sign_ear(key_of("sm"), ear_of("sm"), "cwt")
    claims = cbor.decode(cose.Sign1.parse(token).payload)
    assert isinstance(claims, dict)
    assert (claims[265], claims[6], claims[4]) == (EAR_PROFILE, NOW, NOW + 300)
    assert (claims[10], claims[1000]) == (NONCE, 2)
    assert claims[1004] == {0: "strongroom", 1: "strongroom.services.attestation/1"}
    gpu = claims[266]["gpu"]
    assert gpu[1001] == {0: 2, 1: 2, 2: 2, 3: 0, 4: 2, 5: 2, 6: 0, 7: 0}
    assert (gpu[1000], gpu[1003]) == (2, ["intl:00"])


def test_the_worst_submodule_counts_and_its_findings_are_told() -> None:
    judged = replace(CPU.verifier, findings=(DEBUG,))
    ear = ear_of(submodules={"cpu": replace(CPU, verifier=judged), "gpu": GPU})
    verified = read(sign_ear(key_of("intl"), ear, "jwt"))
    assert verified.status == "contraindicated"
    assert rule(verified.require_good, Refused) == "tdx.debug"
    bad = ear_of(submodules={"cpu": replace(CPU, vector=replace(GOOD, hardware=97))})
    unexplained = read(sign_ear(key_of("intl"), bad, "cwt"))
    assert rule(unexplained.require_good, Refused) == "ear.status"


@pytest.mark.parametrize("form", FORMS)
def test_another_challenge_or_other_evidence(form: Form) -> None:
    token = sign_ear(key_of("intl"), ear_of(), form)
    assert rule(lambda: read(token, nonce=b"another nonce"), Untrusted) == "ear.nonce"
    assert rule(lambda: read(token, nonce=b""), Untrusted) == "ear.nonce"
    other = evidence_digest("intl", {"cpu": b"quote"})
    with_other = lambda: read(token, evidence_digest=other)  # noqa: E731
    assert rule(with_other, Untrusted) == "ear.evidence"
    reason = not_checked_bytes("passport model")
    assert read(token, nonce=reason, evidence_digest=reason).ear == ear_of()


@pytest.mark.parametrize("form", FORMS)
def test_its_time(form: Form) -> None:
    token = sign_ear(key_of("intl"), ear_of(), form)
    read(token, now=NOW + 300)
    assert rule(lambda: read(token, now=NOW + 301), Stale) == "ear.expired"
    read(token, now=NOW - 300)
    assert rule(lambda: read(token, now=NOW - 301), Stale) == "ear.time"


def test_another_key() -> None:
    ear = ear_of()
    token = sign_ear(key_of("intl", 2), ear, "jwt")
    assert rule(lambda: read(token), Untrusted) == "jws.key"
    token = sign_ear(key_of("intl", 2), ear, "cwt")
    assert rule(lambda: read(token), Untrusted) == "cose.key"
    foreign = sign_ear(key_of("sm"), ear, "jwt")
    assert rule(lambda: read(foreign), Untrusted) == "jws.algorithm"
    foreign = sign_ear(key_of("sm"), ear, "cwt")
    assert rule(lambda: read(foreign), Untrusted) == "cose.key"


def forged(header: dict[str, object], sign: Callable[[bytes], bytes]) -> bytes:
    """Return a token with a header of one's own over the right claims."""
    payload = sign_ear(key_of("intl"), ear_of(), "jwt").split(b".")[1]
    parts = jws.encode_base64url(jws.to_json(header)) + b"." + payload
    return parts + b"." + jws.encode_base64url(sign(parts))


@pytest.mark.parametrize("alg", ["none", "None", "", "RS256", "HS256", "ES256", "SM2"])
def test_a_token_does_not_choose_its_algorithm(alg: str) -> None:
    public = key_of("intl").public
    header: dict[str, object] = {
        "alg": alg,
        "kid": public.key_id.hex(),
        "typ": TYPE_JWT,
    }
    for sign in (
        lambda _: b"",
        lambda data: hmac.digest(public.raw, data, "sha256"),
        key_of("intl").sign,
    ):
        token = forged(header, sign)
        assert rule(lambda t=token: read(t), Untrusted) == "jws.algorithm"  # type: ignore[misc]


def test_headers_of_another_form() -> None:
    kid, sign = key_of("intl").public.key_id.hex(), key_of("intl").sign
    right: dict[str, object] = {"alg": "EdDSA", "kid": kid, "typ": TYPE_JWT}
    read(forged(right, sign))
    for wrong in ({**right, "crit": ["b64"]}, {"alg": "EdDSA", "kid": kid}):
        assert rule(lambda w=wrong: read(forged(w, sign)), Malformed) == "jws.header"  # type: ignore[misc]
    for wrong in ({**right, "alg": None}, {**right, "kid": 7}):
        assert rule(lambda w=wrong: read(forged(w, sign)), Malformed) == "jws.header"  # type: ignore[misc]
    jwt = {**right, "typ": "JWT"}
    assert rule(lambda: read(forged(jwt, sign)), Untrusted) == "jws.type"


def signed(claims: bytes) -> bytes:
    return jws.sign(key_of("intl"), TYPE_JWT, claims)


def claims_of(ear: Ear) -> dict[str, object]:
    payload = jws.Jws.parse(sign_ear(key_of("intl"), ear, "jwt")).payload
    claims = json.loads(payload)
    assert isinstance(claims, dict)
    return claims


def test_duplicate_names_are_refused_wherever_they_stand() -> None:
    data = jws.to_json(claims_of(ear_of()))
    twice = data.replace(b'"iat":', b'"iat":1,"iat":')
    assert rule(lambda: read(signed(twice)), Malformed) == "json.duplicate"
    inner = data.replace(b'"hardware":2', b'"hardware":97,"hardware":2', 1)
    assert rule(lambda: read(signed(inner)), Malformed) == "json.duplicate"
    header = b'{"alg":"none","alg":"EdDSA","kid":"","typ":""}'
    token = jws.encode_base64url(header) + b".e30.e30"
    assert rule(lambda: read(token), Malformed) == "json.duplicate"


def test_another_profile() -> None:
    claims = claims_of(ear_of()) | {"eat_profile": "tag:github.com,2023:veraison/ear"}
    assert rule(lambda: read(signed(jws.to_json(claims))), Untrusted) == "ear.profile"
    payload = cbor.decode(
        cose.Sign1.parse(sign_ear(key_of("intl"), ear_of(), "cwt")).payload
    )
    assert isinstance(payload, dict)
    other = cose.sign1(key_of("intl"), TYPE_CWT, cbor.encode({**payload, 265: "x"}))
    assert rule(lambda: read(other), Untrusted) == "ear.profile"


@pytest.mark.parametrize(
    "change",
    [
        {"iat": True},
        {"exp": 1.5},
        {"exp": NOW - 1},
        {"eat_nonce": "c2hvcnQ"},
        {"eat_nonce": "!"},
        {"strongroom_evidence_digest": "AB"},
        {"strongroom_evidence_digest": 5},
        {"submods": {}},
        {"submods": {"cpu": []}},
        {"ear_status": "warning"},
        {"ear_verifier_id": {"developer": "x"}},
        {"more": 1},
    ],
    ids=str,
)
def test_signed_claims_of_another_form_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        read(signed(jws.to_json(claims_of(ear_of()) | change)))


@pytest.mark.parametrize("value", [-1, 128, True, "2", None])
def test_a_vector_holds_numbers_of_ar4si(value: object) -> None:
    claims = claims_of(ear_of())
    submods = claims["submods"]
    assert isinstance(submods, dict)
    submods["cpu"]["ear_trustworthiness_vector"]["hardware"] = value
    assert rule(lambda: read(signed(jws.to_json(claims))), Malformed) == "ear.claims"


@pytest.mark.parametrize("suite_id", SUITES)
@pytest.mark.parametrize("form", FORMS)
def test_no_byte_may_be_altered(form: Form, suite_id: str) -> None:
    ear = ear_of(suite_id, submodules={"cpu": CPU})
    token = sign_ear(key_of(suite_id), ear, form)
    read(token, suite_id)
    for position in range(0, len(token), 3):
        altered = bytearray(token)
        altered[position] ^= 1 << position % 7
        with pytest.raises((Malformed, Untrusted)):
            read(bytes(altered), suite_id)
    for length in range(0, len(token), 5):
        with pytest.raises((Malformed, Untrusted)):
            read(token[:length], suite_id)


@given(data=st.binary(max_size=200))
def test_the_reader_is_total(data: bytes) -> None:
    for token in (data, cose.TAG + data, signed(data)):
        with pytest.raises((Malformed, Untrusted)):
            read(token)


@pytest.mark.parametrize("text", ["[]", "1", '{"a":NaN}', '{"a":1e400}', "[" * 2000])
def test_json_of_another_kind(text: str) -> None:
    with pytest.raises(Malformed):
        jws.strict_json(text.encode())
    with pytest.raises(Malformed):
        jws.strict_json(b'{"a":' * 40 + b"1" + b"}" * 40)


def test_only_verification_makes_verified_results() -> None:
    with pytest.raises(TypeError):
        VerifiedEar(ear=ear_of(), key_id=b"", proof=Proof())


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": b""},
        {"nonce": b"n" * 65},
        {"submodules": {}},
        {"submodules": {"": CPU}},
        {"expires_at": NOW - 1},
    ],
    ids=str,
)
def test_what_no_verifier_says(change: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        ear_of("intl", **change)
