# SPDX-License-Identifier: Apache-2.0
"""Keys by handle: one purpose each, versions, shredding, and every algorithm works."""

import os

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.codec.record import Record
from strongroom.errors import (
    LimitReached,
    Malformed,
    NotFound,
    Refused,
    StrongroomError,
    Tampered,
)
from strongroom.services.operations import ALGORITHMS, Encrypted, KeyRing

EVERYTHING = KeyRing("intl", os.urandom, allowed=tuple(ALGORITHMS))
HANDLES = {
    name: EVERYTHING.generate(name, row.purpose, "test")
    for name, row in ALGORITHMS.items()
}
SEALING = [n for n, row in ALGORITHMS.items() if row.purpose == "encrypt"]
PROVING = [n for n, row in ALGORITHMS.items() if row.purpose != "encrypt"]
PLAIN = ("sm2-encrypt", "sm4-cbc", "sm4-ctr")


def rule(error: pytest.ExceptionInfo[Refused]) -> str:
    """Return the rule that refused."""
    return error.value.findings[0].rule


@given(st.binary(min_size=1, max_size=64), st.binary(max_size=32))
@settings(max_examples=15)
def test_what_is_encrypted_is_decrypted(data: bytes, aad: bytes) -> None:
    for name in SEALING:
        bound = b"" if name in PLAIN else aad
        sealed = EVERYTHING.encrypt(HANDLES[name], data, bound)
        assert EVERYTHING.decrypt(HANDLES[name], sealed, bound) == data, name


@pytest.mark.parametrize("name", SEALING)
def test_a_sealing_names_key_version_and_algorithm(name: str) -> None:
    sealed = Encrypted.from_bytes(EVERYTHING.encrypt(HANDLES[name], b"x"))
    assert (sealed.key, sealed.version) == (HANDLES[name], 1)
    assert sealed.algorithm == name


@pytest.mark.parametrize("name", [n for n in SEALING if n not in PLAIN])
def test_a_changed_byte_or_other_associated_data_is_refused(name: str) -> None:
    sealed = EVERYTHING.encrypt(HANDLES[name], b"figures", b"march")
    with pytest.raises(Tampered):
        EVERYTHING.decrypt(HANDLES[name], sealed, b"april")
    for at in range(0, len(sealed), max(1, len(sealed) // 40)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(StrongroomError):
            EVERYTHING.decrypt(HANDLES[name], bytes(changed), b"march")


@pytest.mark.parametrize("name", PLAIN)
def test_what_authenticates_nothing_takes_no_associated_data(name: str) -> None:
    with pytest.raises(Malformed):
        EVERYTHING.encrypt(HANDLES[name], b"x", b"bound")


@pytest.mark.parametrize("name", PROVING)
def test_a_proof_holds_for_its_message_and_key_alone(name: str) -> None:
    proof = EVERYTHING.sign(HANDLES[name], b"message")
    other = EVERYTHING.generate(name, ALGORITHMS[name].purpose, "other")
    assert EVERYTHING.holds(HANDLES[name], b"message", proof)
    assert not EVERYTHING.holds(HANDLES[name], b"Message", proof)
    assert not EVERYTHING.holds(other, b"message", proof)
    for at in (0, len(proof) // 2, len(proof) - 1):
        changed = bytearray(proof)
        changed[at] ^= 1
        assert not EVERYTHING.holds(HANDLES[name], b"message", bytes(changed))
    assert not EVERYTHING.holds(HANDLES[name], b"message", b"")


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_key_has_one_purpose(name: str) -> None:
    wrong = "sign" if ALGORITHMS[name].purpose == "encrypt" else "encrypt"
    with pytest.raises(Refused) as refusal:
        EVERYTHING.generate(name, wrong, "test")
    assert rule(refusal) == "key.purpose"
    use = EVERYTHING.sign if wrong == "sign" else EVERYTHING.encrypt
    with pytest.raises(Refused) as refusal:
        use(HANDLES[name], b"x")
    assert rule(refusal) == "key.purpose"


@pytest.mark.parametrize(("suite_id", "other"), [("sm", "intl"), ("intl", "sm")])
def test_another_suites_algorithm_needs_permission(suite_id: str, other: str) -> None:
    ring = KeyRing(suite_id, os.urandom)
    for row in ALGORITHMS.values():
        if suite_id in row.suites:
            ring.generate(row.name, row.purpose, "own")
            continue
        with pytest.raises(Refused) as refusal:
            ring.generate(row.name, row.purpose, "foreign")
        assert rule(refusal) == "key.algorithm"
        assert row.suites in ((), (other,))


def test_an_older_version_still_reads_and_a_new_one_writes() -> None:
    ring = KeyRing("sm", os.urandom)
    sealer = ring.generate("sm4-gcm", "encrypt", "ledger")
    signer = ring.generate("sm2", "sign", "receipts")
    old, proof = ring.encrypt(sealer, b"old"), ring.sign(signer, b"old")
    assert (ring.rotate(sealer), ring.rotate(signer)) == (2, 2)
    assert Encrypted.from_bytes(ring.encrypt(sealer, b"new")).version == 2
    assert ring.decrypt(sealer, old) == b"old"
    assert ring.holds(signer, b"old", proof)
    assert ring.holds(signer, b"new", ring.sign(signer, b"new"))


def test_a_version_that_was_renamed_does_not_open() -> None:
    ring = KeyRing("sm", os.urandom)
    handle = ring.generate("sm4-gcm", "encrypt", "ledger")
    ring.rotate(handle)
    sealed = Encrypted.from_bytes(ring.encrypt(handle, b"data"))
    for version in (0, 1, 3):
        renamed = Encrypted(sealed.key, version, sealed.algorithm, sealed.sealing)
        with pytest.raises(Refused):
            ring.decrypt(handle, renamed.to_bytes())


def test_a_shredded_key_is_gone_and_says_so() -> None:
    ring = KeyRing("intl", os.urandom)
    handle = ring.generate("aes-256-gcm", "encrypt", "ledger")
    sealed = ring.encrypt(handle, b"data")
    ring.shred(handle)
    with pytest.raises(Refused) as refusal:
        ring.decrypt(handle, sealed)
    assert rule(refusal) == "key.shredded"
    assert ring.info(handle).state == "shredded"
    with pytest.raises(NotFound):
        ring.info(bytes(16))


def test_a_key_from_elsewhere_is_refused_or_marked() -> None:
    with pytest.raises(Refused) as refusal:
        KeyRing("sm", os.urandom).import_key("sm4-gcm", "encrypt", "old", bytes(16))
    assert rule(refusal) == "key.import"
    ring = KeyRing("sm", os.urandom, imports=True)
    handle = ring.import_key("sm4-gcm", "encrypt", "old", bytes(16))
    assert ring.info(handle).origin == "imported"
    made = ring.generate("sm4-gcm", "encrypt", "new")
    assert ring.info(made).origin == "generated"


def test_a_ring_comes_back_whole_and_only_into_an_empty_one() -> None:
    ring = KeyRing("intl", os.urandom)
    handle = ring.generate("aes-256-gcm", "encrypt", "ledger")
    sealed = ring.encrypt(handle, b"data")
    again = KeyRing("intl", os.urandom)
    again.restore(ring.export())
    assert again.decrypt(handle, sealed) == b"data"
    for data in (ring.export()[:-1], b"", b"\x01"):
        with pytest.raises(Malformed):
            KeyRing("intl", os.urandom).restore(data)
    with pytest.raises(Malformed):
        again.restore(ring.export())


def test_nothing_that_is_shown_of_a_key_holds_its_secret() -> None:
    seed = bytes(range(100, 132))
    ring = KeyRing("intl", os.urandom, imports=True)
    handle = ring.import_key("aes-256-gcm", "encrypt", "ledger", seed)
    shown = [ring.info(handle).to_bytes(), repr(ring).encode(), handle]
    assert isinstance(ring.info(handle), Record)
    assert not any(seed[:8] in each for each in shown)


def test_sm2_encrypts_a_key_and_no_more() -> None:
    with pytest.raises(LimitReached):
        EVERYTHING.encrypt(HANDLES["sm2-encrypt"], bytes(65))
