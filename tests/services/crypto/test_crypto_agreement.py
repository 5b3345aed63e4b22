# SPDX-License-Identifier: Apache-2.0
"""Key agreement between two rings: the same key, bound to both sides, used once."""

import pytest

from strongroom.errors import Malformed, Refused, Tampered
from strongroom.services import crypto
from strongroom.services.crypto import Handle, KeyRing, KeySpec, PublicKey, Sm2Side, Tag
from tests.services.crypto.ring_world import MakeRing

KEY_OF_ZEROS = PublicKey("x25519", bytes(32))


def tag_under(ring: KeyRing, agreed: Handle, name: str) -> bytes:
    """Return an HMAC under a key derived from an agreed one."""
    key = ring.derive(KeySpec("mac", name, "session"), agreed)
    return Tag.from_bytes(crypto.mac(ring, key, b"message")).value


def test_x25519_gives_both_sides_one_key(make_ring: MakeRing) -> None:
    a, b, c = (make_ring("intl") for _ in range(3))
    key_a, key_b, key_c = (ring.generate("agree", "x25519", "k") for ring in (a, b, c))
    at_a = crypto.agree(a, key_a, b.public(key_b), "with b")
    at_b = crypto.agree(b, key_b, a.public(key_a), "with a")
    at_c = crypto.agree(c, key_c, a.public(key_a), "with a")
    info = a.info(at_a)
    assert (info.spec.purpose, info.spec.algorithm) == ("derive", "hkdf-sha384")
    assert info.newest.origin == "derived"
    tags = [
        tag_under(ring, handle, "hmac-sha256")
        for ring, handle in ((a, at_a), (b, at_b), (c, at_c))
    ]
    assert tags[0] == tags[1] != tags[2]


def test_an_agreed_key_cannot_rotate_alone(make_ring: MakeRing) -> None:
    ring = make_ring("intl")
    own, peer = (ring.generate("agree", "x25519", "k") for _ in range(2))
    agreed = crypto.agree(ring, own, ring.public(peer), "k")
    with pytest.raises(Refused) as caught:
        ring.rotate(agreed)
    assert caught.value.findings[0].rule == "crypto.rotation"


@pytest.mark.parametrize(
    "peer",
    [
        KEY_OF_ZEROS,
        PublicKey("x25519", bytes(31)),
        PublicKey("ed25519", bytes(32)),
        PublicKey("rot13", bytes(32)),
    ],
    ids=["small order", "short", "another algorithm", "no algorithm"],
)
def test_peers_that_are_no_x25519_key(make_ring: MakeRing, peer: PublicKey) -> None:
    ring = make_ring("intl")
    own = ring.generate("agree", "x25519", "k")
    with pytest.raises(Malformed):
        crypto.agree(ring, own, peer, "k")
    assert len(ring.inventory()) == 1


def test_x25519_in_suite_sm_needs_what_it_gives_as_well(make_ring: MakeRing) -> None:
    ring = make_ring("sm", {"x25519": "a foreign peer"})
    own, peer = (ring.generate("agree", "x25519", "k") for _ in range(2))
    with pytest.raises(Refused, match="hkdf-sha384"):
        crypto.agree(ring, own, ring.public(peer), "k")


class Side:
    """One side of an SM2 exchange: a ring, a lasting and a passing key."""

    def __init__(self, ring: KeyRing, identity: bytes) -> None:
        self.ring, self.identity = ring, identity
        self.own = ring.generate("agree", "sm2-exchange", "own")
        self.once = ring.generate("agree", "sm2-exchange", "once")

    @property
    def shown(self) -> Sm2Side:
        """What the other side gets to see."""
        return Sm2Side(
            self.ring.public(self.own), self.ring.public(self.once), self.identity
        )

    def agree(self, peer: Sm2Side, *, initiator: bool) -> crypto.Agreed:
        """Run the exchange on this side."""
        return crypto.agree_sm2(
            self.ring,
            self.own,
            self.once,
            peer,
            "agreed",
            initiator=initiator,
            identity=self.identity,
        )


def test_sm2_gives_both_sides_one_key_and_confirms_it(make_ring: MakeRing) -> None:
    a, b = Side(make_ring(), b"ALICE"), Side(make_ring(), b"BOB")
    shown_a, shown_b = a.shown, b.shown
    at_a, at_b = a.agree(shown_b, initiator=True), b.agree(shown_a, initiator=False)
    key_a = crypto.confirm(a.ring, at_a, at_b.send)
    key_b = crypto.confirm(b.ring, at_b, at_a.send)
    assert tag_under(a.ring, key_a, "hmac-sm3") == tag_under(b.ring, key_b, "hmac-sm3")
    with pytest.raises(Refused, match="shredded"):
        a.agree(shown_b, initiator=True)


def test_a_wrong_confirmation_shreds_the_key(make_ring: MakeRing) -> None:
    a, b = Side(make_ring(), b"ALICE"), Side(make_ring(), b"BOB")
    stranger = Side(make_ring(), b"BOB")
    shown_a = a.shown
    at_a = a.agree(b.shown, initiator=True)
    at_stranger = stranger.agree(shown_a, initiator=False)
    with pytest.raises(Tampered) as caught:
        crypto.confirm(a.ring, at_a, at_stranger.send)
    assert caught.value.findings[0].rule == "crypto.confirmation"
    assert a.ring.info(at_a.key).shredded


def test_what_is_no_sm2_exchange(make_ring: MakeRing) -> None:
    ring = make_ring("sm", {"x25519": "test", "hkdf-sha384": "test"})
    side = Side(ring, b"A")
    shown = side.shown
    foreign = ring.generate("agree", "x25519", "k")
    with pytest.raises(Malformed, match="used once"):
        crypto.agree_sm2(ring, side.own, side.own, shown, "k", initiator=True)
    with pytest.raises(Refused, match="SM2 exchange"):
        crypto.agree_sm2(ring, foreign, side.once, shown, "k", initiator=True)
    with pytest.raises(Refused, match="X25519"):
        crypto.agree(ring, side.own, shown.public, "k")
    for peer in (
        Sm2Side(ring.public(foreign), shown.ephemeral),
        Sm2Side(shown.public, PublicKey("sm2-exchange", b"\x04" + bytes(64))),
        Sm2Side(shown.public, shown.ephemeral, bytes(8192)),
    ):
        with pytest.raises(Malformed):
            side.agree(peer, initiator=True)
    assert not ring.info(side.once).shredded
