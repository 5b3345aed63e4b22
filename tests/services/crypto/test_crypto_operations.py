# SPDX-License-Identifier: Apache-2.0
"""Encryption, signatures, MACs and envelopes by handle: what holds, what is refused."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer
from strongroom.errors import (
    LimitReached,
    Malformed,
    NotFound,
    Refused,
    StrongroomError,
    Tampered,
    Untrusted,
)
from strongroom.services import crypto
from strongroom.services.crypto import (
    ALGORITHMS,
    Ciphertext,
    Handle,
    KeyRing,
    KeySpec,
    Policy,
    PublicKey,
    Signature,
    Tag,
    UnauthenticatedCiphertext,
    WrappedKey,
    ciphers,
    wrapping,
)
from strongroom.services.crypto.kinds import Cipher, Mac, Signing
from tests.services.crypto.ring_world import ENVELOPE, NOW, MakeRing

if TYPE_CHECKING:
    from collections.abc import Callable

MAC = {"sm": "hmac-sm3", "intl": "hmac-sha256"}
LEGACY = {"sm4-cbc": "an old peer", "sm4-ctr": "an old peer"}


def names(kind: type) -> list[str]:
    """Return the algorithms of a kind."""
    return [name for name, row in ALGORITHMS.items() if isinstance(row, kind)]


def ring_for(make_ring: MakeRing, name: str, imports: str = "") -> KeyRing:
    """Return a ring of the suite of an algorithm."""
    return make_ring(ALGORITHMS[name].suite, LEGACY, imports)


# Encryption (IF-10, IF-11).


@pytest.mark.parametrize("name", names(Cipher))
def test_a_ciphertext_says_what_made_it(make_ring: MakeRing, name: str) -> None:
    ring = ring_for(make_ring, name)
    handle = ring.generate("encrypt", name, "k")
    sealed = crypto.encrypt(ring, handle, b"data", b"bound")
    parsed = Ciphertext.from_bytes(sealed)
    assert (parsed.key, parsed.version, parsed.algorithm) == (handle, 1, name)
    assert crypto.decrypt(ring, handle, sealed, b"bound") == b"data"
    assert crypto.encrypt(ring, handle, b"data", b"bound") != sealed
    with pytest.raises(Tampered):
        crypto.decrypt(ring, handle, sealed, b"other")


@pytest.mark.parametrize("name", [*names(Cipher), "sm2-encrypt"])
def test_no_changed_byte_of_a_ciphertext_goes_unnoticed(
    make_ring: MakeRing, name: str
) -> None:
    ring = ring_for(make_ring, name)
    handle = ring.generate("encrypt", name, "k")
    ring.rotate(handle)
    sealed = crypto.encrypt(ring, handle, b"data")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises((Malformed, Refused, NotFound)):
            crypto.decrypt(ring, handle, bytes(changed))
        with pytest.raises(Malformed):
            crypto.decrypt(ring, handle, sealed[:place])


def test_the_version_in_a_ciphertext_is_bound(ring: KeyRing) -> None:
    handle = ring.generate("encrypt", "sm4-gcm", "k")
    sealed = Ciphertext.from_bytes(crypto.encrypt(ring, handle, b"data"))
    ring.rotate(handle)
    moved = replace(sealed, version=2).to_bytes()
    with pytest.raises(Tampered):
        crypto.decrypt(ring, handle, moved)


def test_another_keys_ciphertext_is_refused_by_name(ring: KeyRing) -> None:
    one, two = (ring.generate("encrypt", "sm4-gcm", "k") for _ in range(2))
    with pytest.raises(Refused) as caught:
        crypto.decrypt(ring, two, crypto.encrypt(ring, one, b"data"))
    finding = caught.value.findings[0]
    assert finding.rule == "crypto.key"
    assert two.hex()[:8] in finding.expected
    assert one.hex()[:8] in finding.got


def test_messages_under_one_key_are_counted(
    ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ciphers, "MAX_MESSAGES", 2)
    handle = ring.generate("encrypt", "sm4-gcm", "k")
    for _ in range(2):
        crypto.encrypt(ring, handle, b"")
    with pytest.raises(LimitReached, match="rotate"):
        crypto.encrypt(ring, handle, b"")
    assert ring.info(handle).newest.messages == 2
    ring.rotate(handle)
    crypto.encrypt(ring, handle, b"")


def test_a_message_has_a_limit(
    make_ring: MakeRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ciphers, "MAX_PLAINTEXT_BYTES", 3)
    ring = make_ring(also=LEGACY)
    with pytest.raises(LimitReached):
        crypto.encrypt(ring, ring.generate("encrypt", "sm4-gcm", "k"), bytes(4))
    with pytest.raises(LimitReached):
        crypto.encrypt_unauthenticated(
            ring, ring.generate("encrypt", "sm4-cbc", "k"), bytes(4)
        )


def test_sm2_encrypts_to_a_public_key(ring: KeyRing) -> None:
    handle = ring.generate("encrypt", "sm2-encrypt", "k")
    outside = crypto.encrypt_to(ring, ring.public(handle), b"from outside")
    ring.rotate(handle)
    assert crypto.decrypt_from_outside(ring, handle, outside) == b"from outside"
    inside = crypto.encrypt(ring, handle, b"from inside")
    assert crypto.decrypt(ring, handle, inside) == b"from inside"
    der = Ciphertext.from_bytes(inside).body
    assert crypto.decrypt_from_outside(ring, handle, der) == b"from inside"
    with pytest.raises(Tampered):
        crypto.decrypt_from_outside(
            ring, ring.generate("encrypt", "sm2-encrypt", "other"), outside
        )


def test_sm2_encryption_binds_nothing_so_it_takes_nothing(ring: KeyRing) -> None:
    handle = ring.generate("encrypt", "sm2-encrypt", "k")
    sealed = crypto.encrypt(ring, handle, b"data")
    attempts: tuple[Callable[[], bytes], ...] = (
        lambda: crypto.encrypt(ring, handle, b"data", b"bound"),
        lambda: crypto.decrypt(ring, handle, sealed, b"bound"),
    )
    for attempt in attempts:
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.findings[0].rule == "crypto.associated-data"
    with pytest.raises(Malformed):
        crypto.encrypt(ring, handle, b"")


def test_only_sm2_encryption_keys_are_encrypted_to(ring: KeyRing) -> None:
    signer = ring.public(ring.generate("sign", "sm2-sm3", "k"))
    with pytest.raises(Malformed, match="not one to encrypt to"):
        crypto.encrypt_to(ring, signer, b"data")
    with pytest.raises(Malformed):
        crypto.encrypt_to(ring, PublicKey("sm2-encrypt", b"\x04" + bytes(64)), b"x")
    cipher = ring.generate("encrypt", "sm4-gcm", "k")
    with pytest.raises(Refused, match="SM2 key"):
        crypto.decrypt_from_outside(ring, cipher, b"")


# Ciphers without authentication.


@pytest.mark.parametrize("name", sorted(LEGACY))
def test_legacy_modes_are_another_type_under_other_names(
    make_ring: MakeRing, name: str
) -> None:
    ring = make_ring(also=LEGACY)
    handle = ring.generate("encrypt", name, "k")
    sealed = crypto.encrypt_unauthenticated(ring, handle, b"data")
    parsed = UnauthenticatedCiphertext.from_bytes(sealed)
    assert parsed.TYPE == "strongroom/unauthenticated-ciphertext/v1"
    assert parsed.algorithm == name
    assert crypto.decrypt_unauthenticated(ring, handle, sealed) == b"data"
    for bound in (b"", b"bound"):
        with pytest.raises(Refused) as caught:
            crypto.encrypt(ring, handle, b"data", bound)
        assert caught.value.findings[0].rule == "crypto.unauthenticated"
    with pytest.raises(Malformed):
        crypto.decrypt(ring, handle, sealed)


def test_neither_type_passes_for_the_other(make_ring: MakeRing) -> None:
    ring = make_ring(also=LEGACY)
    modern = ring.generate("encrypt", "sm4-gcm", "k")
    legacy = ring.generate("encrypt", "sm4-ctr", "k")
    sealed = Ciphertext.from_bytes(crypto.encrypt(ring, modern, b"data"))
    bare = UnauthenticatedCiphertext.from_bytes(
        crypto.encrypt_unauthenticated(ring, legacy, b"data")
    )
    with pytest.raises(Malformed):
        crypto.decrypt_unauthenticated(ring, modern, sealed.to_bytes())
    disguised = Ciphertext(bare.key, 1, bare.algorithm, bare.iv, bare.body)
    with pytest.raises(Refused, match="authenticates neither"):
        crypto.decrypt(ring, legacy, disguised.to_bytes())
    for algorithm in (sealed.algorithm, "sm4-ctr"):
        stripped = UnauthenticatedCiphertext(
            sealed.key, 1, algorithm, bytes(16), sealed.body
        )
        with pytest.raises(Refused):
            crypto.decrypt_unauthenticated(ring, modern, stripped.to_bytes())
    with pytest.raises(Refused):
        crypto.encrypt_unauthenticated(ring, modern, b"data")


def test_a_legacy_key_is_of_no_use_where_the_policy_no_longer_names_it(
    make_ring: MakeRing,
) -> None:
    ring = make_ring(also=LEGACY)
    handle = ring.generate("encrypt", "sm4-cbc", "k")
    sealed = crypto.encrypt_unauthenticated(ring, handle, b"data")
    ring.policy = Policy("sm")
    with pytest.raises(Refused) as caught:
        crypto.decrypt_unauthenticated(ring, handle, sealed)
    assert caught.value.findings[0].rule == "crypto.algorithm"


# Signatures (IF-12, IF-13) and MACs.


@pytest.mark.parametrize("name", names(Signing))
def test_signatures_by_handle_and_by_public_key(make_ring: MakeRing, name: str) -> None:
    ring, verifier = ring_for(make_ring, name), ring_for(make_ring, name)
    handle = ring.generate("sign", name, "k")
    signature = crypto.sign(ring, handle, b"message")
    public = ring.public(handle)
    assert crypto.verify(ring, handle, b"message", signature).key == handle
    parsed = crypto.verify(verifier, public, b"message", signature)
    crypto.verify_value(verifier, public, b"message", parsed.value)
    for key in (handle, public):
        with pytest.raises(Untrusted) as caught:
            crypto.verify(ring, key, b"massage", signature)
        assert caught.value.findings[0].rule == "crypto.signature"
    other = ring.public(ring.generate("sign", name, "other"))
    with pytest.raises(Untrusted):
        crypto.verify(ring, other, b"message", signature)


@pytest.mark.parametrize("name", ["sm2-sm3", "ml-dsa-65"])
def test_the_context_is_signed(make_ring: MakeRing, name: str) -> None:
    ring = ring_for(make_ring, name)
    handle = ring.generate("sign", name, "k")
    signature = crypto.sign(ring, handle, b"message", b"context")
    crypto.verify(ring, handle, b"message", signature, b"context")
    for other in (b"", b"contexT"):
        with pytest.raises(Untrusted):
            crypto.verify(ring, handle, b"message", signature, other)
    operations: tuple[Callable[[], object], ...] = (
        lambda: crypto.sign(ring, handle, b"", bytes(8192)),
        lambda: crypto.verify(ring, handle, b"message", signature, bytes(8192)),
    )
    for operation in operations:
        with pytest.raises(Malformed, match="context"):
            operation()


def test_the_default_context_of_sm2_is_the_default_id(ring: KeyRing) -> None:
    handle = ring.generate("sign", "sm2-sm3", "k")
    signature = crypto.sign(ring, handle, b"message")
    crypto.verify(ring, handle, b"message", signature, b"1234567812345678")


@pytest.mark.parametrize("name", ["ed25519", "ecdsa-p256", "ecdsa-p384"])
def test_others_have_no_context(make_ring: MakeRing, name: str) -> None:
    ring = make_ring("intl")
    with pytest.raises(Malformed, match="context"):
        crypto.sign(ring, ring.generate("sign", name, "k"), b"message", b"context")


def test_a_signature_is_verified_by_the_algorithm_it_names(make_ring: MakeRing) -> None:
    ring = make_ring("intl")
    handle = ring.generate("sign", "ed25519", "k")
    parsed = Signature.from_bytes(crypto.sign(ring, handle, b"message"))
    renamed = replace(parsed, algorithm="ecdsa-p256").to_bytes()
    for key in (handle, ring.public(handle)):
        with pytest.raises(Refused) as caught:
            crypto.verify(ring, key, b"message", renamed)
        assert caught.value.findings[0].rule == "crypto.key"
    with pytest.raises(Refused, match="purpose"):
        crypto.verify_value(ring, PublicKey("x25519", bytes(32)), b"", b"")
    with pytest.raises(Refused):
        crypto.verify_value(ring, PublicKey("sm2-sm3", bytes(65)), b"", b"")


@pytest.mark.parametrize("name", names(Mac))
def test_tags(make_ring: MakeRing, name: str) -> None:
    ring = ring_for(make_ring, name)
    handle = ring.generate("mac", name, "k")
    tag = crypto.mac(ring, handle, b"message")
    crypto.verify_mac(ring, handle, b"message", tag)
    parsed = Tag.from_bytes(tag)
    row = ALGORITHMS[name]
    assert isinstance(row, Mac)
    assert len(parsed.value) == row.hashing.digest_bytes
    ring.rotate(handle)
    crypto.verify_mac(ring, handle, b"message", tag)
    for message, changed in (
        (b"massage", parsed),
        (b"message", replace(parsed, value=parsed.value[:-1])),
        (b"message", replace(parsed, value=b"")),
        (b"message", replace(parsed, version=2)),
        (b"message", replace(parsed, algorithm="hmac")),
    ):
        with pytest.raises(Tampered) as caught:
            crypto.verify_mac(ring, handle, message, changed.to_bytes())
        assert caught.value.findings[0].rule == "crypto.tag"


# Envelopes and wrapped keys.


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_envelopes(make_ring: MakeRing, suite_id: str) -> None:
    ring = make_ring(suite_id)
    handle = ring.generate("encrypt", ENVELOPE[suite_id], "k")
    box = crypto.seal_envelope(ring, ring.public(handle), b"data", b"info")
    assert crypto.open_envelope(ring, handle, box, b"info") == b"data"
    for bad, info in ((box, b"other"), (box[:-1], b"info"), (b"", b"info")):
        with pytest.raises(Tampered):
            crypto.open_envelope(ring, handle, bad, info)


def test_envelopes_are_sealed_to_their_own_kind_of_key(ring: KeyRing) -> None:
    signer = ring.public(ring.generate("sign", "sm2-sm3", "k"))
    with pytest.raises(Refused):
        crypto.seal_envelope(ring, signer, b"data", b"")
    with pytest.raises(Malformed):
        crypto.seal_envelope(ring, PublicKey("hpke-sm2", bytes(65)), b"data", b"")
    with pytest.raises(Refused, match="envelopes"):
        crypto.open_envelope(ring, ring.generate("encrypt", "sm4-gcm", "w"), b"", b"")


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_a_key_for_envelopes_encrypts_to_itself(
    make_ring: MakeRing, suite_id: str
) -> None:
    ring = make_ring(suite_id)
    handle = ring.generate("encrypt", ENVELOPE[suite_id], "k")
    sealed = crypto.encrypt(ring, handle, b"data", b"bound")
    ring.rotate(handle)
    assert crypto.decrypt(ring, handle, sealed, b"bound") == b"data"
    parsed = Ciphertext.from_bytes(sealed)
    for bad in (
        replace(parsed, version=2),
        replace(parsed, nonce=bytes(12)),
        replace(parsed, body=parsed.body[:-1]),
    ):
        with pytest.raises(Tampered):
            crypto.decrypt(ring, handle, bad.to_bytes(), b"bound")
    with pytest.raises(Tampered):
        crypto.decrypt(ring, handle, sealed, b"other")


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_what_unwraps_keys_gives_none_of_them_away_as_data(
    make_ring: MakeRing, suite_id: str
) -> None:
    ring = make_ring(suite_id, imports="test")
    wrapper = ring.generate("wrap", ENVELOPE[suite_id], "w")
    opener = ring.generate("encrypt", ENVELOPE[suite_id], "e")
    key = ring.generate("mac", MAC[suite_id], "k", extractable=True)
    wrapped = crypto.wrap(ring, ring.public(wrapper), key)
    body = WrappedKey.from_bytes(wrapped).body
    acts: tuple[Callable[[], object], ...] = (
        lambda: crypto.open_envelope(ring, wrapper, body, b""),
        lambda: crypto.unwrap(ring, opener, wrapped),
        lambda: crypto.encrypt(ring, wrapper, b"data"),
    )
    for act in acts:
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.findings[0].rule == "crypto.purpose"


def bare_tag(ring: KeyRing, handle: Handle) -> bytes:
    """Return the HMAC of fixed data: the same for the same key."""
    return Tag.from_bytes(crypto.mac(ring, handle, b"message")).value


@pytest.mark.parametrize("name", names(Cipher))
def test_a_key_travels_wrapped_and_arrives_marked(
    make_ring: MakeRing, name: str
) -> None:
    ring = ring_for(make_ring, name, "a copy of one of its own")
    key = ring.generate("mac", MAC[ring.policy.suite], "k", extractable=True)
    under = ring.generate("wrap", name, "w")
    arrived = crypto.unwrap(ring, under, crypto.wrap(ring, under, key))
    assert ring.info(arrived).newest.origin == "imported"
    assert ring.info(arrived).spec == ring.info(key).spec
    assert bare_tag(ring, arrived) == bare_tag(ring, key)


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_a_key_travels_to_another_ring_in_an_envelope(
    make_ring: MakeRing, suite_id: str
) -> None:
    here, there = make_ring(suite_id), make_ring(suite_id, imports="from here")
    key = here.generate("mac", MAC[suite_id], "k", extractable=True)
    under = there.generate("wrap", ENVELOPE[suite_id], "w")
    wrapped = crypto.wrap(here, there.public(under), key)
    arrived = crypto.unwrap(there, under, wrapped)
    assert there.info(arrived).newest.origin == "imported"
    assert bare_tag(there, arrived) == bare_tag(here, key)
    with pytest.raises(Tampered):
        crypto.unwrap(there, there.generate("wrap", ENVELOPE[suite_id], "x"), wrapped)


def test_a_key_made_to_stay_does_not_travel(ring: KeyRing) -> None:
    key = ring.generate("mac", "hmac-sm3", "k")
    under = ring.generate("wrap", "sm4-gcm", "w")
    public = ring.public(ring.generate("wrap", "hpke-sm2", "e"))
    for target in (under, public):
        with pytest.raises(Refused) as caught:
            crypto.wrap(ring, target, key)
        assert caught.value.findings[0].rule == "crypto.extractable"


def test_a_ring_without_imports_unwraps_nothing(ring: KeyRing) -> None:
    key = ring.generate("mac", "hmac-sm3", "k", extractable=True)
    under = ring.generate("wrap", "sm4-gcm", "w")
    with pytest.raises(Refused) as caught:
        crypto.unwrap(ring, under, crypto.wrap(ring, under, key))
    assert caught.value.findings[0].rule == "crypto.import"


@pytest.mark.parametrize("name", ["sm4-gcm", "hpke-sm2"])
def test_no_changed_byte_of_a_wrapped_key_goes_unnoticed(
    make_ring: MakeRing, name: str
) -> None:
    """Not the key, nor what it is for: purpose, label, whether it may travel on."""
    ring = make_ring(imports="test")
    key = ring.generate("mac", "hmac-sm3", "k", extractable=True)
    under = ring.generate("wrap", name, "w")
    target = under if name == "sm4-gcm" else ring.public(under)
    wrapped = crypto.wrap(ring, target, key)
    for place in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[place] ^= 1
        with pytest.raises((Malformed, Refused, NotFound)):
            crypto.unwrap(ring, under, bytes(changed))
    parsed = WrappedKey.from_bytes(wrapped)
    for spec in (
        KeySpec("mac", "hmac-sm3", "other", extractable=True),
        KeySpec("derive", "hkdf-sm3", "k", extractable=True),
        KeySpec("mac", "hmac-sm3", "k", extractable=False),
    ):
        with pytest.raises(Tampered):
            crypto.unwrap(ring, under, replace(parsed, spec=spec).to_bytes())
    for odd in (replace(parsed, body=b""), replace(parsed, nonce=bytes(5))):
        with pytest.raises(Tampered):
            crypto.unwrap(ring, under, odd.to_bytes())


# Any bytes at all.


@settings(max_examples=60)
@given(noise=st.binary(max_size=200))
def test_every_parser_is_total(root: SecretBuffer, noise: bytes) -> None:
    policy = Policy("sm", LEGACY, imports="test")
    with KeyRing(root, policy, clock=lambda: NOW) as ring:
        cipher = ring.generate("encrypt", "sm4-gcm", "k")
        signer = ring.generate("sign", "sm2-sm3", "k")
        maccer = ring.generate("mac", "hmac-sm3", "k")
        wrapper = ring.generate("wrap", "hpke-sm2", "k")
        opener = ring.generate("encrypt", "hpke-sm2", "k")
        sm2 = ring.generate("encrypt", "sm2-encrypt", "k")
        legacy = ring.generate("encrypt", "sm4-cbc", "k")
        bare = UnauthenticatedCiphertext(legacy, 1, "sm4-cbc", noise[:16], noise)
        for attempt in (
            lambda: crypto.decrypt(ring, cipher, noise),
            lambda: crypto.decrypt_from_outside(ring, sm2, noise),
            lambda: crypto.verify(ring, signer, b"", noise),
            lambda: crypto.verify_value(ring, ring.public(signer), b"", noise),
            lambda: crypto.verify_mac(ring, maccer, b"", noise),
            lambda: crypto.unwrap(ring, wrapper, noise),
            lambda: crypto.open_envelope(ring, opener, noise, b""),
            lambda: ring.info(noise),
        ):
            with pytest.raises(StrongroomError):
                attempt()
        with suppress(Malformed):
            crypto.decrypt_unauthenticated(ring, legacy, bare.to_bytes())


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_an_envelope_of_megabytes_takes_no_secret_memory(
    make_ring: MakeRing, suite_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = make_ring(suite_id, imports="test")
    under = ring.generate("wrap", ENVELOPE[suite_id], "w")
    public, spec = ring.public(under), KeySpec("mac", MAC[suite_id], "k")
    named = b"", 0, public.algorithm
    bound = cbor.encode([WrappedKey.TYPE, *named, spec.to_value()])
    body = crypto.seal_envelope(ring, public, bytes(1 << 20), bound)
    whole = WrappedKey(*named, spec=spec, nonce=b"", body=body).to_bytes()
    taken: list[int] = []

    class Watched(SecretBuffer):
        def __init__(self, size: int) -> None:
            taken.append(size)
            super().__init__(size)

    monkeypatch.setattr(wrapping, "SecretBuffer", Watched)
    with pytest.raises(Tampered):
        crypto.unwrap(ring, under, whole)
    assert taken == []
