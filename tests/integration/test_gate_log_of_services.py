# SPDX-License-Identifier: Apache-2.0
"""Every call of the interface is in the gate's log, success and failure (LOG-1, LOG-2).

From outside, by the fifteen functions; from inside, by an app's own code; and in a
channel, where the ordinary side sees nothing but the log still counts.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from strongroom.application.broker import BrokerConfig, Method
from strongroom.application.sdk.interface import INTERFACES
from strongroom.application.sdk.outside import OutsideServices
from strongroom.application.sdk.remote import RemoteServices
from strongroom.core.codec.bundle import Bundle, EntryPoint, OutputRule, Parameter
from strongroom.core.codec.log_entry import CATEGORIES, LogEntry
from strongroom.core.rats import AppraisalPolicy, AppRule, Evidence, not_checked_bytes
from strongroom.errors import LimitReached, Refused, StrongroomError
from strongroom.management.audit import GateLog, verify_gate_log
from strongroom.node import clockwork
from strongroom.node.broker_host import BrokerHost
from strongroom.node.provision import broker_bundle
from strongroom.services.attestation import verify_evidence
from strongroom.services.channel import ChannelAgent
from strongroom.services.isolation import Isolation
from strongroom.system.monitor.gate import GateConnection
from tests.integration.machine import ENTRIES, SOURCE, Machine

SECRET = "planted-haemophilia"
NONCE = bytes(range(32))
_PATIENCE_S = 60
INSIDE = b"""
def hungry(services, text):
    return len(bytearray(int(text)))

def sneak(services, text):
    refused = 0
    for way, what in (
        (services.files, "elsewhere"),
        (services.file_system, "elsewhere"),
        (services.storage, "elsewhere"),
        (services.connect, bytes.fromhex(text)),
    ):
        try:
            way(what)
        except Exception:
            refused += 1
    return refused

def inside(services, text):
    key = services.generate_key("aes-256-gcm", "encrypt", text)
    for _ in range(3):
        sealed = services.encrypt(key, text.encode())
    try:
        services.decrypt(key, sealed + b"x")
    except Exception:
        return "refused"
"""
_TEXT = (Parameter("text", "text", many=False),)
_OUTPUT = OutputRule("json", (), 1, 1 << 16, 0, "")
_INSIDE = tuple(
    EntryPoint(name, f"main:{name}", _TEXT, _OUTPUT)
    for name in ("hungry", "inside", "sneak")
)


@dataclass
class Room:
    """A machine, its one app, and what its log says."""

    machine: Machine
    isolation: Isolation
    services: OutsideServices
    enclave: bytes

    def log(self) -> GateLog:
        """Return the log up to now."""
        self.isolation.log_head()
        return self.signed()

    def signed(self) -> GateLog:
        """Return the log as far as it is signed."""
        folder = self.machine.folder / "node" / "gate-log"
        return verify_gate_log(folder, self.machine.trust, int(time.time()) + 1)

    def since(self, start: int) -> list[LogEntry]:
        """Return the records from a place on."""
        return [entry for index, entry in self.log().query() if index >= start]

    def platform_policy(self) -> bytes:
        """Return a policy that accepts this machine and any of its apps' reports."""
        evidence = Evidence.from_bytes(self.services.report(NONCE))
        now = int(time.time()) + 1
        platform, app = verify_evidence(evidence, self.machine.trust, now=now)
        assert app is not None
        rule = AppRule.measured(app.measurement, config=not_checked_bytes("none"))
        return AppraisalPolicy(
            owner="bank",
            registers={each.name: (each.value,) for each in platform.registers},
            locks=platform.locks,
            max_platform_age_s=300,
            min_firmware_svn=0,
            apps=(rule,),
            kinds=("simulated",),
        ).to_bytes()


@pytest.fixture(scope="module")
def bundle_of() -> Callable[[Machine], Bundle]:
    entries = sorted((*ENTRIES, *_INSIDE), key=lambda entry: entry.name)
    return lambda machine: machine.bundle(
        SOURCE + INSIDE, entry_points=[each.to_value() for each in entries]
    )


@pytest.fixture(scope="module")
def room(
    tmp_path_factory: pytest.TempPathFactory, bundle_of: Callable[[Machine], Bundle]
) -> Iterator[Room]:
    machine = Machine(tmp_path_factory.mktemp("log") / "m", "intl")
    with machine.start(), machine.connect() as isolation:
        services = OutsideServices(isolation, machine.policy(), machine.objects)
        with services:
            enclave = services.create(bundle_of(machine).to_bytes())
            yield Room(machine, isolation, services, enclave)


def use_all(room: Room, bundle: bytes) -> None:
    """Call each of the fifteen functions as it is meant."""
    services = room.services
    with OutsideServices(room.isolation, room.machine.policy()) as another:
        another.destroy(another.create(bundle))
    evidence, roots = services.report(NONCE), room.machine.endorsements.to_bytes()
    services.verify_report(evidence, roots, room.platform_policy(), NONCE)
    agent = ChannelAgent("intl", os.urandom, lambda *_: None)
    services.open_channel(agent.hello())
    services.store("ledger", "note", SECRET.encode())
    services.load("ledger", "note")
    services.random(8)
    key = services.generate_key("aes-256-gcm", "encrypt", SECRET)
    services.decrypt(key, services.encrypt(key, SECRET.encode()))
    signer = services.generate_key("ed25519", "sign", SECRET)
    signature = services.sign(signer, SECRET.encode())
    services.verify_signature(signer, SECRET.encode(), signature)
    services.unseal(services.seal(SECRET.encode()))


def misuse_all(room: Room) -> None:
    """Call each of them so that it has to refuse or fail."""
    services, secret = room.services, SECRET.encode()
    nobody = bytes(16)
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(room.machine.folder / "node" / "monitor.sock"))
        with pytest.raises(StrongroomError):
            GateConnection(link).call("DESTROY", {"handle": nobody})
    wrong: tuple[Callable[[], object], ...] = (
        lambda: OutsideServices(room.isolation, b"").create(secret),
        lambda: services.report(b"short"),
        lambda: services.verify_report(secret, secret, secret, secret),
        lambda: services.open_channel(secret),
        lambda: services.store(SECRET, "x", secret),
        lambda: services.load("ledger", SECRET),
        lambda: services.random(0),
        lambda: services.generate_key(SECRET, SECRET, SECRET),
        lambda: services.encrypt(nobody, secret),
        lambda: services.decrypt(nobody, secret),
        lambda: services.sign(nobody, secret),
        lambda: services.verify_signature(nobody, secret, secret),
        lambda: services.seal(secret, SECRET),  # type: ignore[arg-type]
        lambda: services.unseal(secret),
    )
    for call in wrong:
        with pytest.raises(StrongroomError):
            call()


def test_each_function_is_logged_when_it_succeeds_and_when_it_fails(
    room: Room, bundle_of: Callable[[Machine], Bundle]
) -> None:
    start = room.log().entries
    use_all(room, bundle_of(room.machine).to_bytes())
    good = room.since(start)
    middle = room.log().entries
    misuse_all(room)
    bad = room.since(middle)
    every = {f"IF-{number}" for number in INTERFACES}
    assert {e.detail.get("interface") for e in good if e.outcome == "ok"} >= every
    assert {e.detail.get("interface") for e in bad if e.outcome != "ok"} >= every
    assert {e.category for e in room.since(0)} <= set(CATEGORIES)


def test_what_an_app_calls_inside_is_counted_with_its_outcome(room: Room) -> None:
    start = room.log().entries
    room.services.call("inside", text=SECRET)
    told = {
        (e.detail["interface"], e.outcome): e.detail["count"]
        for e in room.since(start)
        if e.action == "app.call"
    }
    assert told[("IF-9", "ok")] == "1"
    assert told[("IF-10", "ok")] == "3"
    assert [outcome for name, outcome in told if name == "IF-11"] != ["ok"]


def test_what_an_app_has_not_declared_is_refused_and_logged_whichever_way_it_tries(
    room: Room, bundle_of: Callable[[Machine], Bundle]
) -> None:
    """RES-1, also where the app swallows the refusal."""
    other = room.services.create(bundle_of(room.machine).to_bytes())
    start = room.log().entries
    assert room.services.call("sneak", text=other.hex()) == 4
    told = {
        (e.detail["interface"], e.outcome, e.detail.get("rule")): e.detail["count"]
        for e in room.since(start)
        if e.action == "app.call" and e.subject == room.enclave.hex()
    }
    assert told == {
        ("IF-7", "refused", "resource.storage"): "3",
        ("IF-5", "refused", "resource.peer"): "1",
    }
    room.services.destroy(other)


def test_memory_that_an_app_was_not_given_is_refused_and_logged_by_name(
    room: Room,
) -> None:
    """HW-5: 256 MiB are reached, not passed, and the app lives on."""
    assert room.services.call("hungry", text=str(100 << 20)) == 100 << 20
    start = room.log().entries
    with pytest.raises(LimitReached, match=f"memory_bytes: {256 << 20}") as failure:
        room.services.call("hungry", text=str(300 << 20))
    assert [each.rule for each in failure.value.findings] == ["resource.memory_bytes"]
    assert room.services.call("hungry", text="1") == 1
    (failed,) = (e for e in room.since(start) if e.outcome == "failed")
    assert failed.detail["rule"] == "resource.memory_bytes"


def test_what_is_called_in_a_channel_is_counted_too(room: Room) -> None:
    """The ordinary side carries ciphertext, and the log says what it was."""
    start = room.log().entries
    agent = ChannelAgent("intl", os.urandom, lambda *_: None)
    client = RemoteServices(agent, room.services)
    client.random(8)
    with pytest.raises(Refused):
        client.load("elsewhere", SECRET)
    client.close()
    told = {
        (e.detail["interface"], e.outcome, e.detail.get("rule"))
        for e in room.since(start)
        if e.action == "app.call"
    }
    assert ("IF-8", "ok", None) in told
    assert ("IF-7", "refused", "resource.storage") in told


def broker_of(room: Room) -> BrokerHost:
    """Return a broker on the machine of the room."""
    machine = room.machine
    owner = machine.administrator
    policy = machine.policy(owner.signing.public)
    config = BrokerConfig(
        machine.suite_id, "room", owner.public, machine.endorsements.roots
    )
    return BrokerHost(
        room.isolation,
        broker_bundle(owner),
        config.to_bytes(),
        machine.folder / "journal",
        lambda: policy,
    )


def test_a_brokers_methods_are_no_functions_of_the_interface(room: Room) -> None:
    """The broker numbers its own methods from 1: the log takes none for an IF row."""
    start = room.log().entries
    with broker_of(room) as broker:
        broker.call(Method.HELLO, {"nonce": NONCE})
        broker.call(Method.TICKETS, {})
    calls = [entry for entry in room.since(start) if entry.action == "gate.call"]
    assert [entry.detail["method"] for entry in calls] == ["1", "2", "4"]
    assert not any("interface" in entry.detail for entry in calls)


def test_the_log_under_a_broker_is_signed_while_it_runs(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody checks in there: the node itself has its monitor sign."""
    monkeypatch.setattr(clockwork, "TICK_S", 0.01)
    monkeypatch.setattr(clockwork, "HEAD_TICKS", 3)
    start = room.log().entries
    with broker_of(room) as broker, clockwork.Clockwork(broker):
        deadline = time.monotonic() + _PATIENCE_S
        while room.signed().entries == start and time.monotonic() < deadline:
            time.sleep(0.05)
        assert room.signed().entries > start


def test_no_secret_is_in_any_file_of_the_log(room: Room) -> None:
    with suppress(StrongroomError):
        room.services.call("boom")
    room.services.call("inside", text=SECRET)
    room.log()
    folder = room.machine.folder / "node" / "gate-log"
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert files
    kept = b"".join(each.name.encode() + each.read_bytes() for each in files)
    assert SECRET.encode() not in kept
    assert b"a planted secret" not in kept  # of the error that `boom` raises


def test_records_are_found_by_enclave_app_signer_and_time(
    room: Room, bundle_of: Callable[[Machine], Bundle]
) -> None:
    bundle = bundle_of(room.machine)
    room.services.random(8)
    log = room.log()
    task = room.enclave.hex()
    of_task = list(log.query(task=task))
    assert of_task
    assert all(task in (entry.subject, entry.object) for _, entry in of_task)
    app = bundle.verify().measurement.hex()
    assert {index for index, _ in of_task} <= {i for i, _ in log.query(app=app)}
    party = room.machine.provider.public.sign.key_id.hex()
    assert {index for index, _ in of_task} <= {i for i, _ in log.query(party=party)}
    times = [entry.time for _, entry in log.query()]
    last = max(times)
    assert [e.time for _, e in log.query(since=last)] == [t for t in times if t == last]
    assert not list(log.query(until=min(times) - 1))
