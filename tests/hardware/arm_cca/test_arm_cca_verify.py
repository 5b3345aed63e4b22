# SPDX-License-Identifier: Apache-2.0
"""CCA tokens: what holds is told as it is, and everything else is refused."""

import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.rats import HardwareClaims
from strongroom.errors import Malformed, Refused, StrongroomError
from strongroom.hardware.arm_cca.verify import verify
from tests.hardware.arm_cca.forge import (
    CHALLENGE,
    PLATFORM,
    PROFILE,
    REALM,
    REALM_PROFILE,
    VALID,
    Forge,
    evidence,
    key,
    pem,
    point,
    sign1,
)

NOW = 1_750_000_000


def run(forge: Forge) -> HardwareClaims:
    return verify(evidence(forge.token()), forge.trust(), NOW)


def rule(forge: Forge) -> str:
    with pytest.raises(Refused) as refused:
        run(forge)
    return refused.value.findings[0].rule


def test_a_token_says_platform_and_realm() -> None:
    claims = run(VALID)

    assert claims.bound == CHALLENGE
    assert claims.bound_as == "realm_challenge"
    assert claims.device == b"\x01" + b"\x44" * 32
    assert not claims.debug
    assert claims.measurements["rim"] == b"\x22" * 32
    assert claims.measurements["rem.3"] == b"\x03" * 32
    assert claims.measurements["platform.RMM"] == b"\x77" * 32
    assert claims.measurements["platform.2"] == b"\x88" * 32
    assert claims.not_proven


def test_fields_are_the_claims_by_key() -> None:
    fields = run(VALID).fields

    assert fields["cbor_tag"] == 399
    assert isinstance(fields["platform_claims"], dict)
    assert isinstance(fields["realm_claims"], dict)
    assert fields["platform_claims"]["2395"] == 0x3003
    assert fields["platform_claims"]["2399"] == [
        {"1": "BL2", "5": "55" * 32, "4": "3.4", "2": "66" * 32, "6": "sha-256"},
        {"1": "RMM", "5": "55" * 32, "2": "77" * 32},
        {"5": "55" * 32, "2": "88" * 32},
    ]
    assert fields["realm_claims"]["44237"] == VALID.rak().hex()


@pytest.mark.parametrize("tag", [None, 399, 907])
def test_every_form_of_the_collection_is_read(tag: int | None) -> None:
    assert run(VALID.but(tag=tag)).fields["cbor_tag"] == tag


@pytest.mark.parametrize("algorithm", [-7, -35, -36])
@pytest.mark.parametrize("as_cose_key", [True, False])
def test_every_curve_and_form_of_the_realm_key_is_read(
    algorithm: int, *, as_cose_key: bool
) -> None:
    forge = VALID.but(algorithm=algorithm, as_cose_key=as_cose_key)
    assert run(forge).bound == CHALLENGE


def test_the_later_profiles_and_claims_nobody_knows_are_read() -> None:
    forge = VALID.but(
        platform={265: PROFILE, 999_999: {"later": [1.5, cbor2.CBORTag(1, 2), None]}},
        realm={265: REALM_PROFILE, b"\xab": True},
        as_cose_key=True,
    )
    fields = run(forge).fields

    assert isinstance(fields["platform_claims"], dict)
    later = {"later": ["1.5", {"tag": 1, "value": 2}, None]}
    assert fields["platform_claims"]["999999"] == later
    assert isinstance(fields["realm_claims"], dict)
    assert fields["realm_claims"]["ab"] is True


def test_any_trusted_platform_key_will_do_in_pem_or_der() -> None:
    der = (
        key("cpak")
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    assert run(VALID.but(trusted=(pem(key("other")), der))).bound == CHALLENGE


@pytest.mark.parametrize("state", [0x0000, 0x1001, 0x2000, 0x4000, 0x50FF, 0x6000])
def test_a_platform_that_is_not_secured_is_debug_enabled(state: int) -> None:
    assert run(VALID.but(platform={2395: state})).debug


@pytest.mark.parametrize("state", [0x3000, 0x30FF])
def test_a_secured_platform_is_not(state: int) -> None:
    assert not run(VALID.but(platform={2395: state})).debug


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        (VALID.but(platform_signer="other"), "signature.platform_token"),
        (VALID.but(trusted=(pem(key("other")),)), "signature.platform_token"),
        (VALID.but(trusted=()), "missing_endorsement.trusted_platform_key"),
        (VALID.but(realm_signer="other"), "signature.realm_token"),
        (VALID.but(platform={10: b"\x01" * 32}), "binding.realm_public_key"),
        (
            VALID.but(realm={44237: point(key("other"))}, realm_signer="other"),
            "binding.realm_public_key",
        ),
        (VALID.but(realm={44240: "sha-1"}), "weak_algorithm.realm_public_key"),
    ],
)
def test_what_does_not_hold_is_refused(forge: Forge, expected: str) -> None:
    assert rule(forge) == f"arm-cca.{expected}"


def test_an_algorithm_that_nobody_knows_is_refused() -> None:
    forge = VALID.but(algorithm=-999, trusted=(pem(key("cpak")),), realm={})
    assert rule(forge) == "arm-cca.weak_algorithm.platform_token"


def test_the_challenge_is_by_the_algorithm_that_the_realm_names() -> None:
    digest = hashlib.sha512(VALID.rak()).digest()
    forge = VALID.but(platform={10: digest}, realm={44240: "sha-512"})
    assert run(forge).bound == CHALLENGE


def test_a_signature_of_another_curve_is_refused() -> None:
    forge = VALID.but(algorithm=-7, trusted=(pem(key("cpak", -35)),))
    assert rule(forge) == "arm-cca.signature.platform_token"


@pytest.mark.parametrize(
    "changed",
    [
        {"platform": {label: None}}
        for label in (265, 10, 256, 2395, 2396, 2399, 2401, 2402)
    ]
    + [
        {"realm": {label: None}}
        for label in (10, 44235, 44236, 44237, 44238, 44239, 44240)
    ]
    + [
        {"platform": {265: "tag:arm.com,2023:cca_platform#2.0.0"}},
        {"platform": {10: b"\x01" * 20}},
        {"platform": {256: b"\x02" + b"\x44" * 32}},
        {"platform": {2395: 0x7000}},
        {"platform": {2395: -1}},
        {"platform": {2395: True}},
        {"platform": {2399: []}},
        {"platform": {2399: ["BL2"]}},
        {"platform": {2399: [{1: 7, 2: b"\x01" * 32, 5: b"\x01" * 32}]}},
        {"platform": {2399: [{1: "BL2", 2: b"\x01" * 32}]}},
        {"platform": {2399: [{1: "BL2", 2: b"\x01" * 8, 5: b"\x01" * 32}]}},
        {"platform": {1: "one", "1": "one too"}},
        {"realm": {265: "tag:arm.com,2023:realm#2.0.0"}},
        {"realm": {10: b"\x5a" * 32}},
        {"realm": {44239: [b"\x01" * 32] * 3}},
        {"realm": {44239: [b"\x01" * 32] * 3 + ["four"]}},
        {"header": {2: [4]}},
        {"tag": 398},
    ],
)
def test_what_is_not_as_the_profile_has_it_is_malformed(
    changed: dict[str, object],
) -> None:
    with pytest.raises(Malformed):
        run(VALID.but(**changed))


@pytest.mark.parametrize(
    "of",
    [
        b"\x04" + b"\x01" * 96,
        b"\x04" + b"\x01" * 95,
        b"\x05" + b"\x01" * 96,
        cbor2.dumps({1: 2, -1: 2, -2: b"\x01" * 48, -3: True}),
        cbor2.dumps({1: 2, -1: 9, -2: b"\x01" * 48, -3: b"\x01" * 48}),
        cbor2.dumps({1: 1, -1: 2}),
        b"",
    ],
)
def test_a_realm_key_that_is_none_is_malformed(of: bytes) -> None:
    bound = hashlib.sha256(of).digest()
    with pytest.raises(Malformed):
        run(VALID.but(realm={44237: of}, platform={10: bound}))


def test_a_cwt_tag_around_a_token_is_read() -> None:
    tokens = [cbor2.loads(each) for each in VALID.tokens()]
    wrapped = [cbor2.dumps(cbor2.CBORTag(61, each)) for each in tokens]
    token = cbor2.dumps({PLATFORM: wrapped[0], REALM: wrapped[1]})
    assert verify(evidence(token), VALID.trust(), NOW).bound == CHALLENGE


def test_a_token_without_its_tag_or_its_half_is_malformed() -> None:
    platform, realm = VALID.tokens()
    untagged = cbor2.dumps(cbor2.loads(platform).value)
    for value in ({PLATFORM: platform}, {PLATFORM: untagged, REALM: realm}, [1], 7):
        with pytest.raises(Malformed):
            verify(evidence(cbor2.dumps(value)), VALID.trust(), NOW)


def test_claims_that_are_no_map_are_malformed() -> None:
    _, realm = VALID.tokens()
    platform = sign1(cbor2.dumps([1, 2]), key("cpak"))
    with pytest.raises(Malformed, match="claims are a map"):
        verify(
            evidence(cbor2.dumps({PLATFORM: platform, REALM: realm})),
            VALID.trust(),
            NOW,
        )


def test_no_cut_and_no_byte_more_is_a_token() -> None:
    token = VALID.token()
    for data in (*(token[:n] for n in range(len(token))), token + b"\0"):
        with pytest.raises(StrongroomError):
            verify(evidence(data), VALID.trust(), NOW)


def test_a_key_document_that_is_none_is_malformed() -> None:
    with pytest.raises(Malformed):
        run(VALID.but(trusted=(b"no key",)))
