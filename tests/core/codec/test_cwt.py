# SPDX-License-Identifier: Apache-2.0
"""Certificates: what they hold, and each way a chain can fail with its own rule."""

from contextlib import suppress
from dataclasses import dataclass, replace

import cbor2
import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.codec import cbor, cose
from strongroom.core.codec.certificate import TYPE
from strongroom.core.codec.cwt import (
    MAX_CHAIN,
    Certificate,
    SignedCertificate,
    issue,
    verify_chain,
)
from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import SUITES, SigningKey, Suite, suite
from strongroom.errors import Malformed, Refused, Stale, Untrusted

NOW = 1_800_000_000
YEAR = 365 * 86400


@dataclass
class Family:
    """A root, an intermediate and a leaf of one suite, and what they say."""

    row: Suite

    def __post_init__(self) -> None:
        self.keys = {
            name: self.row.signing_key(bytes([fill]) * self.row.sign_seed_bytes)
            for fill, name in enumerate(("root", "intermediate", "attestation"), 1)
        }
        self.root = self.claims("root", "root")
        self.middle = self.claims("intermediate", "root")
        self.leaf = self.claims("attestation", "intermediate")

    def claims(self, name: str, issuer: str) -> Certificate:
        """Return the certificate of the member whose role is its name."""
        return Certificate(
            issuer=f"the {issuer}",
            subject=f"the {name}",
            public_key=PublicKey.of(self.keys[name].public),
            serial=name.encode(),
            issued_at=NOW,
            not_before=NOW - 60,
            expires_at=NOW + YEAR,
            role=name,  # type: ignore[arg-type]
        )

    def chain(self) -> tuple[bytes, bytes]:
        return (
            issue(self.keys["intermediate"], self.leaf),
            issue(self.keys["root"], self.middle),
        )

    def roots(self) -> tuple[bytes, ...]:
        return (issue(self.keys["root"], self.root),)


@pytest.fixture(params=sorted(SUITES))
def family(request: pytest.FixtureRequest) -> Family:
    return Family(suite(request.param))


def refused(
    rule: str,
    chain: tuple[bytes, ...],
    roots: tuple[bytes, ...],
    now: int = NOW,
    revoked: tuple[bytes, ...] = (),
) -> Refused:
    """Check that the chain is refused by exactly `rule`."""
    with pytest.raises(Refused) as caught:
        verify_chain(chain, roots, now, revoked)
    assert [finding.rule for finding in caught.value.findings] == [rule]
    return caught.value


def test_a_chain_that_holds(family: Family) -> None:
    chain, roots = family.chain(), family.roots()
    assert verify_chain(chain, roots, NOW) == family.leaf
    assert verify_chain((*chain, *roots), roots, NOW) == family.leaf
    direct = issue(family.keys["root"], replace(family.leaf, issuer="the root"))
    assert verify_chain((direct,), roots, NOW).subject == "the attestation"


def test_the_claims_are_those_of_rfc_8392(family: Family) -> None:
    payload = SignedCertificate.parse(family.chain()[0]).envelope.payload
    claims, raw = cbor2.loads(payload), family.leaf.public_key.raw
    key = claims.pop(8)[1]
    assert claims == {
        1: "the intermediate",
        2: "the attestation",
        4: NOW + YEAR,
        5: NOW - 60,
        6: NOW,
        7: b"attestation",
        -70010: "attestation",
    }
    assert key == (
        {1: 1, 3: -19, -1: 6, -2: raw}
        if family.row.id == "intl"
        else {1: 2, 3: -70001, -1: -70001, -2: raw[1:33], -3: raw[33:]}
    )


def test_times(family: Family) -> None:
    chain, roots = family.chain(), family.roots()
    end = family.leaf.expires_at
    assert verify_chain(chain, roots, end - 1) == family.leaf
    assert verify_chain(chain, roots, family.leaf.not_before) == family.leaf
    assert isinstance(refused("certificate.expired", chain, roots, end), Stale)
    early = refused("certificate.not-yet-valid", chain, roots, NOW - 61)
    assert isinstance(early, Stale)
    family.root = replace(family.root, expires_at=NOW)
    refused("certificate.expired", chain, family.roots())
    family.middle = replace(family.middle, not_before=NOW + 1)
    refused("certificate.not-yet-valid", family.chain(), roots)


@pytest.mark.parametrize("name", ["root", "intermediate", "attestation"])
def test_revoked_anywhere(family: Family, name: str) -> None:
    key_id = family.keys[name].public.key_id
    chain, roots = family.chain(), family.roots()
    error = refused("certificate.revoked", chain, roots, revoked=(bytes(32), key_id))
    assert f"the {name}" in error.message
    assert isinstance(error, Untrusted)


def test_roots(family: Family) -> None:
    chain, stranger = family.chain(), Family(family.row)
    stranger.keys["root"] = family.row.signing_key(bytes(family.row.sign_seed_bytes))
    stranger.root = stranger.claims("root", "root")
    refused("certificate.root", chain, ())
    refused("certificate.root", chain, stranger.roots())
    refused("certificate.root", chain[:1], family.roots())
    both = stranger.roots() + family.roots()
    assert verify_chain(chain, both, NOW) == family.leaf
    forged = issue(stranger.keys["root"], family.root)
    refused("certificate.signature", chain, (forged,))
    family.root = replace(family.root, issuer="someone")
    refused("certificate.issuer", chain, family.roots())
    family.root = replace(family.root, issuer="the root", role="intermediate")
    refused("certificate.role", chain, family.roots())


def test_a_renewed_root_serves_old_chains(family: Family) -> None:
    renewed = family.roots()
    family.root = replace(family.root, expires_at=NOW - 1)
    assert verify_chain(family.chain(), family.roots() + renewed, NOW) == family.leaf


def test_roles(family: Family) -> None:
    roots, keys = family.roots(), family.keys
    refused("certificate.role", family.chain()[1:], roots)
    claims = replace(family.leaf, issuer="the attestation", subject="a child")
    child = issue(keys["attestation"], claims)
    refused("certificate.role", (child, *family.chain()), roots)
    below = issue(keys["intermediate"], replace(family.leaf, role="root"))
    refused("certificate.role", (below, family.chain()[1]), roots)


def test_links(family: Family) -> None:
    (leaf, middle), roots = family.chain(), family.roots()
    refused("certificate.length", (), roots)
    refused("certificate.length", roots, roots)
    refused("certificate.length", (leaf, *(middle,) * MAX_CHAIN), roots)
    family.leaf = replace(family.leaf, issuer="someone")
    refused("certificate.issuer", family.chain(), roots)
    family.leaf = replace(family.leaf, issuer="the intermediate")
    wrong = issue(family.keys["attestation"], family.leaf)
    refused("certificate.signature", (wrong, middle), roots)
    refused("certificate.root", (middle, leaf), roots)


def test_one_suite_for_one_chain(family: Family) -> None:
    other = Family(suite("intl" if family.row.id == "sm" else "sm"))
    family.leaf = replace(family.leaf, public_key=other.leaf.public_key)
    refused("certificate.suite", family.chain(), family.roots())


def test_every_truncation_and_changed_byte(family: Family) -> None:
    (leaf, middle), roots = family.chain(), family.roots()
    for length in range(len(leaf)):
        with pytest.raises(Malformed):
            verify_chain((leaf[:length], middle), roots, NOW)
    for place in range(len(leaf)):
        changed = bytearray(leaf)
        changed[place] ^= 1
        with pytest.raises((Malformed, Untrusted)):
            verify_chain((bytes(changed), middle), roots, NOW)


def signer() -> SigningKey:
    return suite("intl").signing_key(bytes(32))


def good() -> dict[int, object]:
    key = {1: 1, 3: -19, -1: 6, -2: signer().public.raw}
    return {
        1: "i",
        2: "s",
        4: 9,
        5: 1,
        6: 1,
        7: b"n",
        8: {1: key},
        -70010: "attestation",
    }


KEY = {1: 1, 3: -19, -1: 6, -2: signer().public.raw}


@pytest.mark.parametrize(
    "change",
    [
        {9: 0},
        {1: ""},
        {2: b"bytes"},
        {4: 1},
        {4: 2**60},
        {5: -1},
        {6: True},
        {7: b""},
        {-70010: "admin"},
        {8: {}},
        {8: {1: KEY, 2: KEY}},
        {8: {1: []}},
        {8: {1: {**KEY, -1: 7}}},
        {8: {1: {**KEY, 3: -8}}},
        {8: {1: {**KEY, 4: [2]}}},
        {8: {1: {**KEY, -2: bytes(32)}}},
        {8: {1: {**KEY, -2: "text"}}},
        {8: {1: {**KEY, -3: b""}}},
        {8: {1: {1: 2, 3: -70001, -1: -70001, -2: bytes(32), -3: bytes(32)}}},
    ],
    ids=repr,
)
def test_claims_that_are_not_a_certificate(change: dict[int, object]) -> None:
    SignedCertificate.parse(cose.sign1(signer(), TYPE, cbor.encode(good())))
    payload = cbor.encode({**good(), **change})
    with pytest.raises(Malformed):
        SignedCertificate.parse(cose.sign1(signer(), TYPE, payload))


def test_a_statement_of_another_type_is_no_certificate() -> None:
    with pytest.raises(Malformed):
        SignedCertificate.parse(cose.sign1(signer(), "x", cbor.encode(good())))


def test_a_certificate_is_for_a_key_that_signs() -> None:
    box = suite("intl").kem_key(bytes(96)).public
    leaf = Family(suite("intl")).leaf
    with pytest.raises(Malformed):
        replace(leaf, public_key=PublicKey.of(box))


VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-80000, 20), inner, max_size=9)
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(VALUES, st.sampled_from([1, 2, 4, 5, 6, 7, 8, -70010]))
def test_parsing_claims_is_total(value: object, claim: int) -> None:
    for payload in (value, {**good(), claim: value}, {**good(), 8: {1: value}}):
        data = cose.sign1(signer(), TYPE, cbor.encode(payload))
        with suppress(Malformed):
            SignedCertificate.parse(data)
