# SPDX-License-Identifier: Apache-2.0
"""Two enclaves of one device prove themselves to each other and talk (ISO-2, 7.1b)."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.application.sdk.calls import decode_answer_as, encode_answer
from strongroom.application.sdk.outside import OutsideServices
from strongroom.application.sdk.remote import RemoteServices
from strongroom.core.codec.bundle import Bundle, EntryPoint, OutputRule, Parameter
from strongroom.core.crypto import SigningKey, VerifyingKey, suite
from strongroom.errors import Refused, StrongroomError
from strongroom.node.roots import Root
from strongroom.services.channel import ChannelAgent
from strongroom.services.channel.handshake import Finish, Offer
from tests.integration.machine import Machine

SOURCE = b"""
PEERS = {}

def ask(services, enclave, text):
    if enclave not in PEERS:
        PEERS[enclave] = services.connect(bytes.fromhex(enclave))
    return PEERS[enclave].call("answer", text=text)

def answer(services, text):
    return text.upper()

def hang_up(services, enclave):
    PEERS[enclave].close()
    return "closed"

def forget(services, enclave):
    del PEERS[enclave]
"""
_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
_TEXT, _ENCLAVE = (Parameter(name, "text", many=False) for name in ("text", "enclave"))
ENTRIES = [
    EntryPoint("answer", "main:answer", (_TEXT,), _OUTPUT).to_value(),
    EntryPoint("ask", "main:ask", (_ENCLAVE, _TEXT), _OUTPUT).to_value(),
    EntryPoint("forget", "main:forget", (_ENCLAVE,), _OUTPUT).to_value(),
    EntryPoint("hang_up", "main:hang_up", (_ENCLAVE,), _OUTPUT).to_value(),
]


@pytest.fixture(scope="module", params=["sm", "intl"])
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("peers") / "m"
    made = Machine(folder, str(request.param), Root())
    with made.start():
        yield made


def app(
    machine: Machine,
    name: str,
    *peers: str,
    signer: SigningKey | None = None,
    callers: Sequence[str] = (),
) -> Bundle:
    """Return an app that may talk to `peers`; `callers` may call `answer`, or all."""
    lists = [{"command": "answer", "callers": list(callers)}] if callers else []
    return machine.bundle(
        SOURCE,
        signer=signer,
        name=name,
        peers=list(peers),
        entry_points=ENTRIES,
        callers=lists,
    )


def both(machine: Machine) -> tuple[Bundle, Bundle]:
    """Return a teller and a vault that declare each other."""
    return app(machine, "teller", "vault"), app(machine, "vault", "teller")


class Pair:
    """Two enclaves on one machine; the ordinary side relays what they say."""

    def __init__(
        self, machine: Machine, one: Bundle, other: Bundle, *signers: VerifyingKey
    ) -> None:
        self.isolation = machine.connect()
        self.services = OutsideServices(self.isolation, machine.policy(*signers))
        self.services.create(one.to_bytes())
        self.other = self.services.create(other.to_bytes())
        self.relayed: list[bytes] = []

    def ask(self, text: str) -> object:
        """Have the first ask the second."""
        return self.services.call("ask", enclave=self.other.hex(), text=text)

    def close(self) -> None:
        """Destroy both."""
        self.services.close()
        self.isolation.close()


def rule(pair: Pair) -> str:
    """Return the rule that keeps the two apart."""
    with pytest.raises(Refused) as refusal:
        pair.ask("hello")
    pair.close()
    return refusal.value.findings[0].rule


def test_two_that_declare_each_other_talk_and_hang_up(machine: Machine) -> None:
    pair = Pair(
        machine, app(machine, "teller", "vault"), app(machine, "vault", "teller")
    )
    assert pair.ask("open") == "OPEN"
    assert pair.ask("again") == "AGAIN"
    enclave = pair.other.hex()
    assert pair.services.call("hang_up", enclave=enclave) == "closed"
    with pytest.raises(StrongroomError):
        pair.ask("after the end")
    pair.close()


def test_a_peer_may_be_named_by_measurement(machine: Machine) -> None:
    vault = app(machine, "vault", "teller")
    teller = app(machine, "teller", vault.manifest.measurement.hex())
    pair = Pair(machine, teller, vault)
    assert pair.ask("open") == "OPEN"
    pair.close()


def test_one_that_is_not_declared_by_either_side_is_refused(machine: Machine) -> None:
    vault, stranger = app(machine, "vault", "teller"), app(machine, "stranger", "vault")
    assert rule(Pair(machine, app(machine, "teller"), vault)) == "resource.peer"
    assert rule(Pair(machine, stranger, vault)) == "resource.peer"


def test_the_ordinary_side_sees_ciphertext_and_cannot_change_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(
        machine, app(machine, "teller", "vault"), app(machine, "vault", "teller")
    )
    relay, tricks = pair.services._relay, list[bytes]()

    def watched(peer: bytes, message: dict[str, object]) -> bytes:
        answer = relay(peer, message)
        pair.relayed.append(answer)
        if tricks:
            return answer[:-1] + bytes([answer[-1] ^ 1])
        return answer

    monkeypatch.setattr(pair.services, "_relay", watched)
    assert pair.ask("planted words") == "PLANTED WORDS"
    assert not any(b"planted" in each.lower() for each in pair.relayed)
    tricks.append(b"flip")
    with pytest.raises(StrongroomError):
        pair.ask("changed on the way")
    pair.close()


def test_an_enclave_of_another_device_is_refused(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Machine(tmp_path / "other", machine.suite_id, Root())
    other.provider = machine.provider
    with other.start():
        here = Pair(machine, *both(machine))
        there = Pair(
            other, app(other, "teller", "vault"), app(other, "vault", "teller")
        )

        def swapped(peer: bytes, message: dict[str, object]) -> bytes:
            del peer
            return there.services._relay(there.other, message)

        monkeypatch.setattr(here.services, "_relay", swapped)
        assert rule(here) == "app.signature"
        there.close()


Message = dict[str, object]
Relayed = Callable[[bytes, Message], bytes]


def relayed_by(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, path: Callable[[Relayed], Relayed]
) -> None:
    """Put `path`, a dishonest ordinary side, between the two."""
    monkeypatch.setattr(pair.services, "_relay", path(pair.services._relay))


def forgets_its_peers(pair: Pair) -> None:
    """Have the next question open a new channel."""
    pair.services.call("hang_up", enclave=pair.other.hex())
    pair.services.call("forget", enclave=pair.other.hex())


def test_a_key_that_the_path_puts_into_the_offer_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = suite(machine.suite_id)
    thief = row.kem_key(os.urandom(row.kem_seed_bytes)).public.raw
    pair = Pair(machine, *both(machine))

    def swap(honest: Relayed) -> Relayed:
        def path(peer: bytes, message: Message) -> bytes:
            answer = honest(peer, message)
            if "hello" not in message:
                return answer
            said = decode_answer_as(answer, bytes)
            offer = replace(Offer.from_bytes(said), public=thief)
            return encode_answer(offer.to_bytes())

        return path

    relayed_by(pair, monkeypatch, swap)
    assert rule(pair) == "peer.evidence"


def test_an_offer_of_an_older_handshake_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, offers = Pair(machine, *both(machine)), list[bytes]()

    def play_back(honest: Relayed) -> Relayed:
        def path(peer: bytes, message: Message) -> bytes:
            if "hello" in message:
                offers.append(honest(peer, message))
                return offers[0]
            return honest(peer, message)

        return path

    relayed_by(pair, monkeypatch, play_back)
    assert pair.ask("open") == "OPEN"
    forgets_its_peers(pair)
    assert rule(pair) == "peer.evidence"


def test_the_proof_of_an_older_handshake_opens_no_channel(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is called looks as well: mutual (7.1b a)."""
    pair, proofs = Pair(machine, *both(machine)), list[bytes]()

    def play_back(honest: Relayed) -> Relayed:
        def path(peer: bytes, message: Message) -> bytes:
            said = message.get("finish")
            if isinstance(said, bytes):
                finish = Finish.from_bytes(said)
                proofs.append(finish.client)
                stolen = replace(finish, client=proofs[0]).to_bytes()
                return honest(peer, {**message, "finish": stolen})
            return honest(peer, message)

        return path

    relayed_by(pair, monkeypatch, play_back)
    assert pair.ask("open") == "OPEN"
    forgets_its_peers(pair)
    assert rule(pair) == "peer.evidence"


def test_another_enclave_of_the_same_app_does_not_stand_in(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller, vault = both(machine)
    pair = Pair(machine, teller, vault)
    twin = pair.services.create(vault.to_bytes())

    def reroute(honest: Relayed) -> Relayed:
        return lambda _, message: honest(twin, message)

    relayed_by(pair, monkeypatch, reroute)
    assert rule(pair) == "peer.evidence"


@pytest.mark.parametrize("trick", ["repeat", "swap back"])
def test_a_record_between_enclaves_counts_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, trick: str
) -> None:
    """Sequence numbers: what was said cannot be said again, nor an old answer given."""
    pair, said = Pair(machine, *both(machine)), list[tuple[Message, bytes]]()

    def play_back(honest: Relayed) -> Relayed:
        def path(peer: bytes, message: Message) -> bytes:
            if "record" not in message or not said:
                answer = honest(peer, message)
                if "record" in message:
                    said.append((message, answer))
                return answer
            if trick == "repeat":
                return honest(peer, said[0][0])
            return said[0][1]

        return path

    relayed_by(pair, monkeypatch, play_back)
    with pytest.raises(Refused) as refusal:
        pair.ask("open")  # names of entry points first, then the question
    assert refusal.value.findings[0].rule == "channel.record"
    pair.close()


def test_an_app_without_proof_is_anybody_to_a_peer(machine: Machine) -> None:
    """Who has not proved what it is gets what anybody gets, and no more."""
    vault = app(machine, "vault", "teller", callers=["app:teller"])
    pair = Pair(machine, app(machine, "teller", "vault"), vault)
    assert pair.ask("open") == "OPEN"
    with machine.fresh(pair.isolation, vault) as alone:
        agent = ChannelAgent(machine.suite_id, os.urandom, lambda *_: None)
        remote = RemoteServices(agent, alone)
        with pytest.raises(Refused) as refusal:
            remote.call("answer", text="open")
    assert refusal.value.findings[0].rule == "command.caller"
    pair.close()


def test_a_product_is_one_of_the_own_signer(machine: Machine) -> None:
    """Anybody may call an app `vault`: the name counts among apps of one signer."""
    stranger = machine.key()
    signers = (machine.provider.signing.public, stranger.public)
    vault = app(machine, "vault", "teller", signer=stranger)
    teller = app(machine, "teller", "vault")
    assert rule(Pair(machine, teller, vault, *signers)) == "resource.peer"


def test_a_caller_is_a_product_of_the_own_signer(machine: Machine) -> None:
    """The impostor looks at nobody itself, and the vault talks to it by measurement."""
    stranger = machine.key()
    signers = (machine.provider.signing.public, stranger.public)
    careless = b"""
def ask(services, enclave, text):
    services._peers.check = lambda *_: None
    return services.connect(bytes.fromhex(enclave)).call("answer", text=text)
"""
    impostor = machine.bundle(
        SOURCE + careless, signer=stranger, name="teller", entry_points=ENTRIES
    )
    measured = impostor.manifest.measurement.hex()
    vault = app(machine, "vault", measured, callers=["app:teller"])
    assert rule(Pair(machine, impostor, vault, *signers)) == "command.caller"
    vault = app(machine, "vault", measured, callers=[f"app:{measured}"])
    pair = Pair(machine, impostor, vault, *signers)
    assert pair.ask("open") == "OPEN"
    pair.close()


def test_apps_of_two_signers_name_each_other_with_their_signers(
    machine: Machine,
) -> None:
    bank, hospital = machine.key(), machine.key()
    signers = (bank.public, hospital.public)
    theirs, ours = (each.key_id.hex() for each in (hospital.public, bank.public))
    vault = app(
        machine,
        "vault",
        f"teller@{ours}",
        signer=hospital,
        callers=[f"app:teller@{ours}"],
    )
    teller = app(machine, "teller", f"vault@{theirs}", signer=bank)
    pair = Pair(machine, teller, vault, *signers)
    assert pair.ask("open") == "OPEN"
    pair.close()
    other = app(machine, "teller", f"vault@{ours}", signer=bank)
    assert rule(Pair(machine, other, vault, *signers)) == "resource.peer"
    false = app(machine, "teller", f"vault@{theirs}", signer=hospital)
    assert rule(Pair(machine, false, vault, *signers)) == "resource.peer"
