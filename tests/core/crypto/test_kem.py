# SPDX-License-Identifier: Apache-2.0
"""Boxes: round trips, refusals, and the public parts of what they are made of."""

import hashlib
import json
from collections.abc import Callable, Iterator

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import (
    SUITES,
    SecretBuffer,
    Suite,
    sm2,
    sm2der,
    sm2key,
    suite,
)
from strongroom.errors import Conflict, Malformed, Tampered

Vectors = Callable[[str], Iterator[tuple[dict[str, object], dict[str, object]]]]
both = pytest.mark.parametrize("row", SUITES.values(), ids=SUITES)


def seed_of(row: Suite, fill: int = 7) -> bytes:
    return bytes([fill]) * row.kem_seed_bytes


@both
@settings(max_examples=30)
@given(plaintext=st.binary(), info=st.binary())
def test_round_trip(row: Suite, plaintext: bytes, info: bytes) -> None:
    key = row.kem_key(seed_of(row))
    box = row.kem_public(key.public.raw).seal(plaintext, info)
    assert key.open(memoryview(box), info) == plaintext
    assert box != key.public.seal(plaintext, info)


@both
def test_other_key_other_info_and_changes_are_refused(row: Suite) -> None:
    key = row.kem_key(seed_of(row))
    box = key.public.seal(b"data key", b"info")
    cases = [(box[:length], b"info") for length in range(len(box))]
    cases += [(box, b"other"), (box + b"\0", b"info"), (b"\0" * len(box), b"info")]
    for place in range(len(box)):
        changed = bytearray(box)
        changed[place] ^= 1
        cases.append((bytes(changed), b"info"))
    for bad, info in cases:
        with pytest.raises(Tampered):
            key.open(bad, info)
    with pytest.raises(Tampered):
        row.kem_key(seed_of(row, 8)).open(box, b"info")


@both
def test_a_seed_is_a_key(row: Suite) -> None:
    key, same = row.kem_key(seed_of(row)), row.kem_key(memoryview(seed_of(row)))
    assert key.public == same.public
    assert hash(key.public) == hash(same.public)
    assert key.suite_id == row.id
    assert key.public.key_id == row.digest(key.public.raw)[:32]
    assert key.public.key_id.hex()[:16] in repr(key.public)
    for bad in (seed_of(row)[1:], b""):
        with pytest.raises(Malformed):
            row.kem_key(bad)


@both
@given(raw=st.binary(max_size=1300))
def test_public_keys_are_usable_or_malformed(row: Suite, raw: bytes) -> None:
    with pytest.raises(Malformed):
        row.kem_public(raw)


_P = 2**255 - 19
SMALL_X25519 = (
    *(n.to_bytes(32, "little") for n in (0, 1, _P - 1, _P, _P + 1)),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
)
"""Points of order 1, 2, 4 and 8, some in another spelling (RFC 7748 section 6.1)."""


def test_unusable_halves_of_a_hybrid_key() -> None:
    raw = suite("intl").kem_key(bytes(96)).public.raw
    halves = [(raw[:1184], point) for point in SMALL_X25519]
    for mlkem, x25519 in (*halves, (b"\xff" * 1184, raw[1184:])):
        with pytest.raises(Malformed):
            suite("intl").kem_public(mlkem + x25519)


def test_hybrid_public_keys_are_those_of_x_wing() -> None:
    """The HPKE vectors of X-Wing expand a seed to just these 96 bytes."""
    ran = 0
    path = "HPKE/hpke-pq-test-vectors.json"
    with cryptography_vectors.open_vector_file(path, "r") as file:
        for vector in json.load(file):
            if vector["kem_id"] == 0x647A:
                expanded = hashlib.shake_256(bytes.fromhex(vector["skRm"])).digest(96)
                public = suite("intl").kem_key(expanded).public
                assert public.raw.hex() == vector["pkRm"]
                ran += 1
    assert ran


def test_ml_kem_768_wycheproof(wycheproof: Vectors) -> None:
    """The ML-KEM half alone, as the installed library computes it."""
    valid = 0
    for _, test in wycheproof("mlkem_768"):
        seed, sealed = (bytes.fromhex(str(test[name])) for name in ("seed", "c"))
        try:
            key = MLKEM768PrivateKey.from_seed_bytes(seed)
            shared = key.decapsulate(sealed)
        except ValueError:
            assert test["result"] == "invalid", test["tcId"]
            continue
        assert test["result"] == "valid", test["tcId"]
        assert key.public_key().public_bytes_raw().hex() == test["ek"]
        assert shared.hex() == test["K"]
        valid += 1
    assert valid > 100


def test_ml_kem_768_of_the_reference_code() -> None:
    """Known answers for FIPS 203: keys, secrets, and what comes of other bytes."""
    path = "asymmetric/MLKEM/kat_MLKEM_768.rsp"
    with cryptography_vectors.open_vector_file(path, "r") as file:
        groups = file.read().split("count = ")[1:101]
    for group in groups:
        lines = (line.partition(" = ") for line in group.splitlines()[1:] if line)
        known = {name: bytes.fromhex(value) for name, _, value in lines}
        key = MLKEM768PrivateKey.from_seed_bytes(known["d"] + known["z"])
        assert key.public_key().public_bytes_raw() == known["pk"]
        assert key.decapsulate(known["ct"]) == known["ss"]
        assert key.decapsulate(known["ct_n"]) == known["ss_n"]
    assert len(groups) == 100


def test_sm2_encryption_gb_t_32918_5_annex_c() -> None:
    """The example of GB/T 32918.5: C1 || C3 || C2 of "encryption standard"."""
    d = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    seed = (d - 1).to_bytes(40, "big")
    key = sm2key.private_key(sm2key.public_from_seed(seed), seed)
    ciphertext = bytes.fromhex(
        "0404EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
        "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
        "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
        "21886CA989CA9C7D58087307CA93092D651EFA"
    )
    assert sm2.decrypt(key, ciphertext) == b"encryption standard"
    for length in range(len(ciphertext)):
        assert sm2.decrypt(key, ciphertext[:length]) is None


@pytest.mark.parametrize("length", [1, 32, 64])
def test_sm2_ciphertexts_have_a_fixed_length(length: int) -> None:
    seed = bytes(range(40))
    public = sm2key.public_from_seed(seed)
    key = sm2key.private_key(public, seed)
    for _ in range(300):  # coordinates with leading zeros come up too
        sealed = sm2.encrypt(sm2key.public_key(public), b"x" * length)
        assert len(sealed) == length + sm2der.OVERHEAD_BYTES
        assert sm2.decrypt(key, sealed) == b"x" * length


@pytest.mark.skipif(not SecretBuffer.supported(), reason="no memfd_secret here")
@both
def test_a_transient_key_rests_in_secret_memory_only(row: Suite) -> None:
    with SecretBuffer(row.kem_seed_bytes) as buffer:
        buffer.fill_random()
        key = row.kem_key(buffer.view, transient=True)
        box = key.public.seal(b"x", b"")
        assert key.open(box, b"") == b"x"
    with pytest.raises(Conflict):
        key.open(box, b"")
