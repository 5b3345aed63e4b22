# SPDX-License-Identifier: Apache-2.0
"""Who may call a command is in the manifest, whichever way the call comes (SYS-1)."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.application.sdk.outside import OutsideServices
from strongroom.client.ra_tls import RaTlsTransport
from strongroom.core.crypto import SigningKey
from strongroom.errors import Refused, StrongroomError
from strongroom.node.roots import Root
from strongroom.services.channel import signed_by
from strongroom.services.channel.ra_tls.certificate import show_key, show_party
from strongroom.services.channel.ra_tls.connection import client_end
from strongroom.services.channel.ra_tls.peer import Enclave
from strongroom.services.channel.verifying import EndorsedEvidence
from tests.integration.machine import Machine
from tests.integration.serving_world import (
    Service,
    app,
    channel,
    now,
    served,
)


@pytest.fixture(scope="module", params=["sm", "intl"])
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("callers") / "m"
    made = Machine(folder, str(request.param), Root())
    with made.start():
        yield made


@dataclass
class Party:
    """One that the app lists, and one that it does not."""

    friend: SigningKey
    stranger: SigningKey


@pytest.fixture
def party(machine: Machine) -> Party:
    return Party(machine.key(), machine.key())


def refusal(act: Callable[[], object], command: str, caller: str) -> None:
    """Expect the rule, with the command, the caller and a remedy."""
    with pytest.raises(Refused) as refused:
        act()
    finding = refused.value.findings[0]
    assert finding.rule == "command.caller"
    assert command in finding.expected
    assert caller in finding.got
    assert "[callers]" in finding.remedy


def test_over_the_gate_the_host_calls_what_it_is_listed_for(machine: Machine) -> None:
    party = f"key:{machine.key().public.key_id.hex()}"
    listed = {"echo": ["host"], "secret": [party], "random": []}
    bundle = app(machine, callers=listed)
    with (
        machine.connect() as isolation,
        machine.fresh(isolation, bundle) as services,
    ):
        assert services.call("echo", text="x") == "x"
        assert services.seal(b"x")  # no list: everybody
        refusal(lambda: services.call("secret"), "secret", "host")
        refusal(lambda: services.random(8), "random", "host")


def test_in_a_channel_parties_are_known_by_their_signature(
    machine: Machine, party: Party
) -> None:
    names = [f"key:{party.friend.public.key_id.hex()}"]
    bundle = app(machine, callers={"secret": names, "echo": ["anyone"]})
    with (
        served(machine, bundle) as service,
        machine.connect() as isolation,
        machine.fresh(isolation, bundle) as services,
    ):

        def opened(identity: SigningKey | None) -> Callable[[], object]:
            remote = channel(services, machine, service.policy(), identity)
            return lambda: remote.call("secret")

        assert opened(party.friend)() == "the combination"
        shown = party.stranger.public.key_id.hex()
        refusal(opened(party.stranger), "secret", shown)
        refusal(opened(None), "secret", "anyone")
        refusal(lambda: services.call("secret"), "secret", "host")
        remote = channel(services, machine, service.policy())
        assert remote.call("echo", text="x") == "x"


def test_over_ra_tls_parties_are_known_by_their_word_in_the_connection(
    machine: Machine, party: Party
) -> None:
    names = [f"key:{party.friend.public.key_id.hex()}"]
    with served(machine, app(machine, callers={"secret": names})) as service:
        with service.line(party.friend) as line:
            assert line.call("secret") == "the combination"
        with service.line(party.stranger) as line:
            shown = party.stranger.public.key_id.hex()
            refusal(lambda: line.call("secret"), "secret", shown)
            assert line.call("echo", text="x") == "x"
        with service.line() as line:
            refusal(lambda: line.call("secret"), "secret", "anyone")


def test_a_word_about_another_connection_ends_this_one(
    machine: Machine, party: Party
) -> None:
    names = [f"key:{party.friend.public.key_id.hex()}"]

    def stolen(nonce: bytes, heard: bytes) -> bytes:
        return signed_by(party.friend)(nonce, heard[::-1])

    with served(machine, app(machine, callers={"secret": names})) as service:
        judge = EndorsedEvidence(machine.trust, service.policy(), now)
        shown = show_party(machine.suite_id, stolen, (now() - 60, now() + 600))
        end = client_end(machine.suite_id, shown, Enclave(judge, now, 0))
        with (
            httpx.Client(transport=RaTlsTransport(end)) as client,
            pytest.raises((httpx.TransportError, StrongroomError)),
        ):
            client.post(f"{service.url}/.strongroom/call")
        assert service.refused == ["channel.client"]


def test_over_tls_whoever_holds_a_listed_certificate_key_is_known(
    machine: Machine,
) -> None:
    mine, other = (
        show_key(machine.suite_id, (now() - 60, now() + 600)) for _ in range(2)
    )
    spki = hashlib.sha256(mine.credential.certificate.spki).hexdigest()
    bundle = app(machine, http="commands", callers={"secret": [f"tls:{spki}"]})
    with served(machine, bundle) as service:
        judge = EndorsedEvidence(machine.trust, service.policy(), now)
        said = list[httpx.Response]()
        for shown in (mine, other):
            peer = Enclave(judge, now, 0)
            end = client_end(machine.suite_id, shown, peer)
            with httpx.Client(transport=RaTlsTransport(end)) as client:
                said.append(client.post(f"{service.url}/commands/secret"))
    assert [each.status_code for each in said] == [200, 403]
    assert said[1].json()["findings"][0]["rule"] == "command.caller"


def test_another_enclave_is_known_by_what_it_is(machine: Machine) -> None:
    asker = app(machine, name="asker", peers=["vault"])
    thief = app(machine, name="thief", peers=["vault"])
    for named in (f"app:{asker.manifest.measurement.hex()}", "app:asker"):
        vault = app(
            machine, name="vault", peers=["asker", "thief"], callers={"secret": [named]}
        )
        with machine.connect() as isolation:
            for bundle, may in ((asker, True), (thief, False)):
                outside = OutsideServices(isolation, machine.policy(), machine.objects)
                with outside as services:
                    services.create(bundle.to_bytes())
                    enclave = services.create(vault.to_bytes()).hex()
                    if may:
                        said = services.call("ask", enclave=enclave)
                        assert said == "the combination"
                    else:
                        refusal(
                            lambda: services.call("ask", enclave=enclave),  # noqa: B023
                            "secret",
                            "app:thief",
                        )


def test_a_star_closes_every_command_that_has_no_list(
    machine: Machine, party: Party
) -> None:
    names = [f"key:{party.friend.public.key_id.hex()}"]
    bundle = app(machine, http="main:web", callers={"*": names, "echo": ["anyone"]})
    with served(machine, bundle) as service:
        assert_closed(service, party)


def assert_closed(service: Service, party: Party) -> None:
    with service.line(party.stranger) as line:
        assert line.call("echo", text="x") == "x"
        refusal(lambda: line.call("secret"), "secret", "key:")
        refusal(lambda: line.random(8), "random", "key:")
        answer = line.http("GET", "/", b"")
        assert answer.status_code == 403
        assert answer.json()["findings"][0]["rule"] == "command.caller"
    with service.line(party.friend) as line:
        assert line.call("secret") == "the combination"
        assert len(line.random(8)) == 8
        assert line.http("GET", "/", b"").status_code == 201
