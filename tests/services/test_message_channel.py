# SPDX-License-Identifier: Apache-2.0
"""The message channel and each thing that the path between may try (STANDARD 7.5)."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.codec.permits import Caller
from strongroom.core.crypto import SigningKey, suite
from strongroom.errors import (
    Conflict,
    LimitReached,
    Malformed,
    NotFound,
    Refused,
    StrongroomError,
    Tampered,
    Untrusted,
)
from strongroom.services.channel import (
    ChannelAgent,
    ChannelService,
    Conversation,
    listed,
    service as service_module,
    signed_by,
)
from strongroom.services.channel.handshake import Finish, Hello, Offer
from strongroom.services.channel.records import REKEY_EVERY, Direction
from strongroom.services.channel.service import MAX_WAITING
from strongroom.services.channel.who import anyone

each_suite = pytest.mark.parametrize("suite_id", ["sm", "intl"])


def key(suite_id: str) -> SigningKey:
    """Return a fresh signing key."""
    row = suite(suite_id)
    return row.signing_key(os.urandom(row.sign_seed_bytes))


@dataclass
class World:
    """An app whose evidence its monitor signs, and a client that knows the monitor."""

    suite_id: str
    clients: tuple[SigningKey, ...] | None = None
    monitor: SigningKey = field(init=False)
    service: ChannelService = field(init=False)

    def __post_init__(self) -> None:
        self.monitor = key(self.suite_id)
        public = [each.public for each in self.clients or ()]
        admit = anyone if self.clients is None else listed(public)
        self.service = ChannelService(self.suite_id, os.urandom, self.report, admit)

    def report(self, nonce: bytes, user_data: bytes) -> bytes:
        """Return evidence: a signed statement, as a monitor gives one."""
        return nonce + user_data + self.monitor.sign(nonce + user_data)

    def verify(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        """Judge evidence as a client does."""
        size = len(nonce + user_data)
        said, signature = evidence[:size], evidence[size:]
        self.monitor.public.verify(signature, said)
        if said != nonce + user_data:
            raise Untrusted.because(
                "app.user-data",
                "client",
                expected="this offer",
                got="another",
                remedy="Ask again.",
            )

    def agent(self, identity: SigningKey | None = None) -> ChannelAgent:
        """Return a client's agent."""
        prove = signed_by(identity) if identity else None
        return ChannelAgent(self.suite_id, os.urandom, self.verify, prove)

    def open(
        self, identity: SigningKey | None = None
    ) -> tuple[Conversation, Conversation]:
        """Open a channel: the client's end and the service's."""
        agent = self.agent(identity)
        session, finish, mine = agent.finish(self.service.offer(agent.hello()))
        self.service.finish(session, finish)
        return mine, self.service.session(session).conversation


def rule(act: Callable[[], object]) -> str:
    """Return the rule that refuses."""
    with pytest.raises(Refused) as refusal:
        act()
    return refusal.value.findings[0].rule


@each_suite
def test_what_one_side_sends_the_other_receives(suite_id: str) -> None:
    client, service = World(suite_id).open()
    for data in (b"", b"question", os.urandom(1 << 20)):
        record = client.send(data)
        assert data == b"" or data not in record
        assert service.receive(record) == data
        assert client.receive(service.send(data[::-1])) == data[::-1]


@each_suite
def test_a_key_put_into_the_offer_by_the_path_is_refused(suite_id: str) -> None:
    world = World(suite_id)
    agent = world.agent()
    offer = Offer.from_bytes(world.service.offer(agent.hello()))
    row = suite(suite_id)
    thief = row.kem_key(os.urandom(row.kem_seed_bytes)).public.raw
    for changed in (
        replace(offer, public=thief),
        replace(offer, nonce=bytes(32)),
        replace(offer, session=bytes(32)),
    ):
        assert rule(lambda: agent.finish(changed.to_bytes())) == "app.user-data"  # noqa: B023


@each_suite
def test_evidence_of_an_older_handshake_is_refused(suite_id: str) -> None:
    world = World(suite_id)
    old = world.service.offer(world.agent().hello())
    assert rule(lambda: world.agent().finish(old)) == "app.user-data"


@each_suite
def test_an_app_that_the_client_does_not_want_is_refused(suite_id: str) -> None:
    world, other = World(suite_id), World(suite_id)
    agent = world.agent()
    answer = other.service.offer(agent.hello())
    assert rule(lambda: agent.finish(answer)) == "signature"


def test_another_suite_is_refused_and_none_is_negotiated() -> None:
    world = World("intl")
    hello = Hello("sm", bytes(32)).to_bytes()
    assert rule(lambda: world.service.offer(hello)) == "channel.suite"
    agent = ChannelAgent("sm", os.urandom, world.verify)
    downgraded = Hello.from_bytes(agent.hello())
    answer = world.service.offer(replace(downgraded, suite="intl").to_bytes())
    with pytest.raises(Refused):
        agent.finish(answer)


@each_suite
def test_a_finish_counts_once_and_for_its_offer_only(suite_id: str) -> None:
    world = World(suite_id)
    agent, other = world.agent(), world.agent()
    session, finish, _ = agent.finish(world.service.offer(agent.hello()))
    elsewhere = Offer.from_bytes(world.service.offer(other.hello())).session
    with pytest.raises(Tampered):
        world.service.finish(elsewhere, finish)
    world.service.finish(session, finish)
    for again in (session, elsewhere, bytes(32)):
        with pytest.raises(NotFound):
            world.service.finish(again, finish)
    with pytest.raises(Conflict):
        agent.finish(world.service.offer(agent.hello()))


@each_suite
def test_an_altered_finish_opens_nothing(suite_id: str) -> None:
    world = World(suite_id)
    for at in range(0, 200, 23):
        agent = world.agent()
        session, finish, mine = agent.finish(world.service.offer(agent.hello()))
        whole = Finish.from_bytes(finish)
        box = bytearray(whole.box)
        box[at % len(box)] ^= 1
        with pytest.raises(StrongroomError):
            world.service.finish(session, replace(whole, box=bytes(box)).to_bytes())
        assert mine.send(b"into the void")


@each_suite
@pytest.mark.parametrize("trick", ["flip", "drop", "repeat", "swap", "reflect", "cut"])
def test_a_record_that_is_not_the_next_ends_the_channel(
    suite_id: str, trick: str
) -> None:
    client, service = World(suite_id).open()
    first, second = client.send(b"first"), client.send(b"second")
    tricked = {
        "flip": first[:-1] + bytes([first[-1] ^ 1]),
        "drop": second,
        "repeat": first,
        "swap": second,
        "reflect": service.send(b"first"),
        "cut": first[:-5],
    }[trick]
    if trick == "repeat":
        assert service.receive(first) == b"first"
    assert rule(lambda: service.receive(tricked)) == "channel.record"
    assert not service.is_open
    with pytest.raises(Conflict):
        service.receive(first)
    with pytest.raises(Conflict):
        service.send(b"more")


@each_suite
def test_records_of_another_channel_do_not_open(suite_id: str) -> None:
    world = World(suite_id)
    client, _ = world.open()
    _, service = world.open()
    assert rule(lambda: service.receive(client.send(b"x"))) == "channel.record"


@each_suite
def test_an_end_is_spoken_and_nothing_follows_it(suite_id: str) -> None:
    client, service = World(suite_id).open()
    assert service.receive(client.close()) is None
    with pytest.raises(Conflict):
        client.send(b"x")
    with pytest.raises(Conflict):
        service.receive(b"\0" + bytes(40))


@each_suite
def test_the_type_of_a_record_is_authentic(suite_id: str) -> None:
    client, service = World(suite_id).open()
    record = client.send(b"")
    assert rule(lambda: service.receive(b"\1" + record[1:])) == "channel.record"


@each_suite
def test_only_clients_on_the_list_open_a_channel(suite_id: str) -> None:
    friend, stranger = key(suite_id), key(suite_id)
    world = World(suite_id, (friend,))
    agent = world.agent(friend)
    session, finish, _ = agent.finish(world.service.offer(agent.hello()))
    world.service.finish(session, finish)
    assert world.service.session(session).client == Caller("key", friend.public.key_id)
    for identity in (stranger, None):
        assert rule(lambda: world.open(identity)) == "channel.client"  # noqa: B023


@each_suite
def test_another_handshakes_signature_is_refused(suite_id: str) -> None:
    friend = key(suite_id)
    world = World(suite_id, (friend,))
    agent = world.agent(friend)
    _, old, _ = agent.finish(world.service.offer(agent.hello()))
    fresh = world.agent()
    session, finish, _ = fresh.finish(world.service.offer(fresh.hello()))
    stolen = replace(
        Finish.from_bytes(finish), client=Finish.from_bytes(old).client
    ).to_bytes()
    assert rule(lambda: world.service.finish(session, stolen)) == "channel.client"


def test_keys_change_after_so_many_records_on_both_sides() -> None:
    row = suite("intl")
    ours, theirs = (Direction(row, bytes(32), bytes(32)) for _ in range(2))
    before = ours._secret
    for number in range(REKEY_EVERY + 2):
        assert theirs.open(ours.seal(b"%d" % number)) == (0, b"%d" % number)
    assert ours._secret == theirs._secret != before


def test_who_opens_channels_and_says_nothing_keeps_nobody_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service_module, "MAX_SESSIONS", 3)
    world = World("intl")

    def opened() -> bytes:
        agent = world.agent()
        session, finish, _ = agent.finish(world.service.offer(agent.hello()))
        world.service.finish(session, finish)
        return session

    speaks = opened()
    silent = [opened() for _ in range(2)]
    world.service.session(speaks)
    more = [opened() for _ in range(2)]
    for each in (speaks, *more):
        world.service.session(each)
    for each in silent:
        with pytest.raises(NotFound):
            world.service.session(each)


def test_the_oldest_offer_that_nobody_finished_is_forgotten() -> None:
    world = World("intl")
    agents = [world.agent() for _ in range(MAX_WAITING + 1)]
    offers = [world.service.offer(agent.hello()) for agent in agents]
    for at in (-1, 1, 0):
        session, finish, _ = agents[at].finish(offers[at])
        if at:
            world.service.finish(session, finish)
            continue
        with pytest.raises(NotFound):
            world.service.finish(session, finish)


def test_a_record_has_a_size() -> None:
    client, _ = World("intl").open()
    with pytest.raises(LimitReached):
        client.send(bytes((12 << 20) + 1))


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_bytes_of_a_stranger_are_refused_in_kind(data: bytes) -> None:
    world = World("intl")
    with pytest.raises(Malformed):
        world.service.offer(data)
    with pytest.raises(Malformed):
        world.agent().finish(data)
    _, service = world.open()
    with pytest.raises(StrongroomError):
        service.receive(data)
