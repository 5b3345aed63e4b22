# SPDX-License-Identifier: Apache-2.0
"""SM2 public-key encryption: the example of the standard, its DER, and step A5."""

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import sm2, sm2key
from strongroom.core.crypto.sm2der import OVERHEAD_BYTES, from_der, to_der
from strongroom.errors import Malformed

SEED = bytes(range(40))
PUBLIC = sm2key.public_from_seed(SEED)

# GB/T 32918.5 annex C: "encryption standard" as C1 || C3 || C2, and its DER.
D = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
X1 = "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
Y1 = "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
C3 = "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
C2 = "21886CA989CA9C7D58087307CA93092D651EFA"
FLAT = bytes.fromhex(f"04{X1}{Y1}{C3}{C2}")
DER = bytes.fromhex(f"307C0220{X1}022100{Y1}0420{C3}0413{C2}")


def test_the_example_in_both_forms() -> None:
    seed = (D - 1).to_bytes(40, "big")
    key = sm2key.private_key(sm2key.public_from_seed(seed), seed)
    assert to_der(FLAT) == DER
    assert from_der(DER) == FLAT
    assert sm2.decrypt(key, from_der(DER)) == b"encryption standard"


@settings(max_examples=30)
@given(st.one_of(st.binary(min_size=1, max_size=300), st.just(bytes(65536))))
def test_round_trip_through_der(plaintext: bytes) -> None:
    sealed = to_der(sm2.encrypt(sm2key.public_key(PUBLIC), plaintext))
    key = sm2key.private_key(PUBLIC, SEED)
    assert sm2.decrypt(key, from_der(sealed)) == plaintext


def test_one_byte_never_stands_in_its_own_ciphertext() -> None:
    """Step A5: of 256 key streams of one byte one is zero, and is not used."""
    public = sm2key.public_key(PUBLIC)
    for _ in range(300):
        assert sm2.encrypt(public, b"x")[OVERHEAD_BYTES:] != b"x"


def test_a_library_that_skips_step_a5_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not every release of OpenSSL 3.0 takes the step; this one may."""
    key, real = sm2key.public_key(PUBLIC), sm2._encrypt_der
    naked = to_der(sm2.encrypt(key, b"data")[:OVERHEAD_BYTES] + b"data")
    answers = iter([naked, naked, real(key, b"data")])
    monkeypatch.setattr(sm2, "_encrypt_der", lambda *_: next(answers))
    assert sm2.encrypt(key, b"data")[OVERHEAD_BYTES:] != b"data"
    assert next(answers, None) is None


def test_lengths_that_sm2_does_not_encrypt() -> None:
    for bad in (b"", bytes(65537)):
        with pytest.raises(Malformed, match="1 to 65536"):
            sm2.encrypt(sm2key.public_key(PUBLIC), bad)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(DER + b"\0", id="trailing"),
        pytest.param(b"\x30\x81\x7c" + DER[2:], id="long form of a short length"),
        pytest.param(
            bytes.fromhex(f"307D022100{X1}022100{Y1}0420{C3}0413{C2}"),
            id="a zero too many",
        ),
        pytest.param(
            bytes.fromhex(f"307B0220{X1}0220{Y1}0420{C3}0413{C2}"), id="negative"
        ),
        pytest.param(
            bytes.fromhex(f"307D0220{X1}022101{Y1}0420{C3}0413{C2}"), id="33 bytes"
        ),
        pytest.param(
            bytes.fromhex(f"307B0220{X1}022100{Y1}041F{C3[2:]}0413{C2}"),
            id="short digest",
        ),
        pytest.param(b"\x30\x80" + DER[2:] + b"\0\0", id="indefinite length"),
        pytest.param(b"\x30\x84\0\0\0\x7c" + DER[2:], id="four bytes of length"),
        pytest.param(b"\x30\x82", id="no length"),
        pytest.param(b"\x31" + DER[1:], id="a set"),
        pytest.param(b"", id="empty"),
    ],
)
def test_only_the_one_der_is_read(bad: bytes) -> None:
    with pytest.raises(Malformed):
        from_der(bad)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_canonical(noise: bytes) -> None:
    for parse, back in ((from_der, to_der), (to_der, from_der)):
        try:
            parsed = parse(noise)
        except Malformed:
            continue
        assert back(parsed) == noise


def test_every_truncation_is_refused() -> None:
    for length in range(len(DER)):
        with pytest.raises(Malformed):
            from_der(DER[:length])
    for length in range(OVERHEAD_BYTES):
        with pytest.raises(Malformed):
            to_der(FLAT[:length])
