# SPDX-License-Identifier: Apache-2.0
"""Key agreement between two rings: the same key, bound to both sides, used once."""

import threading

import pytest

from strongroom.errors import Malformed, Refused, Tampered
from strongroom.services import crypto
from strongroom.services.crypto import Handle, KeyRing, KeySpec, PublicKey, Sm2Side, Tag
from tests.services.crypto.ring_world import ENVELOPE, MakeRing

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


def test_a_passing_key_serves_one_of_two_threads(
    make_ring: MakeRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = Side(make_ring(), b"ALICE"), Side(make_ring(), b"BOB")
    shown, shred, outcomes = b.shown, KeyRing.shred, list[object]()

    def second() -> None:
        try:
            outcomes.append(a.agree(shown, initiator=True))
        except Refused as error:
            outcomes.append(error)

    other = threading.Thread(target=second)

    def shred_late(ring: KeyRing, handle: Handle) -> None:
        monkeypatch.setattr(KeyRing, "shred", shred)
        other.start()
        other.join(0.3)
        ring.shred(handle)

    monkeypatch.setattr(KeyRing, "shred", shred_late)
    a.agree(shown, initiator=True)
    other.join()
    assert [type(each) for each in outcomes] == [Refused]


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


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_encapsulation_gives_both_sides_one_key(
    make_ring: MakeRing, suite_id: str
) -> None:
    here, there = make_ring(suite_id), make_ring(suite_id)
    name = "hmac-sm3" if suite_id == "sm" else "hmac-sha384"
    key = there.generate("agree", ENVELOPE[suite_id], "k")
    mine, box = crypto.encapsulate(here, there.public(key), "session")
    there.rotate(key)
    theirs = crypto.decapsulate(there, key, box, "session")
    other, _ = crypto.encapsulate(here, there.public(key), "session")
    assert tag_under(here, mine, name) == tag_under(there, theirs, name)
    assert tag_under(here, other, name) != tag_under(here, mine, name)
    assert (
        here.info(mine).newest.origin == there.info(theirs).newest.origin == "derived"
    )


@pytest.mark.parametrize("suite_id", ["sm", "intl"])
def test_encapsulation_to_another_or_altered_gives_no_key(
    make_ring: MakeRing, suite_id: str
) -> None:
    ring = make_ring(suite_id)
    key, other = (ring.generate("agree", ENVELOPE[suite_id], "k") for _ in range(2))
    _, box = crypto.encapsulate(ring, ring.public(key), "session")
    before = ring.inventory()
    for at in range(0, len(box), 40):
        altered = bytearray(box)
        altered[at] ^= 1
        with pytest.raises(Tampered):
            crypto.decapsulate(ring, key, bytes(altered), "session")
    sealed = crypto.seal_envelope(ring, ring.public(key), b"data", b"info")
    for handle, given in ((other, box), (key, box[:-1]), (key, b""), (key, sealed)):
        with pytest.raises(Tampered):
            crypto.decapsulate(ring, handle, given, "session")
    assert ring.inventory() == before


def test_encapsulation_is_to_a_key_that_agrees(ring: KeyRing) -> None:
    opener = ring.generate("encrypt", "hpke-sm2", "k")
    _, box = crypto.encapsulate(ring, ring.public(opener), "session")
    with pytest.raises(Refused) as caught:
        crypto.decapsulate(ring, opener, box, "session")
    assert caught.value.findings[0].rule == "crypto.purpose"
    with pytest.raises(Tampered):
        crypto.open_envelope(ring, opener, box, b"session")
    signer = ring.public(ring.generate("sign", "sm2-sm3", "k"))
    with pytest.raises(Refused, match="encapsulate"):
        crypto.encapsulate(ring, signer, "session")
    exchange = ring.generate("agree", "sm2-exchange", "k")
    with pytest.raises(Refused, match="envelopes"):
        crypto.decapsulate(ring, exchange, box, "session")
