# SPDX-License-Identifier: Apache-2.0
"""Digests, HMAC, HKDF and passphrases against published answers."""

import hashlib
from collections.abc import Callable, Iterator

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, strategies as st

from strongroom.core.crypto import suite
from strongroom.core.crypto.hashing import SHA256, SHA384, SHA512, SM3, Hashing
from strongroom.errors import Malformed

Vectors = Callable[[str], Iterator[tuple[dict[str, object], dict[str, object]]]]


def test_sm3_oscca() -> None:
    """GB/T 32905 appendix A, from cryptography-vectors."""
    path = "hashes/SM3/oscca.txt"
    with cryptography_vectors.open_vector_file(path, "r") as file:
        words = [line.strip().partition(" = ") for line in file]
    assert sum(name == "MD" for name, _, _ in words) > 3
    length, message = 0, b""
    for name, _, value in words:
        if name == "Len":
            length = int(value) // 8
        elif name == "Msg":
            message = bytes.fromhex(value)[:length]
        elif name == "MD":
            assert suite("sm").digest(message) == bytes.fromhex(value)


def test_hmac_sm3_wycheproof(wycheproof: Vectors) -> None:
    for group, test in wycheproof("hmac_sm3"):
        key, message, tag = (bytes.fromhex(str(test[n])) for n in ("key", "msg", "tag"))
        mac = suite("sm").mac(key, message)[: int(str(group["tagSize"])) // 8]
        assert (mac == tag) == (test["result"] == "valid")


def test_hkdf_sha384_wycheproof(wycheproof: Vectors) -> None:
    for _, test in wycheproof("hkdf_sha384"):
        key, salt, info = (bytes.fromhex(str(test[n])) for n in ("ikm", "salt", "info"))
        length = int(str(test["size"]))
        if test["result"] != "valid":
            with pytest.raises(Malformed):
                suite("intl").hkdf(key, salt=salt, info=info, length=length)
            continue
        okm = suite("intl").hkdf(key, salt=salt, info=info, length=length)
        assert okm.hex() == test["okm"]
        assert SHA384.expand(SHA384.extract(salt, key), info, length) == okm


def test_hkdf_sha256_wycheproof(wycheproof: Vectors) -> None:
    for _, test in wycheproof("hkdf_sha256"):
        key, salt, info = (bytes.fromhex(str(test[n])) for n in ("ikm", "salt", "info"))
        length = int(str(test["size"]))
        if test["result"] != "valid":
            with pytest.raises(Malformed):
                SHA256.hkdf(key, salt=salt, info=info, length=length)
            continue
        okm = SHA256.hkdf(key, salt=salt, info=info, length=length)
        assert okm.hex() == test["okm"]


SHA2 = pytest.mark.parametrize(
    ("row", "bits"),
    [(SHA256, 256), (SHA384, 384), (SHA512, 512)],
    ids=["sha256", "sha384", "sha512"],
)


def lines_of(path: str) -> list[tuple[str, str]]:
    """Return the `name = value` lines of a file of cryptography-vectors."""
    with cryptography_vectors.open_vector_file(path, "r") as file:
        split = [line.strip().partition(" = ") for line in file]
    return [(name, value) for name, _, value in split if value]


@SHA2
def test_sha_2_nist(row: Hashing, bits: int) -> None:
    """CAVS 11.0, short messages."""
    length, message, ran = 0, b"", 0
    for name, value in lines_of(f"hashes/SHA2/SHA{bits}ShortMsg.rsp"):
        if name == "Len":
            length = int(value) // 8
        elif name == "Msg":
            message = bytes.fromhex(value)[:length]
        elif name == "MD":
            assert row.digest(message) == bytes.fromhex(value)
            ran += 1
    assert ran > 60


@SHA2
def test_hmac_sha_2_rfc_4231(row: Hashing, bits: int) -> None:
    key = message = b""
    ran = 0
    for name, value in lines_of(f"HMAC/rfc-4231-sha{bits}.txt"):
        if name == "Key":
            key = bytes.fromhex(value)
        elif name == "Msg":
            message = bytes.fromhex(value)
        elif name == "MD":
            state = row.keyed(key)
            state.update(message)
            assert row.mac(key, message) == state.digest() == bytes.fromhex(value)
            ran += 1
    assert ran > 4


def test_sm3_of_gb_t_32905_annex_a() -> None:
    """Both examples as the standard prints them."""
    for message, digest in (
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (
            b"abcd" * 16,
            "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
        ),
    ):
        assert SM3.digest(message).hex() == digest


def test_hkdf_rfc_5869() -> None:
    """Appendix A.1: the same code over SHA-256."""
    row = Hashing(hashes.SHA256())
    okm = row.hkdf(
        b"\x0b" * 22,
        salt=bytes(range(13)),
        info=bytes(range(0xF0, 0xFA)),
        length=42,
    )
    assert okm.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        "34007208d5b887185865"
    )


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_hkdf_forms_agree(suite_id: str) -> None:
    row, out = suite(suite_id), bytearray(70)
    row.hkdf_into(b"key", info=b"info", out=out)
    assert out == row.hkdf(b"key", info=b"info", length=70)
    prk = row.hashing.extract(b"", b"key")
    assert out == row.hkdf_expand(prk, b"info", 70)
    for length in (0, 255 * row.digest_bytes + 1):
        with pytest.raises(Malformed):
            row.hkdf_expand(prk, b"", length)


@given(st.lists(st.binary()))
def test_parts_are_one_after_another(parts: list[bytes]) -> None:
    row = suite("intl")
    assert row.digest(*parts) == hashlib.sha384(b"".join(parts)).digest()
    assert row.mac(b"k", *parts) == row.mac(b"k", b"".join(parts))
    hasher = row.hasher()
    for part in parts:
        hasher.update(part)
    assert hasher.digest() == hasher.digest() == row.digest(*parts)


@pytest.mark.parametrize(
    ("suite_id", "key"),
    [
        ("sm", "PBKDF2_SM3"),
        ("intl", "SCRYPT"),
    ],
)
def test_passphrase_key(suite_id: str, key: str) -> None:
    row = suite(suite_id)
    made = row.passphrase_key(b"correct horse", b"sixteen bytes ..")
    assert len(made) == row.aead_key_bytes
    if key == "SCRYPT":
        assert made == hashlib.scrypt(
            b"correct horse",
            salt=b"sixteen bytes ..",
            n=2**17,
            r=8,
            p=1,
            maxmem=2**28,
            dklen=32,
        )
