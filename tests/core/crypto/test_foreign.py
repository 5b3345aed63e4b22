# SPDX-License-Identifier: Apache-2.0
"""Keys and signatures of other people's formats: ECDSA, RSA, SM2, and what is none."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, strategies as st

from strongroom.core.crypto import suite
from strongroom.core.crypto.foreign import Curve, Digest, ForeignKey, ForeignSm2Key
from strongroom.errors import Malformed

MESSAGE = b"evidence"
CURVES: dict[Curve, tuple[ec.EllipticCurve, int, Digest, hashes.HashAlgorithm]] = {
    "P-256": (ec.SECP256R1(), 32, "sha256", hashes.SHA256()),
    "P-384": (ec.SECP384R1(), 48, "sha384", hashes.SHA384()),
    "P-521": (ec.SECP521R1(), 66, "sha512", hashes.SHA512()),
}
RSA = rsa.generate_private_key(65537, 2048)


def spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    """Return a key as certificates carry it."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("curve", CURVES)
def test_ecdsa_in_der_and_in_halves(curve: Curve) -> None:
    group, width, digest, algorithm = CURVES[curve]
    private = ec.generate_private_key(group)
    der = private.sign(MESSAGE, ec.ECDSA(algorithm))
    raw = b"".join(n.to_bytes(width, "big") for n in decode_dss_signature(der))
    point = private.public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )[1:]
    for key in (
        ForeignKey.from_spki(spki(private.public_key())),
        ForeignKey.from_point(curve, point),
    ):
        assert (key.curve, key.point) == (curve, point)
        assert key.spki == spki(private.public_key())
        assert key.signed(der, MESSAGE, digest)
        assert key.signed_raw(raw, MESSAGE, digest)
        assert not key.signed(der, MESSAGE + b"!", digest)
        assert not key.signed_raw(raw, MESSAGE + b"!", digest)
        assert not key.signed_raw(raw[::-1], MESSAGE, digest)
        assert not key.signed_pss(raw, MESSAGE, digest)


def test_rsa_with_both_paddings_and_neither_for_the_other() -> None:
    key = ForeignKey.from_spki(spki(RSA.public_key()))
    numbers = RSA.public_key().public_numbers()
    assert ForeignKey.from_rsa(numbers.n, numbers.e).spki == key.spki
    pkcs1 = RSA.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA384())
    scheme = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    pss = RSA.sign(MESSAGE, scheme, hashes.SHA384())
    assert key.signed(pkcs1, MESSAGE, "sha384")
    assert key.signed_pss(pss, MESSAGE, "sha384")
    assert not key.signed(pss, MESSAGE, "sha384")
    assert not key.signed_pss(pkcs1, MESSAGE, "sha384")
    assert not key.signed(pkcs1, MESSAGE, "sha256")
    with pytest.raises(Malformed):
        _ = key.point


def test_sm2_under_the_id_of_whoever_signed() -> None:
    row = suite("sm")
    private = row.signing_key(bytes(range(row.sign_seed_bytes)))
    der = private.sign(MESSAGE)
    raw = b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(der))
    x_y = private.public.raw[1:]
    assert ForeignSm2Key(x_y).signed_raw(raw, MESSAGE)
    assert not ForeignSm2Key(x_y, b"another").signed_raw(raw, MESSAGE)
    assert not ForeignSm2Key(x_y).signed_raw(raw, MESSAGE + b"!")
    assert not ForeignSm2Key(x_y).signed_raw(raw[:-1], MESSAGE)
    with pytest.raises(Malformed):
        ForeignSm2Key(bytes(64))


def test_weak_and_unknown_keys_are_none() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    small = ec.generate_private_key(ec.SECP192R1()).public_key()
    for der in (
        other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        spki(small),
    ):
        with pytest.raises(Malformed):
            ForeignKey.from_spki(der)
    with pytest.raises(Malformed):
        ForeignKey.from_rsa((1 << 1023) + 1, 65537)
    with pytest.raises(Malformed):
        ForeignKey.from_point("P-256", bytes(64))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_or_malformed(data: bytes) -> None:
    for read in (ForeignKey.from_spki, ForeignKey.from_pem):
        with pytest.raises(Malformed):
            read(data)


@given(st.binary(max_size=600))
def test_no_bytes_are_a_signature(data: bytes) -> None:
    for key in (
        ForeignKey.of(RSA.public_key()),
        ForeignKey.of(ec.generate_private_key(ec.SECP256R1()).public_key()),
    ):
        assert not key.signed(data, MESSAGE, "sha256")
        assert not key.signed_raw(data, MESSAGE, "sha256")
        assert not key.signed_pss(data, MESSAGE, "sha256")
