# SPDX-License-Identifier: Apache-2.0
"""The table: what it promises about sizes, and the doors to it."""

import ctypes

import pytest

from strongroom.core import crypto
from strongroom.core.crypto import SUITES, Suite, constant_time_equal, suite
from strongroom.core.crypto.buffers import pinned, wipe
from strongroom.core.crypto.native import declare, find
from strongroom.errors import Malformed


@pytest.mark.parametrize("row", SUITES.values(), ids=SUITES)
def test_the_row_tells_the_truth(row: Suite) -> None:
    assert suite(row.id) is row
    assert len(row.digest(b"")) == row.digest_bytes == len(row.hasher().digest())
    assert len(row.floe_params) == 10
    cipher = row.aead(bytes(row.aead_key_bytes))
    assert len(cipher.encrypt(bytes(row.nonce_bytes), b"", b"")) == row.tag_bytes
    assert row.signing_key(bytes(row.sign_seed_bytes)).suite_id == row.id
    assert row.kem_key(bytes(row.kem_seed_bytes)).suite_id == row.id


def test_no_number_stands_for_two_algorithms() -> None:
    numbers = [n for r in SUITES.values() for n in (r.cose_sign_alg, r.cose_aead_alg)]
    assert len(set(numbers)) == len(numbers)
    assert len({row.floe_params for row in SUITES.values()}) == len(SUITES)


@pytest.mark.parametrize("bad", ["", "SM", "intl ", "rsa"])
def test_unknown_suites(bad: str) -> None:
    with pytest.raises(Malformed, match="sm, intl"):
        suite(bad)


def test_prepare_is_repeatable() -> None:
    crypto.prepare()
    crypto.prepare()


def test_the_public_names() -> None:
    assert crypto.__all__ == [
        "SUITES",
        "Aead",
        "Buffer",
        "Hasher",
        "KemKey",
        "KemPublic",
        "SecretBuffer",
        "SigningKey",
        "Suite",
        "VerifyingKey",
        "constant_time_equal",
        "prepare",
        "reuse_freed_memory",
        "suite",
    ]


def test_constant_time_equal() -> None:
    assert constant_time_equal(b"same", bytearray(b"same"))
    assert not constant_time_equal(b"same", memoryview(b"sane"))
    assert not constant_time_equal(b"same", b"same ")


def test_pinned_lends_the_address_itself() -> None:
    data = bytearray(b"abc")
    with pinned(data, writable=True) as address:
        ctypes.memset(address + 1, ord("x"), 1)
        with pytest.raises(BufferError):
            data.append(0)
    assert data == b"axc"
    with pytest.raises(BufferError), pinned(b"abc", writable=True):
        pass
    wipe(memoryview(data)[1:])
    assert data == b"a\0\0"


def test_missing_libraries_and_functions_are_noticed() -> None:
    assert find(("libno-such-thing.so.1",), "no-such-thing") is None
    library = find((), "c")
    assert library is not None
    assert not declare(library, {"no_such_function": (None, ())})
