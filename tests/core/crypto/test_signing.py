# SPDX-License-Identifier: Apache-2.0
"""Ed25519 and SM2: known answers, strictness, and keys that rest in secret memory."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import SUITES, SecretBuffer, Suite, suite
from strongroom.core.crypto.points import check_ed25519, check_sm2
from strongroom.errors import Conflict, Malformed, Untrusted

Vectors = Callable[[str], Iterator[tuple[dict[str, object], dict[str, object]]]]

SM2_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
EXAMPLE_D = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
EXAMPLE_P = bytes.fromhex(
    "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
EXAMPLE_SIGNATURE = bytes.fromhex(
    "3046"
    "022100F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "022100B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
both = pytest.mark.parametrize("row", SUITES.values(), ids=SUITES)


def seed_of(row: Suite, fill: int = 7) -> bytes:
    return bytes([fill]) * row.sign_seed_bytes


def test_sm2_gb_t_32918_5_annex_a() -> None:
    """The example of GB/T 32918.5 (default ID): key pair and signature."""
    key = suite("sm").signing_key((EXAMPLE_D - 1).to_bytes(40, "big"))
    assert key.public.raw == EXAMPLE_P
    key.public.verify(EXAMPLE_SIGNATURE, b"message digest")
    key.public.verify(key.sign(b"message digest"), b"message digest")
    with pytest.raises(Untrusted):
        key.public.verify(EXAMPLE_SIGNATURE, b"message digesu")


def test_sm2_seeds_are_reduced_into_the_range() -> None:
    """FIPS 186-5 A.2.1: d = (c mod (n - 2)) + 1, so both ends are right."""
    row = suite("sm")

    def point(number: int) -> bytes:
        return row.signing_key(number.to_bytes(40, "big")).public.raw

    assert point(0) == point(SM2_ORDER - 2)
    assert point(EXAMPLE_D - 1 + (SM2_ORDER - 2) * 2**60) == EXAMPLE_P
    generator = point(0)
    assert generator.hex().startswith(
        "0432c4ae2c1f1981195f9904466a39c9948fe30bbff2660b"
    )
    top = point(SM2_ORDER - 3)  # d = n - 2, so the point is -2G
    assert top[1:33] == point(1)[1:33]
    assert top != point(1)


def test_ed25519_rfc_8032() -> None:
    """RFC 8032 section 7.1, test 3."""
    key = suite("intl").signing_key(
        bytes.fromhex(
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"
        )
    )
    assert key.public.raw.hex() == (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
    )
    assert key.sign(b"\xaf\x82").hex() == (
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )


def test_ed25519_wycheproof(wycheproof: Vectors) -> None:
    for group, test in wycheproof("ed25519"):
        public = group["publicKey"]
        assert isinstance(public, dict)
        key = suite("intl").verifying_key(bytes.fromhex(public["pk"]))
        signature, message = (bytes.fromhex(str(test[n])) for n in ("sig", "msg"))
        if test["result"] == "valid":
            key.verify(signature, message)
        else:
            with pytest.raises(Untrusted):
                key.verify(signature, message)


@both
def test_a_seed_is_a_key(row: Suite) -> None:
    key, same = row.signing_key(seed_of(row)), row.signing_key(bytearray(seed_of(row)))
    assert key.public == same.public
    assert hash(key.public) == hash(same.public)
    assert key.public != row.signing_key(seed_of(row, 8)).public
    assert key.suite_id == key.public.suite_id == row.id
    assert key.public.key_id == row.digest(key.public.raw)[:32]
    assert key.public.key_id.hex()[:16] in repr(key.public)
    with pytest.raises(Malformed, match="seed"):
        row.signing_key(seed_of(row)[1:])


@both
def test_every_bit_and_every_truncation_is_refused(row: Suite) -> None:
    key = row.signing_key(seed_of(row))
    signature = key.sign(b"message")
    changes = [signature[:length] for length in range(len(signature))]
    changes += [signature + b"\0", signature + signature]
    for bit in range(8 * len(signature)):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        changes.append(bytes(changed))
    for change in changes:
        with pytest.raises(Untrusted) as caught:
            key.public.verify(change, b"message")
        assert caught.value.findings[0].rule == "signature"


@both
@settings(max_examples=30)
@given(message=st.binary(), noise=st.binary(max_size=80))
def test_round_trip_and_noise(row: Suite, message: bytes, noise: bytes) -> None:
    key = row.signing_key(seed_of(row))
    public = row.verifying_key(memoryview(key.public.raw))
    public.verify(key.sign(message), message)
    with pytest.raises(Untrusted):
        public.verify(noise, message)


@both
@given(raw=st.one_of(st.binary(max_size=70), st.binary(min_size=32, max_size=32)))
def test_public_keys_are_points_or_malformed(row: Suite, raw: bytes) -> None:
    with suppress(Malformed):
        assert row.verifying_key(raw).raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ],
)
def test_ed25519_points_anybody_could_sign_for(raw: str) -> None:
    """Small order, not canonical (y >= p), and not on the curve."""
    with pytest.raises(Malformed):
        check_ed25519(bytes.fromhex(raw))


def test_sm2_points_off_the_curve() -> None:
    check_sm2(EXAMPLE_P)
    over = (int.from_bytes(EXAMPLE_P[1:33], "big") + 1).to_bytes(32, "big")
    for raw in (
        EXAMPLE_P[:-1],
        b"\x02" + EXAMPLE_P[1:],
        EXAMPLE_P[:1] + over + EXAMPLE_P[33:],
        b"\x04" + bytes(64),
        b"\x04" + b"\xff" * 64,
    ):
        with pytest.raises(Malformed):
            check_sm2(raw)


@pytest.mark.skipif(not SecretBuffer.supported(), reason="no memfd_secret here")
@both
def test_a_transient_key_rests_in_secret_memory_only(row: Suite) -> None:
    with SecretBuffer(row.sign_seed_bytes) as buffer:
        buffer.fill_random()
        key = row.signing_key(buffer.view, transient=True)
        key.public.verify(key.sign(b"message"), b"message")
        kept = row.signing_key(buffer.view)
    assert kept.public == key.public
    kept.public.verify(kept.sign(b"message"), b"message")
    with pytest.raises(Conflict):
        key.sign(b"message")
