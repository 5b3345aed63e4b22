# SPDX-License-Identifier: Apache-2.0
"""Two enclaves of one device prove themselves to each other and talk (ISO-2, 7.1b)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.application.sdk.outside import OutsideServices
from strongroom.core.codec.bundle import Bundle, EntryPoint, OutputRule, Parameter
from strongroom.errors import Refused, StrongroomError
from strongroom.node.roots import Root
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
"""
_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
_TEXT, _ENCLAVE = (Parameter(name, "text", many=False) for name in ("text", "enclave"))
ENTRIES = [
    EntryPoint("answer", "main:answer", (_TEXT,), _OUTPUT).to_value(),
    EntryPoint("ask", "main:ask", (_ENCLAVE, _TEXT), _OUTPUT).to_value(),
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


def app(machine: Machine, name: str, *peers: str) -> Bundle:
    """Return an app that may talk to `peers`."""
    return machine.bundle(SOURCE, name=name, peers=list(peers), entry_points=ENTRIES)


def both(machine: Machine) -> tuple[Bundle, Bundle]:
    """Return a teller and a vault that declare each other."""
    return app(machine, "teller", "vault"), app(machine, "vault", "teller")


class Pair:
    """Two enclaves on one machine; the ordinary side relays what they say."""

    def __init__(self, machine: Machine, one: Bundle, other: Bundle) -> None:
        self.isolation = machine.connect()
        self.services = OutsideServices(self.isolation, machine.policy())
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
