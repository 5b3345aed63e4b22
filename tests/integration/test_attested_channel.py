# SPDX-License-Identifier: Apache-2.0
"""Both channels verified through a real attestation service over loopback HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from strongroom.client.attestation import AttestationService as Line
from strongroom.client.channel import AttestedByService, ServiceAppraiser
from strongroom.core.rats import AppRule, Evidence
from strongroom.errors import Refused, Stale, Unavailable
from strongroom.node.attestation_app import create_attestation_app
from strongroom.services.channel.verifying import VouchedEnclave
from tests.integration.loopback import serving
from tests.services.ra_world import NONCE, NOW, World, world_in


@dataclass
class Party:
    """A world with a running service, and a clock that a test may turn."""

    world: World
    line: Line
    moment: int = field(default=NOW)

    def appraiser(self) -> ServiceAppraiser:
        policy = self.world.application
        return ServiceAppraiser(self.line, policy, lambda: self.moment)

    def verify(self) -> AttestedByService:
        return AttestedByService(
            self.appraiser(),
            lambda nonce: Evidence(
                "simulated", self.world.platform.platform(nonce), b""
            ),
        )


@pytest.fixture(scope="module", params=["intl", "sm"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Line]]:
    folder = tmp_path_factory.mktemp("channel-service")
    with (
        world_in(folder, str(request.param)) as world,
        world.service() as judge,
        serving(create_attestation_app(judge)) as url,
    ):
        line = Line(url, world.folder.public.verifying, "default")
        yield world, line
        line.close()


@pytest.fixture
def party(running: tuple[World, Line]) -> Party:
    return Party(*running)


ANSWER = (b"a nonce of an agent's hello", b"digest of an offer")
"""What the message channel has its evidence answer and bind."""


def judged(party: Party) -> None:
    """Judge the evidence of an offer, as an agent does before it sends anything."""
    nonce, user_data = ANSWER
    app = party.world.platform.app(nonce, user_data=user_data)
    party.verify()(app, nonce, user_data)


def accepted(party: Party, user_data: bytes = b"bound") -> VouchedEnclave:
    whole = party.world.platform.evidence(NONCE, user_data=user_data)
    return party.appraiser().accept(whole.to_bytes(), NONCE, b"bound")


def test_an_offer_is_taken_once_the_service_has_judged_the_platform(
    party: Party,
) -> None:
    judged(party)


def test_no_channel_opens_where_the_service_does_not_answer(party: Party) -> None:
    gone = Line("http://127.0.0.1:9", party.line.key, "default")
    with pytest.raises(Unavailable):
        judged(Party(party.world, gone))
    gone.close()


def test_an_app_that_the_party_does_not_want_gets_no_channel(party: Party) -> None:
    size = len(party.world.platform.facts.measurement)
    other = AppRule.measured(bytes(size), config=bytes(size))
    policy = type(party.world.application)(
        owner="bank", apps=(other,), locks=party.world.application.locks
    )
    appraiser = ServiceAppraiser(party.line, policy, lambda: NOW)
    verify = AttestedByService(appraiser, party.verify().carrier)
    nonce, user_data = ANSWER
    with pytest.raises(Refused):
        verify(party.world.platform.app(nonce, user_data=user_data), nonce, user_data)


def test_an_accepted_enclave_speaks_until_the_result_expires(party: Party) -> None:
    verify = accepted(party)
    verify(party.world.platform.app(b"another nonce", user_data=b"x"), *ANOTHER)
    party.moment = verify.expires_at + 1
    with pytest.raises(Stale) as caught:
        verify(party.world.platform.app(b"another nonce", user_data=b"x"), *ANOTHER)
    assert caught.value.findings[0].rule == "environment.expired"


ANOTHER = (b"another nonce", b"x")


def test_no_other_enclave_speaks_for_it(party: Party) -> None:
    verify = accepted(party)
    stranger = party.world.platform.app(
        ANOTHER[0], user_data=ANOTHER[1], enclave_id=b"another instance of the same app"
    )
    with pytest.raises(Refused) as caught:
        verify(stranger, *ANOTHER)
    assert caught.value.findings[0].rule == "channel.enclave"


def test_evidence_that_binds_something_else_is_not_accepted(party: Party) -> None:
    with pytest.raises(Refused) as caught:
        accepted(party, b"another key")
    assert caught.value.findings[0].rule == "app.user_data"
