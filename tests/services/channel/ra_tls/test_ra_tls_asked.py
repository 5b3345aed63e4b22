# SPDX-License-Identifier: Apache-2.0
"""A word that serves for a while: only where a policy says so, and for no longer."""

from dataclasses import dataclass, field, replace

import httpx
import pytest

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.client.ra_tls import RaTlsTransport
from strongroom.core.crypto.tls import PROFILES, Setting, TlsConnection, TlsContext
from strongroom.errors import Malformed
from strongroom.services.channel.ra_tls.certificate import Shown, show_enclave
from strongroom.services.channel.ra_tls.connection import (
    ALPN,
    ASKED,
    Endpoint,
    client_end,
    open_end,
    server_end,
)
from strongroom.services.channel.ra_tls.peer import Anybody, Enclave, Introduced, Peer
from strongroom.services.channel.who import anyone
from tests.services.channel.judging import appraisal
from tests.services.channel.ra_tls.ra_tls_world import (
    ANYBODY,
    SECRET,
    VALID,
    Wire,
    accepts_key,
    enclave,
    party,
    report_of,
    serving,
    wire,
)
from tests.services.ra_world import NOW, World

AGE_S = 60


@dataclass
class Clock:
    """Seconds that a test sets."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class Counted:
    """An enclave, and how often it gave its word."""

    world: World
    words: list[bytes] = field(default_factory=list)
    silent: bool = False

    def __post_init__(self) -> None:
        shown = enclave(self.world)
        self.shown = Shown(shown.credential, self.report)

    def report(self, nonce: bytes, user_data: bytes) -> bytes:
        word = report_of(self.world.platform)(nonce, user_data)
        self.words.append(word)
        return b"" if self.silent else word


def accepts(world: World, clock: Clock, age_s: int, remember_s: int = 3600) -> Enclave:
    judge = replace(appraisal(world), clock=clock)
    return Enclave(judge, clock, remember_s, age_s)


def one(world: World, shown: Shown | None, peer: Peer) -> Endpoint:
    return client_end(world.suite_id, shown, peer)


def other(world: World, shown: Shown, peer: Peer | Anybody = ANYBODY) -> Endpoint:
    return server_end(world.suite_id, shown, peer)


def talk(near: Endpoint, far: Endpoint) -> Wire:
    """Open a connection, and say something both ways if it opens."""
    both = wire(near, far).run()
    if not both.errors:
        both.client.send(b"question")
        both.run()
        assert both.server.take() == b"question"
        both.server.send(b"answer")
        both.run()
        assert both.client.take() == b"answer"
    return both


def test_off_by_default(world: World) -> None:
    near, far, clock = Counted(world), Counted(world), Clock()
    peer = Enclave(appraisal(world), clock, 3600)
    assert peer.max_evidence_age_s == 0
    client = one(world, near.shown, peer)
    assert client.setting.alpn == (ALPN,)
    server = other(world, far.shown, peer)
    for count in (1, 2, 3):
        assert not talk(client, server).errors
        assert (len(near.words), len(far.words)) == (count, count)
    assert not peer.heard(far.shown.credential.certificate)


def test_a_word_serves_for_so_long_and_no_longer(world: World) -> None:
    near, far, clock = Counted(world), Counted(world), Clock()
    client = one(world, near.shown, accepts(world, clock, AGE_S))
    server = other(world, far.shown, accepts(world, clock, AGE_S))
    for moment, count in ((0, 1), (0, 1), (59, 1), (60, 2), (61, 2), (120, 3)):
        clock.now = NOW + moment
        both = talk(client, server)
        assert not both.errors
        assert both.client._tls.alpn == ASKED
        assert (len(near.words), len(far.words)) == (count, count)


def test_a_clock_that_goes_back_makes_no_word_younger(world: World) -> None:
    far, clock = Counted(world), Clock()
    client = one(world, None, accepts(world, clock, AGE_S))
    for moment, count in ((10, 1), (9, 2), (9, 2)):
        clock.now = NOW + moment
        assert not talk(client, other(world, far.shown)).errors
        assert len(far.words) == count


def test_each_end_decides_for_itself(world: World) -> None:
    near, far, clock = Counted(world), Counted(world), Clock()
    client = one(world, near.shown, accepts(world, clock, AGE_S))
    server = other(world, far.shown, accepts(world, clock, 0))
    for count in (1, 2, 3):
        assert not talk(client, server).errors
        assert (len(near.words), len(far.words)) == (count, 1)


def test_a_server_spares_no_client_that_does_not_offer_it(world: World) -> None:
    near, far, clock = Counted(world), Counted(world), Clock()
    client = one(world, near.shown, accepts(world, clock, 0))
    server = other(world, far.shown, accepts(world, clock, AGE_S))
    for count in (1, 2):
        assert talk(client, server).client._tls.alpn == ALPN
        assert (len(near.words), len(far.words)) == (count, count)


def test_a_party_without_an_enclave_is_asked_and_says_nothing(world: World) -> None:
    far, clock, mine = Counted(world), Clock(), party(world)
    client = one(world, mine, accepts(world, clock, AGE_S))
    server = other(world, far.shown, accepts_key(world, mine))
    for _ in range(2):
        assert not talk(client, server).errors
        assert len(far.words) == 1


def test_whoever_holds_the_key_is_believed_while_the_word_serves(world: World) -> None:
    """What the policy gives up: an enclave that is gone, or a key that was stolen."""
    far, clock = Counted(world), Clock()
    client = one(world, None, accepts(world, clock, AGE_S))
    assert not talk(client, other(world, far.shown)).errors
    thief = Counted(world, silent=True)
    stolen = other(world, Shown(far.shown.credential, thief.report))
    clock.now = NOW + 59
    assert not talk(client, stolen).errors
    clock.now = NOW + 60
    assert talk(client, stolen).rules["client"] == ["ra-tls.fresh"]


def test_the_word_of_one_key_does_not_serve_for_another(world: World) -> None:
    """The same enclave, another key: its evidence holds, but nobody was heard."""
    far, clock = Counted(world), Clock()
    client = one(world, None, accepts(world, clock, AGE_S))
    assert not talk(client, other(world, far.shown)).errors
    thief = Counted(world, silent=True)
    assert talk(client, other(world, thief.shown)).rules["client"] == ["ra-tls.fresh"]


def test_a_new_certificate_for_the_same_key_has_to_give_its_word(world: World) -> None:
    far, clock = Counted(world), Clock()
    client = one(world, None, accepts(world, clock, AGE_S))
    assert not talk(client, other(world, far.shown)).errors
    key, platform = far.shown.credential.key, world.platform
    whole = platform.evidence(b"a nonce of the host's")
    again = show_enclave(world.suite_id, whole, report_of(platform), VALID, key)
    silent = other(world, Shown(again.credential, lambda *_: b""))
    assert talk(client, silent).rules["client"] == ["ra-tls.fresh"]


def test_a_man_without_the_key_gains_nothing_by_a_word_that_serves(
    world: World,
) -> None:
    """He plays the handshake of a moment ago back, or shows a key of his own."""
    far, clock, recorded = Counted(world), Clock(), list[bytes]()
    client = one(world, None, accepts(world, clock, AGE_S))
    server = other(world, far.shown)

    def record(data: bytes) -> bytes:
        recorded.append(data)
        return data

    for _ in range(2):
        recorded.clear()
        first = wire(client, server)
        first.to_client = record
        assert first.run().client.is_open
    again, played = wire(client, server), iter(recorded)
    again.to_client = lambda _: next(played, b"")
    assert again.run().rules["client"] == ["tls.handshake"]
    his = other(world, party(world))
    assert talk(client, his).rules["client"] == ["ra-tls.evidence"]


def test_a_word_about_another_connection_is_refused_and_serves_for_none(
    world: World,
) -> None:
    far, clock = Counted(world), Clock()
    spare = accepts(world, clock, AGE_S)
    client = one(world, None, spare)
    assert not talk(
        one(world, None, accepts(world, clock, 0)), other(world, far.shown)
    ).errors
    relayed = Shown(far.shown.credential, lambda *_: far.words[0])
    for _ in range(2):
        refused = talk(client, other(world, relayed)).rules["client"]
        assert set(refused) == {"app.nonce", "app.user_data"}
        assert not spare.heard(far.shown.credential.certificate)


def test_dates_are_looked_at_while_a_word_serves(world: World) -> None:
    far, clock = Counted(world), Clock(VALID[1])
    client = one(world, None, accepts(world, clock, AGE_S))
    server = other(world, far.shown)
    assert not talk(client, server).errors
    clock.now += 1
    assert talk(client, server).rules["client"] == ["ra-tls.dates"]


def test_a_certificate_that_is_looked_at_again_has_to_give_its_word(
    world: World,
) -> None:
    far, clock = Counted(world), Clock()
    client = one(world, None, accepts(world, clock, AGE_S, remember_s=AGE_S))
    server = other(world, far.shown)
    for moment, count in ((0, 1), (59, 1), (60, 2)):
        clock.now = NOW + moment
        assert not talk(client, server).errors
        assert len(far.words) == count


@pytest.mark.parametrize(("age_s", "remember_s"), [(-1, 60), (61, 60), (1, 0)])
def test_a_word_serves_no_longer_than_its_certificate(
    world: World, age_s: int, remember_s: int
) -> None:
    with pytest.raises(Malformed):
        accepts(world, Clock(), age_s, remember_s)


def test_a_served_app_learns_who_comes_and_spares_its_own_word(world: World) -> None:
    far, clock, mine = Counted(world), Clock(), party(world)
    client = one(world, mine, accepts(world, clock, AGE_S))
    server = open_end(world.suite_id, far.shown, Introduced(anyone, clock), None)
    for _ in range(2):
        both = talk(client, server)
        assert not both.errors
        assert both.server.caller.kind == "tls"
        assert len(far.words) == 1


def test_http_over_sockets_where_a_word_serves(world: World) -> None:
    near, far, clock = Counted(world), Counted(world), Clock()
    client = one(world, near.shown, accepts(world, clock, AGE_S))
    server = other(world, far.shown, accepts(world, clock, 0))
    with serving(server) as (port, refused):
        for count in (1, 2):
            with httpx.Client(transport=RaTlsTransport(client), timeout=5) as session:
                assert session.get(f"https://127.0.0.1:{port}/").content == SECRET
            assert (len(near.words), len(far.words)) == (count, 1)
    assert refused == []


class Bare:
    """A client of TLS that says what it likes after the handshake."""

    def __init__(self, world: World, server: Endpoint, alpn: str) -> None:
        profile = PROFILES[world.suite_id]
        setting = Setting(profile, is_server=False, alpn=(alpn,))
        shown = enclave(world).credential
        self.tls: TlsConnection = TlsContext(setting, shown).connection()
        self.server = server.connection()
        while not self.tls.handshake():
            self._carry()

    def _carry(self) -> None:
        self.server.feed(self.tls.outgoing())
        self.tls.feed(self.server.outgoing())

    def say(self, data: bytes) -> None:
        self.tls.write(data)
        self._carry()


@pytest.mark.parametrize("said", [b"\x02", b"\xff", b"GET / HTTP/1.1\r\n\r\n"])
def test_an_answer_that_is_neither_ends_the_connection(
    world: World, said: bytes
) -> None:
    server = other(world, enclave(world), accepts(world, Clock(), AGE_S))
    bare = Bare(world, server, ASKED)
    with pytest.raises(Malformed, match="neither"):
        bare.say(said)
    assert not bare.server.is_open


def test_nothing_is_delivered_of_a_client_that_was_asked_and_gave_none(
    world: World,
) -> None:
    server = other(world, enclave(world), accepts(world, Clock(), AGE_S))
    bare = Bare(world, server, ASKED)
    bare.say(b"\x00")
    assert not bare.server.is_open
    assert bare.server.take() == b""
    with pytest.raises(Malformed):
        bare.say(b"application data, as if it had been accepted")
    assert bare.server.take() == b""
