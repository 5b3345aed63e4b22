# SPDX-License-Identifier: Apache-2.0
"""SM4 in CBC and CTR: GB/T 32907, the published modes, and what is refused."""

import cryptography_vectors
import pytest
from hypothesis import given, strategies as st

from strongroom.core.crypto.blockmodes import SM4_CBC, SM4_CTR, BlockMode
from strongroom.errors import Malformed

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
IV = bytes(range(16))


def test_the_block_cipher_of_gb_t_32907_annex_a_1() -> None:
    """One block whose plaintext is the key, as the first block of a key stream."""
    block = bytes.fromhex("681EDF34D206965E86B3E94F536E4246")
    assert SM4_CTR.encrypt(KEY, KEY, bytes(16)) == block


def test_a_million_encryptions_of_gb_t_32907_annex_a_2() -> None:
    """CBC over zeros encrypts each block of its output again."""
    sealed = SM4_CBC.encrypt(KEY, KEY, bytes(16 * 1_000_000))
    assert sealed[-32:-16] == bytes.fromhex("595298C7C6FD271F0402F804C33D3F66")


@pytest.mark.parametrize(("mode", "name"), [(SM4_CBC, "cbc"), (SM4_CTR, "ctr")])
def test_the_modes_of_draft_ribose_cfrg_sm4(mode: BlockMode, name: str) -> None:
    path, rows = f"ciphers/SM4/draft-ribose-cfrg-sm4-10-{name}.txt", 0
    with cryptography_vectors.open_vector_file(path, "r") as file:
        blocks = file.read().split("COUNT")[1:]
    for block in blocks:
        row = {
            key: bytes.fromhex(value)
            for key, _, value in (line.partition(" = ") for line in block.splitlines())
            if key in {"KEY", "IV", "PLAINTEXT", "CIPHERTEXT"}
        }
        sealed = mode.encrypt(row["KEY"], row["IV"], row["PLAINTEXT"])
        assert sealed[: len(row["CIPHERTEXT"])] == row["CIPHERTEXT"]
        assert mode.decrypt(row["KEY"], row["IV"], sealed) == row["PLAINTEXT"]
        rows += 1
    assert rows > 1


@pytest.mark.parametrize("mode", [SM4_CBC, SM4_CTR], ids=["cbc", "ctr"])
@given(data=st.binary(max_size=100))
def test_round_trip(mode: BlockMode, data: bytes) -> None:
    sealed = mode.encrypt(KEY, IV, data)
    assert mode.decrypt(KEY, IV, memoryview(sealed)) == data
    assert len(sealed) == (len(data) // 16 * 16 + 16 if mode.padded else len(data))


def test_what_is_no_ciphertext() -> None:
    sealed = SM4_CBC.encrypt(KEY, IV, b"data")
    messages = set()
    for bad in (b"", sealed[:-1], sealed + b"\0", bytes(16)):
        with pytest.raises(Malformed) as caught:
            SM4_CBC.decrypt(KEY, IV, bad)
        messages.add(caught.value.message)
    assert len(messages) == 1, "a padding oracle tells the cases apart"


@pytest.mark.parametrize("mode", [SM4_CBC, SM4_CTR], ids=["cbc", "ctr"])
def test_wrong_sizes(mode: BlockMode) -> None:
    with pytest.raises(Malformed, match="key"):
        mode.encrypt(KEY[1:], IV, b"")
    with pytest.raises(Malformed, match="initial block"):
        mode.decrypt(KEY, IV[1:], b"")
