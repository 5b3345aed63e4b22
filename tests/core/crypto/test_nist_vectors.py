# SPDX-License-Identifier: Apache-2.0
"""Known answers of NIST, RFCs and others beside Wycheproof's; and none lies idle."""

import hmac
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, strategies as st

from strongroom.core.crypto import Aead, schemes
from strongroom.core.crypto.aead import AesGcm, ChaCha20
from strongroom.core.crypto.hashing import SHA256, SHA384, SHA512, SM3, Hashing
from strongroom.core.crypto.schemes import Scheme
from strongroom.errors import Malformed, Tampered

Row = dict[str, bytes]
NOT_OFFERED = {
    "c2sp_chunked_encryption_aes_128_gcm": "sealed files are FLOE (tests: test_floe)",
    "c2sp_chunked_encryption_aes_256_gcm": "sealed files are FLOE (tests: test_floe)",
    "sm4_ccm": "the suite sm has SM4 in GCM, CBC and CTR",
}
"""Wycheproof files without an algorithm of ours, and why."""


def rows(path: str, first: str) -> Iterator[tuple[str, Row]]:
    """Yield the section, in brackets, and the values of each test of a file.

    Args:
        path: below the vectors of `cryptography`.
        first: the name that each test begins with.
    """
    section, row = "", Row()
    with cryptography_vectors.open_vector_file(path, "r") as file:
        for line in file:
            name, _, value = (part.strip() for part in line.partition("="))
            if name.lower() == first and row:
                yield section, row
                row = {}
            if name.startswith("["):
                section = line.strip() if "," in line else section
            elif name == "FAIL" or (name == "Result" and value[0] != "P"):
                row["fail"] = b"1"
            elif name and not name.startswith("#") and re.fullmatch("[0-9a-f]*", value):
                padded = value if len(value) % 2 == 0 else "0" + value
                row[name.lower()] = bytes.fromhex(padded)
    yield section, row


def check_aead(make: Callable[[bytes], Aead], row: Row) -> None:
    """Run one test of an AEAD under a nonce and tag of whole length."""
    plain, body = (
        row.get(one, row.get(other, b""))
        for one, other in (("pt", "plaintext"), ("ct", "ciphertext"))
    )
    cipher, sealed = make(row["key"]), body + row["tag"]
    if "fail" in row:
        with pytest.raises(Tampered):
            cipher.decrypt(row["iv"], sealed, row["aad"])
        return
    assert cipher.encrypt(row["iv"], plain, row["aad"]) == sealed
    assert cipher.decrypt(row["iv"], sealed, row["aad"]) == plain


@pytest.mark.parametrize("name", ["gcmEncryptExtIV256", "gcmDecrypt256"])
def test_aes_256_gcm_nist(name: str) -> None:
    """CAVS 14.0, where nonce and tag are as long as ours."""
    ran = refused = 0
    for _, row in rows(f"ciphers/AES/GCM/{name}.rsp", "count"):
        if len(row.get("iv", b"")) == 12 and len(row["tag"]) == 16:
            check_aead(AesGcm, row)
            ran, refused = ran + 1, refused + ("fail" in row)
    assert ran == 375
    assert (refused > 100) == (name == "gcmDecrypt256")


def test_chacha20_poly1305_of_rfc_8439_and_openssl() -> None:
    ran = 0
    for _, row in rows("ciphers/ChaCha20Poly1305/openssl.txt", "count"):
        if len(row.get("iv", b"")) == 12 and len(row.get("tag", b"")) == 16:
            check_aead(ChaCha20, row)
            ran += 1
    assert ran == 5


@pytest.mark.parametrize(
    ("scheme", "section"),
    [
        (schemes.ECDSA_P256, "[P-256,SHA-256]"),
        (schemes.ECDSA_P384, "[P-384,SHA-384]"),
    ],
)
def test_ecdsa_nist(scheme: Scheme, section: str) -> None:
    """CAVS 11.0, "SigVer": messages, keys and signatures that were changed."""
    results = []
    size = (scheme.public_bytes - 1) // 2
    for found, row in rows("asymmetric/ECDSA/FIPS_186-3/SigVer.rsp", "msg"):
        if found != section or "qx" not in row:
            continue
        x, y = (row[name].rjust(size, b"\0") for name in ("qx", "qy"))
        r, s = (int.from_bytes(row[name], "big") for name in ("r", "s"))
        signature = encode_dss_signature(r, s)
        try:
            held = scheme.verify(b"\x04" + x + y, signature, row["msg"])
        except Malformed:
            held = False
        assert held == ("fail" not in row)
        results.append(held)
    assert len(results) == 15
    assert 0 < sum(results) < 15


def test_ed25519_of_its_authors() -> None:
    path = "asymmetric/Ed25519/sign.input"
    with cryptography_vectors.open_vector_file(path, "r") as file:
        lines = file.read().split()
    for line in lines:
        secret, public, message, signed = map(bytes.fromhex, line.split(":")[:4])
        key = schemes.ED25519.load(secret[:32], public)
        assert schemes.ED25519.public(secret[:32]) == public
        assert key(message, b"") == signed[:64]
        assert schemes.ED25519.verify(public, signed[:64], message)
    assert len(lines) == 1024


@pytest.mark.parametrize(("row", "bits"), [(SHA256, 256), (SHA384, 384), (SHA512, 512)])
def test_long_messages_nist(row: Hashing, bits: int) -> None:
    ran = 0
    for _, test in rows(f"hashes/SHA2/SHA{bits}LongMsg.rsp", "len"):
        if "md" in test:
            assert row.digest(test["msg"]) == test["md"]
            ran += 1
    assert ran > 60


def test_hkdf_of_rfc_5869() -> None:
    """Appendices A.1 to A.3, and 1,200 bytes by OpenSSL and by Go."""
    ran = 0
    for path in ("KDF/rfc-5869-HKDF-SHA256.txt", "KDF/hkdf-generated.txt"):
        with cryptography_vectors.open_vector_file(path, "r") as file:
            blocks = file.read().split("COUNT = ")[1:]
        for block in blocks:
            lines = (line.partition("=") for line in block.splitlines())
            test = {name.strip(): value.strip() for name, _, value in lines}
            key, salt, info = (bytes.fromhex(test[n]) for n in ("IKM", "salt", "info"))
            length = int(test["L"])
            okm = SHA256.hkdf(key, salt=salt, info=info, length=length)
            assert okm.hex() == test["OKM"]
            ran += 1
    assert ran == 4


@given(st.binary(min_size=1), st.binary(), st.binary(), st.integers(1, 255 * 32))
def test_hkdf_sm3_is_rfc_5869_over_an_hmac_of_another_hand(
    key: bytes, salt: bytes, info: bytes, length: int
) -> None:
    """No vectors of HKDF with SM3 are published: the standard library is the oracle."""
    mac = partial(hmac.digest, digest="sm3")
    prk, okm, part = mac(salt or bytes(32), key), b"", b""
    while len(okm) < length:
        part = mac(prk, part + info + bytes([len(okm) // 32 + 1]))
        okm += part
    assert SM3.hkdf(key, salt=salt, info=info, length=length) == okm[:length]


def test_every_file_of_vectors_is_used_or_said_not_to_be(shared: Path) -> None:
    here = "".join(each.read_text() for each in Path(__file__).parent.glob("test_*.py"))
    used = set(re.findall(r'wycheproof\("(\w+)"\)', here))
    used |= set(re.findall(r'\("(ecdsa_\w+)", schemes', here))
    folder = shared / "vectors" / "wycheproof"
    files = {each.name.removesuffix("_test.json") for each in folder.glob("*.json")}
    assert not used & set(NOT_OFFERED)
    assert files == used | set(NOT_OFFERED)
