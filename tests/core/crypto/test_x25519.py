# SPDX-License-Identifier: Apache-2.0
"""X25519: RFC 7748 and Wycheproof; a point that gives everybody the secret is none."""

from collections.abc import Callable, Iterator

import cryptography_vectors
import pytest
from hypothesis import given, strategies as st

from strongroom.core.crypto.hashing import SHA384
from strongroom.core.crypto.x25519 import agree_into, public_from_seed, shared_secret
from strongroom.errors import Malformed

Vectors = Callable[[str], Iterator[tuple[dict[str, object], dict[str, object]]]]
keys = st.binary(min_size=32, max_size=32)


def test_rfc_7748_section_5_2() -> None:
    with cryptography_vectors.open_vector_file(
        "asymmetric/X25519/rfc7748.txt", "r"
    ) as file:
        values = [line.rpartition(" = ")[2].strip() for line in file if "PUT_" in line]
    assert len(values) == 9
    for at in range(0, 9, 3):
        scalar, u, out = map(bytes.fromhex, values[at : at + 3])
        assert shared_secret(scalar, u) == out


def test_a_thousand_times_of_rfc_7748_section_5_2() -> None:
    k = u = bytes([9]) + bytes(31)
    for _ in range(1000):
        k, u = shared_secret(k, u), k
    assert k.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_wycheproof(wycheproof: Vectors) -> None:
    zeros = others = 0
    for _, test in wycheproof("x25519"):
        public, private, shared = (
            bytes.fromhex(str(test[name])) for name in ("public", "private", "shared")
        )
        flags = test["flags"]
        assert isinstance(flags, list)
        if "ZeroSharedSecret" in flags:
            zeros += 1
            with pytest.raises(Malformed):
                shared_secret(private, public)
        else:
            others += 1
            assert shared_secret(private, public) == shared
    assert zeros > 20
    assert others > 400


@given(keys, keys, st.binary(max_size=20))
def test_both_sides_agree_and_the_info_counts(a: bytes, b: bytes, info: bytes) -> None:
    made = []
    for own, peer, bound in ((a, b, info), (b, a, info), (a, b, info + b"x")):
        out = bytearray(48)
        agree_into(
            own,
            public_from_seed(peer),
            hashing=SHA384,
            info=bound,
            out=memoryview(out),
        )
        made.append(bytes(out))
    assert made[0] == made[1] != made[2]


def test_both_public_keys_stand_in_the_derivation() -> None:
    """RFC 7748 section 6.1: one secret of two pairs of keys gives two keys."""
    one, two = bytes([8]) + bytes(31), bytes([9]) + bytes(31)  # clamped alike
    peer = public_from_seed(bytes(range(32)))
    assert public_from_seed(one) == public_from_seed(two)
    out = bytearray(48)
    agree_into(one, peer, hashing=SHA384, info=b"", out=memoryview(out))
    both = b"".join(sorted((public_from_seed(one), peer)))
    assert out == SHA384.hkdf(shared_secret(one, peer), salt=b"", info=both, length=48)


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(33)])
def test_wrong_lengths(bad: bytes) -> None:
    with pytest.raises(Malformed):
        public_from_seed(bad)
    with pytest.raises(Malformed):
        shared_secret(bytes(32), bad)
    with pytest.raises(Malformed):
        shared_secret(bad, public_from_seed(bytes(32)))
