# SPDX-License-Identifier: Apache-2.0
"""Signatures and public keys as a TPM writes them."""

from struct import pack

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from strongroom.core.crypto import sm2
from strongroom.core.crypto.foreign import ForeignKey
from strongroom.errors import Malformed
from strongroom.hardware.tcg.public import Public
from strongroom.hardware.tcg.signature import TPMT_SIGNATURE, Signature
from tests.hardware.tcg.forge import Ak, digest, sm2_key, tpm2b

DATA = b"what a TPM signs"
KEYS = [Ak("rsa"), Ak("P-256"), Ak("P-384"), Ak("P-521"), Ak("sm2")]
each_key = pytest.mark.parametrize("ak", KEYS, ids=lambda ak: ak.kind)


def read(data: bytes, signature_format: str = TPMT_SIGNATURE) -> Signature:
    return Signature.parse(data, signature_format, "signature")


@each_key
def test_a_public_area_gives_the_key_that_signed(ak: Ak) -> None:
    public = Public.parse(ak.public, "ak")

    assert read(ak.sign(DATA)).is_by(public.key, DATA)
    assert not read(ak.sign(DATA)).is_by(public.key, DATA + b"!")
    assert public.attributes == ak.attributes
    assert public.name() == b"\x00\x0b" + digest("sha256", ak.public)
    assert Public.parse(tpm2b(ak.public), "ak").raw == ak.public


@each_key
def test_a_signature_of_another_kind_of_key_is_none(ak: Ak) -> None:
    signature = read(ak.sign(DATA))

    for other in KEYS:
        if other != ak:
            assert not signature.is_by(Public.parse(other.public, "ak").key, DATA)


@each_key
def test_a_public_area_that_is_cut_is_refused(ak: Ak) -> None:
    for cut in range(len(ak.public)):
        with pytest.raises(Malformed):
            Public.parse(ak.public[:cut], "ak")
    with pytest.raises(Malformed):
        Public.parse(ak.public + b"\0", "ak")


@each_key
def test_a_signature_that_is_cut_is_refused(ak: Ak) -> None:
    signature = ak.sign(DATA)
    for cut in range(len(signature)):
        with pytest.raises(Malformed):
            read(signature[:cut])
    with pytest.raises(Malformed):
        read(signature + b"\0")


def test_rsa_with_the_exponent_spelt_out_is_the_same_key() -> None:
    ak = Ak("rsa")
    spelt = ak.public.replace(pack(">HI", 2048, 0), pack(">HI", 2048, 65537))

    assert Public.parse(spelt, "ak").key.spki == ak.spki
    assert Public.parse(spelt, "ak").name() != Public.parse(ak.public, "ak").name()


def test_a_derivation_beside_a_curve_is_read_over() -> None:
    public = Ak().public
    curve, none = pack(">H", 3), pack(">H", 0x10)
    derived = public.replace(curve + none, curve + pack(">HH", 0x07, 0x0B))

    assert Public.parse(derived, "ak").key.spki == Ak().spki


def test_a_cipher_or_a_scheme_before_the_key_is_read_over() -> None:
    public = Ak("rsa").public
    head, scheme, rest = public[:10], public[12:16], public[16:]
    cipher, none = pack(">HHH", 6, 128, 0x43), pack(">H", 0x10)

    assert head + none + scheme + rest == public
    for before in (cipher + scheme, cipher + none, none + none):
        key = Public.parse(head + before + rest, "ak").key
        assert key.spki == Ak("rsa").spki


@pytest.mark.parametrize(
    "public",
    [
        b"\x00\x08" + Ak().public[2:],
        Ak().public.replace(pack(">HH", 3, 0x10), pack(">HH", 0x10, 0x10)),
        Ak().public[:-34] + tpm2b(bytes(33)),
        Ak().public[:-2] + bytes(2),
        Ak("rsa").public.replace(pack(">HI", 2048, 0), pack(">HI", 1024, 0)),
        bytes(4000),
    ],
    ids=["HMAC", "curve", "coordinate", "not on it", "bits", "long"],
)
def test_public_areas_of_other_keys_are_refused(public: bytes) -> None:
    with pytest.raises(Malformed):
        Public.parse(public, "ak")


def test_a_name_by_an_unknown_hash_is_refused() -> None:
    public = Ak().public

    with pytest.raises(Malformed):
        Public.parse(public[:2] + b"\x00\x27" + public[4:], "ak").name()


@pytest.mark.parametrize(
    "text",
    [
        "ecdsa-sha256-der",
        "ECDSA SHA-256 DER",
        "ecdsa_sha256",
        "ecdsa-with-sha256",
    ],
)
def test_ecdsa_in_der_has_many_names(text: str) -> None:
    ak = Ak()

    assert read(ak.raw(DATA), text).is_by(ForeignKey.from_spki(ak.spki), DATA)


def test_raw_halves_are_read() -> None:
    ak = Ak("P-384")
    halves = [half.to_bytes(48, "big") for half in decode_dss_signature(ak.raw(DATA))]
    signature = read(b"".join(halves), "raw ECDSA SHA-256")

    assert signature.is_by(ForeignKey.from_spki(ak.spki), DATA)
    with pytest.raises(Malformed):
        read(halves[0] + halves[1][:-1], "raw ECDSA SHA-256")


def test_halves_may_have_zeros_before_them_but_no_more_digits() -> None:
    ak = Ak()
    r, s = decode_dss_signature(ak.raw(DATA))
    key = ForeignKey.from_spki(ak.spki)
    head = pack(">HH", 0x18, 0x0B)

    padded = head + tpm2b(r.to_bytes(40, "big")) + tpm2b(s.to_bytes(40, "big"))
    assert read(padded).is_by(key, DATA)
    more = head + tpm2b(b"\1" + r.to_bytes(32, "big")) + tpm2b(s.to_bytes(32, "big"))
    assert not read(more).is_by(key, DATA)


def test_sm2_with_an_identity_is_not_what_a_tpm_signs() -> None:
    ak = Ak("sm2")
    key, signed = Public.parse(ak.public, "ak").key, ak.sign(DATA)
    plain = signed[6:38] + signed[40:72]
    halves = decode_dss_signature(sm2.sign(sm2_key("ak")[0], DATA))
    named = b"".join(half.to_bytes(32, "big") for half in halves)

    assert read(plain, "sm2-sm3").is_by(key, DATA)
    assert not read(named, "sm2-sm3").is_by(key, DATA)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "ecdsa-md5-der"),
        (b"", "hmac-sha256"),
        (b"", ""),
        (bytes(64), "sm2-sm3-der"),
        (bytes(2000), "rsassa-sha256"),
        (pack(">HH", 0x05, 0x0B), TPMT_SIGNATURE),
        (pack(">HH", 0x14, 0x27), TPMT_SIGNATURE),
    ],
    ids=["MD5", "HMAC", "no name", "SM2 in DER", "long", "a MAC", "SHA-3"],
)
def test_forms_that_nobody_knows_are_refused(data: bytes, text: str) -> None:
    with pytest.raises(Malformed):
        read(data, text)
