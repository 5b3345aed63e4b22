# SPDX-License-Identifier: Apache-2.0
"""ECDSA, ML-DSA and SM2 with an ID: known answers and Wycheproof."""

from collections.abc import Callable, Iterator

import cryptography_vectors
import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import schemes, sm2, sm2key
from strongroom.core.crypto.hashing import SM3
from strongroom.core.crypto.schemes import Scheme
from strongroom.core.crypto.sm2exchange import digest_z
from strongroom.errors import Malformed

Vectors = Callable[[str], Iterator[tuple[dict[str, object], dict[str, object]]]]

ALL = {
    "sm2": schemes.SM2_SM3,
    "ed25519": schemes.ED25519,
    "p256": schemes.ECDSA_P256,
    "p384": schemes.ECDSA_P384,
    "ml-dsa": schemes.ML_DSA_65,
}
every = pytest.mark.parametrize("scheme", ALL.values(), ids=ALL)


def key_of(scheme: Scheme, fill: int = 7) -> bytes:
    """Return the private key that uniform bytes of one value make."""
    key = bytearray(scheme.key_bytes)
    scheme.make(memoryview(bytes([fill]) * scheme.draw_bytes), memoryview(key))
    return bytes(key)


def is_signed(scheme: Scheme, public: bytes, signature: bytes, message: bytes) -> bool:
    """Verify, where a public key that is none counts as no."""
    try:
        return scheme.verify(public, signature, message)
    except Malformed:
        return False


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("ecdsa_secp256r1_sha256", schemes.ECDSA_P256),
        ("ecdsa_secp384r1_sha384", schemes.ECDSA_P384),
    ],
)
def test_ecdsa_wycheproof(name: str, scheme: Scheme, wycheproof: Vectors) -> None:
    results = []
    for group, test in wycheproof(name):
        public = group["publicKey"]
        assert isinstance(public, dict)
        raw, signature, message = map(
            bytes.fromhex, (public["uncompressed"], str(test["sig"]), str(test["msg"]))
        )
        results.append(test["result"])
        held = is_signed(scheme, raw, signature, message)
        assert held == (test["result"] == "valid"), test["tcId"]
    assert len(results) > 400


RFC_6979_P256 = (
    ("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"),
    (
        "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE10"
        "08B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
    ),
    (
        "3046022100EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF37"
        "16022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    ),
)
RFC_6979_P384 = (
    (
        "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E"
        "4C70A825F872C9EA60D2EDF5"
    ),
    (
        "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA"
        "9055866064A254515480BC138015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9"
        "F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720"
    ),
    (
        "306602310094EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD13"
        "3C81A648152E44ACF96E36DD1E80FABE4602310099EF4AEB15F178CEA1FE40DB2603138F"
        "130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"
    ),
)


@pytest.mark.parametrize(
    ("scheme", "vector"),
    [(schemes.ECDSA_P256, RFC_6979_P256), (schemes.ECDSA_P384, RFC_6979_P384)],
    ids=["P-256", "P-384"],
)
def test_ecdsa_rfc_6979(scheme: Scheme, vector: tuple[str, str, str]) -> None:
    """Appendices A.2.5 and A.2.6, message "sample", with the digest of the curve."""
    key, public, signature = map(bytes.fromhex, vector)
    assert scheme.public(key) == b"\x04" + public
    assert scheme.load(key, b"\x04" + public)(b"sample", b"") == signature


def test_ecdsa_keys_are_reduced_as_fips_186_5_a_2_1_says() -> None:
    """D = (c mod (n - 1)) + 1, so both ends are right."""
    scheme = schemes.ECDSA_P256
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for number, d in ((0, 1), (order - 2, order - 1), (order - 1, 1)):
        key = bytearray(32)
        scheme.make(memoryview(number.to_bytes(40, "big")), memoryview(key))
        assert int.from_bytes(key, "big") == d
    for bad in (0, order):
        with pytest.raises(Malformed):
            scheme.public(bad.to_bytes(32, "big"))


def test_ml_dsa_65_wycheproof(wycheproof: Vectors) -> None:
    results = []
    for group, test in wycheproof("mldsa_65_verify"):
        public, signature, message, context = (
            bytes.fromhex(str(text))
            for text in (
                group["publicKey"],
                test["sig"],
                test["msg"],
                test.get("ctx", ""),
            )
        )
        try:
            held = schemes.ML_DSA_65.verify(public, signature, message, context)
        except Malformed:
            held = False
        assert held == (test["result"] == "valid"), test["tcId"]
        results.append(held)
    assert sum(results) > 50


def test_ml_dsa_65_keys_and_signatures_of_the_reference_code() -> None:
    """The deterministic known answers that cryptography-vectors brings."""
    scheme = schemes.ML_DSA_65
    with cryptography_vectors.open_vector_file(
        "asymmetric/MLDSA/kat_MLDSA_65_det_pure.rsp", "r"
    ) as file:
        blocks = file.read().split("count = ")[1:]
    for block in blocks:
        lines = (line.partition(" = ") for line in block.splitlines()[1:])
        row = {
            name: bytes.fromhex(value)
            for name, _, value in lines
            if name in {"xi", "pk", "msg", "sm", "ctx"}
        }
        assert scheme.public(row["xi"]) == row["pk"]
        signature = row["sm"][: len(row["sm"]) - len(row["msg"])]
        assert scheme.verify(row["pk"], signature, row["msg"], row["ctx"])
        assert not scheme.verify(row["pk"], signature, row["msg"], row["ctx"] + b"x")
        fresh = scheme.load(row["xi"], row["pk"])(row["msg"], row["ctx"])
        assert len(fresh) == len(signature)
        assert scheme.verify(row["pk"], fresh, row["msg"], row["ctx"])
    assert len(blocks) == 100


@settings(max_examples=20)
@given(
    identity=st.binary(min_size=1, max_size=40), message=st.binary(), seed=st.binary()
)
def test_sm2_signs_under_the_id_as_gb_t_32918_2_says(
    identity: bytes, message: bytes, seed: bytes
) -> None:
    """E = SM3(ZA || M), with ZA computed here and not by the library that signs."""
    key = seed[:40].rjust(40, b"\1")
    public = sm2key.public_from_seed(key)
    signature = schemes.SM2_SM3.load(key, public)(message, identity)
    digest = SM3.digest(digest_z(public, identity), message)
    assert sm2.verify_digest(sm2key.public_key(public), signature, digest)
    assert schemes.SM2_SM3.verify(public, signature, message, identity)
    assert not schemes.SM2_SM3.verify(public, signature, message, identity + b"x")


@every
def test_every_bit_of_a_signature_counts(scheme: Scheme) -> None:
    key = key_of(scheme)
    public = scheme.public(key)
    assert len(public) == scheme.public_bytes
    signature = scheme.load(key, public)(b"message", b"")
    assert scheme.verify(public, signature, b"message")
    assert not scheme.verify(public, signature, b"massage")
    assert not scheme.verify(scheme.public(key_of(scheme, 8)), signature, b"message")
    for place in range(0, len(signature), 1 + len(signature) // 100):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not scheme.verify(public, bytes(changed), b"message")
        assert not scheme.verify(public, signature[:place], b"message")


@every
@settings(max_examples=30)
@given(raw=st.binary(max_size=100), noise=st.binary(max_size=100))
def test_verification_is_total(scheme: Scheme, raw: bytes, noise: bytes) -> None:
    assert not is_signed(scheme, raw, noise, b"message")
    assert not is_signed(scheme, scheme.public(key_of(scheme)), noise, b"message")


@every
def test_keys_of_a_wrong_length(scheme: Scheme) -> None:
    for bad in (b"", key_of(scheme) + b"\0"):
        with pytest.raises(Malformed):
            scheme.public(bad)
