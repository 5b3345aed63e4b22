# SPDX-License-Identifier: Apache-2.0
"""Keys from the app root key: repeatable, apart from one another, HKDF."""

import pytest

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer
from strongroom.core.crypto.hashing import SM3
from strongroom.errors import Malformed, Refused
from strongroom.services import crypto
from strongroom.services.crypto import Handle, KeyRing, KeySpec, Policy
from tests.services.crypto.ring_world import MakeRing


def tag_of(ring: KeyRing, handle: Handle) -> bytes:
    """Return the bare HMAC of fixed data: the same for the same key."""
    return crypto.Tag.from_bytes(crypto.mac(ring, handle, b"data")).value


def test_the_same_inputs_give_the_same_key_and_any_other_another(
    make_ring: MakeRing,
) -> None:
    spec = KeySpec("mac", "hmac-sm3", "k")
    ring, again = make_ring(), make_ring()
    same = tag_of(ring, ring.derive(spec, salt=b"s"))
    assert tag_of(again, again.derive(spec, salt=b"s")) == same
    parent = ring.generate("derive", "hkdf-sm3", "parent")
    rotated = ring.derive(spec, salt=b"s")
    ring.rotate(rotated)
    others = [
        tag_of(ring, ring.derive(spec, salt=b"t")),
        tag_of(ring, ring.derive(spec)),
        tag_of(ring, ring.derive(KeySpec("mac", "hmac-sm3", "l"), salt=b"s")),
        tag_of(
            ring,
            ring.derive(KeySpec("mac", "hmac-sm3", "k", extractable=True), salt=b"s"),
        ),
        tag_of(ring, ring.derive(spec, parent, b"s")),
        tag_of(ring, rotated),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_the_derivation_is_hkdf_over_the_documented_info(ring: KeyRing) -> None:
    """docs/reference/crypto.md, computed again from the parts of RFC 5869."""
    spec = KeySpec("mac", "hmac-sm3", "k")
    info = cbor.encode(["strongroom/crypto/key/v1", spec.to_value(), 1, 32])
    key = SM3.expand(SM3.extract(b"salt", bytes(range(32))), info, 32)
    handle = ring.derive(spec, salt=b"salt")
    assert tag_of(ring, handle) == SM3.mac(key, b"data")


def test_derived_keys_rotate_from_the_same_source(make_ring: MakeRing) -> None:
    spec = KeySpec("mac", "hmac-sm3", "k")
    tags = []
    for ring in (make_ring(), make_ring()):
        handle = ring.derive(spec)
        assert ring.rotate(handle) == 2
        assert ring.info(handle).newest.origin == "derived"
        tags.append(tag_of(ring, handle))
    assert tags[0] == tags[1]


def test_a_derived_key_cannot_rotate_once_its_source_is_shredded(ring: KeyRing) -> None:
    source = ring.generate("derive", "hkdf-sm3", "source")
    handle = ring.derive(KeySpec("mac", "hmac-sm3", "k"), source)
    ring.shred(source)
    with pytest.raises(Refused, match="shredded"):
        ring.rotate(handle)
    assert tag_of(ring, handle)


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_shredded_is_not_derived_again(ring: KeyRing, *, whole: bool) -> None:
    spec = KeySpec("mac", "hmac-sm3", "k")
    handle = ring.derive(spec)
    if whole:
        ring.shred(handle)
    else:
        ring.rotate(handle)
        ring.shred(handle, 1)
    with pytest.raises(Refused) as caught:
        ring.derive(spec)
    assert caught.value.findings[0].rule == "crypto.shredded"
    ring.derive(spec, salt=b"another")


def test_a_salt_has_a_limit(ring: KeyRing) -> None:
    with pytest.raises(Malformed, match="salt"):
        ring.derive(KeySpec("mac", "hmac-sm3", "k"), salt=bytes(1025))


def test_a_root_of_another_length() -> None:
    with SecretBuffer(31) as short, pytest.raises(Malformed, match="root"):
        KeyRing(short, Policy("sm"), clock=int)


def test_a_shredded_version_is_not_reached_by_rotating_a_twin(ring: KeyRing) -> None:
    spec = KeySpec("encrypt", "sm4-gcm", "k")
    one, twin = ring.derive(spec), ring.derive(spec)
    for _ in range(2):
        ring.rotate(one)
    ring.shred(one, 2)
    with pytest.raises(Refused) as caught:
        ring.rotate(twin)
    assert caught.value.findings[0].rule == "crypto.shredded"
    assert ring.info(twin).newest.number == 1
