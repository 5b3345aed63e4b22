# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1: the bytes of RFC 9052, and every other byte refused."""

from contextlib import suppress

import cbor2
import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.codec import cbor
from strongroom.core.codec.cose import Sign1, sign1
from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import SUITES, SigningKey, Suite, suite
from strongroom.errors import Malformed, Untrusted

both = pytest.mark.parametrize("row", SUITES.values(), ids=SUITES)
TYP = "strongroom/test/v1"


def key_of(row: Suite, fill: int = 7) -> SigningKey:
    return row.signing_key(bytes([fill]) * row.sign_seed_bytes)


@both
def test_the_bytes_are_those_of_rfc_9052(row: Suite) -> None:
    """An independent reading with plain cbor2 and a hand-made Sig_structure."""
    key = key_of(row)
    tagged = cbor2.loads(sign1(key, TYP, b"payload", aad=b"aad"))
    assert tagged.tag == 18
    protected, unprotected, payload, signature = tagged.value
    assert cbor2.loads(protected) == {
        1: row.cose_sign_alg,
        4: key.public.key_id,
        16: TYP,
        -70000: row.id,
    }
    assert (unprotected, payload) == ({}, b"payload")
    signed = cbor2.dumps(["Signature1", protected, b"aad", b"payload"])
    key.public.verify(signature, signed)


@both
@settings(max_examples=25)
@given(payload=st.binary(), aad=st.binary(max_size=20), typ=st.text(max_size=20))
def test_round_trip(row: Suite, payload: bytes, aad: bytes, typ: str) -> None:
    key = key_of(row)
    statement = Sign1.parse(sign1(key, typ, payload, aad=aad))
    assert statement.typ == typ
    assert statement.suite_id == row.id
    assert statement.key_id == key.public.key_id
    assert statement.payload == payload
    assert statement.verify(key.public, typ, aad) == payload


@both
def test_each_refusal_has_its_rule(row: Suite) -> None:
    key = key_of(row)
    statement = Sign1.parse(sign1(key, TYP, b"payload"))
    other_suite = suite("intl" if row.id == "sm" else "sm")
    for rule, who, typ, aad in (
        ("cose.type", key, TYP + "0", b""),
        ("cose.key", key_of(row, 8), TYP, b""),
        ("cose.key", key_of(other_suite), TYP, b""),
        ("cose.signature", key, TYP, b"aad"),
    ):
        with pytest.raises(Untrusted) as caught:
            statement.verify(who.public, typ, aad)
        assert [finding.rule for finding in caught.value.findings] == [rule]


@both
def test_every_truncation_is_malformed(row: Suite) -> None:
    data = sign1(key_of(row), TYP, b"payload")
    for length in range(len(data)):
        with pytest.raises(Malformed):
            Sign1.parse(data[:length])
    for extra in (data + b"\0", data + data):
        with pytest.raises(Malformed):
            Sign1.parse(extra)


@both
def test_every_changed_byte_is_refused(row: Suite) -> None:
    key = key_of(row)
    data = sign1(key, TYP, b"payload")
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises((Malformed, Untrusted)):
            Sign1.parse(bytes(changed)).verify(key.public, TYP)


@given(st.binary())
def test_parsing_is_total(noise: bytes) -> None:
    for data in (noise, b"\xd2" + noise, b"\xd2\x84" + noise):
        with suppress(Malformed):
            Sign1.parse(data)


GOOD = {1: -19, 4: b"kid", 16: TYP, -70000: "intl"}


def envelope(header: object, *rest: object) -> bytes:
    return b"\xd2" + cbor.encode([cbor.encode(header), *rest])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(envelope(GOOD, {}, b"", b"")[1:], id="no tag"),
        pytest.param(b"\xd8\x12" + envelope(GOOD, {}, b"", b"")[1:], id="long tag"),
        pytest.param(b"\xd1" + envelope(GOOD, {}, b"", b"")[1:], id="other tag"),
        pytest.param(envelope(GOOD, {4: b""}, b"", b""), id="unprotected header"),
        pytest.param(envelope(GOOD, [], b"", b""), id="no map"),
        pytest.param(envelope(GOOD, {}, None, b""), id="detached payload"),
        pytest.param(envelope(GOOD, {}, b"", "text"), id="signature is text"),
        pytest.param(envelope(GOOD, {}, b""), id="three parts"),
        pytest.param(envelope(GOOD, {}, b"", b"", b""), id="five parts"),
        pytest.param(envelope([], {}, b"", b""), id="header is a list"),
        pytest.param(envelope({**GOOD, 2: [1]}, {}, b"", b""), id="crit"),
        pytest.param(envelope({**GOOD, 1: -8}, {}, b"", b""), id="other alg"),
        pytest.param(envelope({**GOOD, 1: -70001}, {}, b"", b""), id="alg of sm"),
        pytest.param(envelope({**GOOD, 1: -19.0}, {}, b"", b""), id="alg is a float"),
        pytest.param(envelope({**GOOD, -70000: "x"}, {}, b"", b""), id="unknown suite"),
        pytest.param(envelope({**GOOD, -70000: [1]}, {}, b"", b""), id="suite is list"),
        pytest.param(envelope({**GOOD, 4: "kid"}, {}, b"", b""), id="kid is text"),
        pytest.param(envelope({**GOOD, 16: 0}, {}, b"", b""), id="typ is a number"),
    ],
)
def test_what_is_not_an_envelope(data: bytes) -> None:
    Sign1.parse(envelope(GOOD, {}, b"", b""))
    with pytest.raises(Malformed):
        Sign1.parse(data)


@both
def test_public_keys_as_records(row: Suite) -> None:
    key, box = key_of(row).public, row.kem_key(bytes(row.kem_seed_bytes)).public
    signs, seals = PublicKey.of(key), PublicKey.of(box)
    assert PublicKey.from_bytes(signs.to_bytes()).verifying() == key
    assert PublicKey.from_bytes(seals.to_bytes()).kem() == box
    assert (signs.key_id, seals.key_id) == (key.key_id, box.key_id)
    with pytest.raises(Malformed, match="for sealing"):
        seals.verifying()
    with pytest.raises(Malformed, match="for signatures"):
        signs.kem()
    for value in (
        {**signs.to_value(), "raw": key.raw[1:]},
        {**signs.to_value(), "suite": "x"},
        {**signs.to_value(), "use": "both"},
        {**seals.to_value(), "raw": b""},
    ):
        with pytest.raises(Malformed):
            PublicKey.from_value(value)
