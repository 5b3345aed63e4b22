# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 of other people: signatures by the algorithm that the header names."""

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.codec import foreign_cbor
from strongroom.core.codec.foreign_cose import ForeignSign1, elliptic_key, point_key
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.errors import Malformed
from tests.hardware.arm_cca.forge import cose_key, key, pem, point, sign1

SIZES = [0, 23, 24, 255, 256, 65_535, 65_536]


def read(data: bytes) -> ForeignSign1:
    return ForeignSign1.of(foreign_cbor.decode(data), "test")


@pytest.mark.parametrize("size", SIZES)
def test_a_payload_of_any_length_is_signed(size: int) -> None:
    token = read(sign1(b"x" * size, key("signer")))

    assert token.payload == b"x" * size
    assert token.signed_by(ForeignKey.from_pem(pem(key("signer"))))
    assert not token.signed_by(ForeignKey.from_pem(pem(key("another"))))


@pytest.mark.parametrize("algorithm", [-7, -35, -36])
def test_a_key_signs_by_its_own_curve_alone(algorithm: int) -> None:
    token = read(sign1(b"payload", key("signer", algorithm), algorithm))

    for other in (-7, -35, -36):
        signer = ForeignKey.from_pem(pem(key("signer", other)))
        assert token.signed_by(signer) is (other == algorithm)


def test_an_rsa_key_signs_no_such_token() -> None:
    made = rsa.generate_private_key(65537, 2048).public_key()
    spki = made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    token = read(sign1(b"payload", key("signer")))
    assert not token.signed_by(ForeignKey.from_spki(spki))


def test_a_key_is_read_from_both_its_forms() -> None:
    made = key("signer")
    spki = ForeignKey.from_pem(pem(made)).spki

    assert point_key(point(made), "test").spki == spki
    value = foreign_cbor.decode(cose_key(made, 2))
    assert elliptic_key(value, "test").spki == spki
    with pytest.raises(Malformed):
        elliptic_key(foreign_cbor.decode(cose_key(made, 1)), "test")


@pytest.mark.parametrize(
    "value",
    [
        [b"", {}, b""],
        [b"", {}, b"", b"", b""],
        ["", {}, b"", b""],
        [b"", [], b"", b""],
        [b"", {}, None, b""],
        [b"\x80", {}, b"", b""],
        [cbor2.dumps({1: -35, 2: [1]}), {}, b"", b""],
        cbor2.CBORTag(98, [b"", {}, b"", b""]),
    ],
)
def test_what_is_no_envelope_is_malformed(value: object) -> None:
    with pytest.raises(Malformed):
        read(cbor2.dumps(value))


def test_without_an_algorithm_nothing_is_signed() -> None:
    token = read(cbor2.dumps([b"", {}, b"payload", b"\0" * 96]))

    assert token.digest is None
    assert not token.signed_by(ForeignKey.from_pem(pem(key("signer"))))
