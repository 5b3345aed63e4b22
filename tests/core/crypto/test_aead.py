# SPDX-License-Identifier: Apache-2.0
"""AES-256-GCM and SM4-GCM: known answers, refusals, and both SM4 libraries alike."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, strategies as st

from strongroom.core.crypto import Aead, Buffer, suite
from strongroom.core.crypto.aead import MAX_DATA_BYTES, AesGcm, ChaCha20
from strongroom.core.crypto.sm4gcm import GcryptSm4Gcm, PortableSm4Gcm, libgcrypt
from strongroom.errors import LimitReached, Malformed, Tampered

Vectors = Callable[[str], Iterator[tuple[dict[str, object], dict[str, object]]]]
Maker = Callable[[Buffer], Aead]

needs_libgcrypt = pytest.mark.skipif(
    libgcrypt() is None, reason="libgcrypt20 >= 1.9 is not installed"
)
SM4 = [
    pytest.param(GcryptSm4Gcm, id="libgcrypt", marks=needs_libgcrypt),
    pytest.param(PortableSm4Gcm, id="cryptography"),
]
ALL = [
    *((pytest.param(16, *each.values, id=each.id, marks=each.marks)) for each in SM4),
    pytest.param(32, AesGcm, id="aes"),
    pytest.param(32, ChaCha20, id="chacha20"),
]
NONCE = bytes(range(12))


def check_vector(make: Maker, test: dict[str, object]) -> None:
    """Run one AeadTest: its result is valid, or the refusal is Tampered."""
    key, nonce, aad, plain, ct, tag = (
        bytes.fromhex(str(test[name]))
        for name in ("key", "iv", "aad", "msg", "ct", "tag")
    )
    cipher, sealed = make(key), ct + tag
    if len(nonce) != 12:
        with pytest.raises(Malformed):
            cipher.encrypt(nonce, plain, aad)
    elif test["result"] == "valid":
        assert cipher.encrypt(nonce, plain, aad) == sealed
        assert cipher.decrypt(nonce, sealed, aad) == plain
    else:
        with pytest.raises(Tampered):
            cipher.decrypt(nonce, sealed, aad)


@pytest.mark.parametrize("make", SM4)
def test_sm4_wycheproof(make: Maker, wycheproof: Vectors) -> None:
    for _, test in wycheproof("sm4_gcm"):
        check_vector(make, test)


def test_aes_wycheproof(wycheproof: Vectors) -> None:
    ran = 0
    for group, test in wycheproof("aes_gcm"):
        if group["keySize"] == 256:
            check_vector(AesGcm, test)
            ran += 1
    assert ran > 50


def test_chacha20_poly1305_wycheproof(wycheproof: Vectors) -> None:
    for _, test in wycheproof("chacha20_poly1305"):
        check_vector(ChaCha20, test)


@pytest.mark.parametrize("make", SM4)
def test_sm4_rfc_8998(make: Maker) -> None:
    """RFC 8998 appendix A.1."""
    cipher = make(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
    sealed = cipher.encrypt(
        bytes.fromhex("00001234567800000000ABCD"),
        b"".join(bytes([c]) * 8 for c in b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa"),
        bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2"),
    )
    assert sealed == bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
        "83DE3541E4C2B58177E065A9BF7B62EC"
    )


@needs_libgcrypt
@given(st.binary(min_size=16, max_size=16), st.binary(max_size=300), st.binary())
def test_both_sm4_libraries_give_the_same(key: bytes, data: bytes, aad: bytes) -> None:
    fast, portable = GcryptSm4Gcm(key), PortableSm4Gcm(key)
    sealed = fast.encrypt(NONCE, data, aad)
    assert sealed == portable.encrypt(NONCE, data, aad)
    assert portable.decrypt(NONCE, sealed, aad) == data
    assert fast.decrypt(NONCE, sealed, aad) == data


@pytest.mark.parametrize(("key_bytes", "make"), ALL)
def test_every_bit_and_every_truncation_is_refused(key_bytes: int, make: Maker) -> None:
    cipher = make(bytes(key_bytes))
    sealed = cipher.encrypt(NONCE, b"thirty-three bytes of test data..", b"aad")
    for length in range(len(sealed)):
        with pytest.raises(Tampered):
            cipher.decrypt(NONCE, sealed[:length], b"aad")
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Tampered):
            cipher.decrypt(NONCE, changed, b"aad")
    for nonce, aad in ((bytes(12), b"aad"), (NONCE, b"other")):
        with pytest.raises(Tampered):
            cipher.decrypt(nonce, sealed, aad)


@pytest.mark.parametrize(("key_bytes", "make"), ALL)
def test_into_buffers_and_nothing_left_after_refusal(
    key_bytes: int, make: Maker
) -> None:
    cipher, data = make(bytearray(key_bytes)), memoryview(b"x" * 100)
    sealed, plain = bytearray(116), bytearray(100)
    cipher.encrypt_into(NONCE, data, b"", sealed)
    cipher.decrypt_into(NONCE, memoryview(sealed).toreadonly(), b"", memoryview(plain))
    assert plain == data
    sealed[-1] ^= 1
    with pytest.raises(Tampered) as caught:
        cipher.decrypt_into(NONCE, sealed, b"", plain)
    assert plain == bytes(100)
    assert caught.value.findings[0].rule == "aead.tag"


@pytest.mark.parametrize(("key_bytes", "make"), ALL)
def test_wrong_sizes(key_bytes: int, make: Maker) -> None:
    with pytest.raises(Malformed, match="key"):
        make(bytes(key_bytes - 1))
    cipher = make(bytes(key_bytes))
    with pytest.raises(Malformed, match="nonce"):
        cipher.encrypt(bytes(13), b"", b"")
    with pytest.raises(Malformed, match="room for 16 bytes, not 17"):
        cipher.encrypt_into(NONCE, b"x", b"", bytearray(16))
    with pytest.raises(Malformed, match="room for 1 bytes, not 0"):
        cipher.decrypt_into(NONCE, bytes(16), b"", bytearray(1))


def test_a_message_over_the_limit_is_refused_before_any_work() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return MAX_DATA_BYTES + 1

    with pytest.raises(LimitReached):
        AesGcm(bytes(32)).encrypt_into(NONCE, b"", Huge(), bytearray(16))


@pytest.mark.parametrize(("key_bytes", "make"), ALL)
def test_many_threads_share_one_cipher(key_bytes: int, make: Maker) -> None:
    cipher = make(bytes(key_bytes))
    messages = [bytes([n]) * 50_000 for n in range(64)]
    alone = [cipher.encrypt(NONCE, message, b"") for message in messages]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda m: cipher.encrypt(NONCE, m, b""), messages))
        opened = list(pool.map(lambda c: cipher.decrypt(NONCE, c, b""), together))
    assert together == alone
    assert opened == messages


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_a_cipher_does_not_lean_on_the_callers_key_memory(suite_id: str) -> None:
    row = suite(suite_id)
    key = bytearray(b"k" * row.aead_key_bytes)
    cipher = row.aead(key)
    key[:] = bytes(len(key))
    assert cipher.encrypt(NONCE, b"x", b"") == row.aead(
        b"k" * row.aead_key_bytes
    ).encrypt(NONCE, b"x", b"")
