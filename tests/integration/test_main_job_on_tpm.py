# SPDX-License-Identifier: Apache-2.0
"""The main job unchanged on another root of trust (SVC-3): monitors in a TPM 2.0.

The tests ARE those of test_main_job: same apps, same agreements, same refusals. Only
the world's root of trust differs, and what is particular to a TPM is added below.
"""

import shutil
from collections.abc import Iterator

import pytest

from strongroom.application.cleanroom.room import Room
from strongroom.cli.proofs import broker_checks, unproved
from strongroom.client.home import DEFAULT_POLICY, ENDORSEMENTS
from strongroom.core.codec.signed import peek_record
from strongroom.core.rats import Trust
from strongroom.errors import Refused
from strongroom.management.endorsements import EndorsementStore, Incoming
from strongroom.node.roots import Root
from strongroom.services.attestation import verify_evidence
from tests.integration.test_main_job import *  # noqa: F403 - the same tests
from tests.integration.world import World


@pytest.fixture(scope="module", params=["sm", "intl"])  # type: ignore[no-redef]
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(f"tpm-{request.param}")
    with World(folder, str(request.param), Root("tpm2")) as made:
        yield made


def test_the_room_s_evidence_is_a_tpm_s_and_says_that_it_is_software(
    world: World,
) -> None:
    session = world.again("clinic")
    broker = session.verify_broker()
    room = session.home.room()
    platform, _ = verify_evidence(
        broker.evidence, Trust(room.endorsements), now=session.clock()
    )
    assert (room.kind, platform.kind) == ("tpm2", "tpm2")
    assert "SW" in platform.model.split()
    assert platform.hardware is not None
    assert platform.hardware.bound_as == "nonce"
    assert broker.result.vector.status == "warning"
    checks = broker_checks(broker, room, world.policy, session.clock())
    shown = next(check for check in checks if check.what == "platform")
    assert "SW" in shown.found
    assert shown.grade == "SIM"
    assert any("TPM" in row for row in unproved("tpm2"))


def test_a_tpm_is_refused_by_default_with_the_reason_in_words(world: World) -> None:
    session = world.again("clinic")
    session.home.set_policy(DEFAULT_POLICY)
    try:
        with pytest.raises(Refused, match="can read its memory") as error:
            session.verify_broker()
    finally:
        session.home.set_policy(world.policy)
    assert "--allow tpm2" in error.value.findings[0].remedy


def test_a_platform_that_the_party_has_revoked_is_refused(world: World) -> None:
    session = world.again("clinic")
    room, evidence = session.home.room(), session.verify_broker().evidence
    trust = Trust(room.endorsements)
    platform, _ = verify_evidence(evidence, trust, now=session.clock())
    store = EndorsementStore(session.home.root / ENDORSEMENTS)
    gone = Incoming("revoked", ("tpm2",), platform.device_id, "the clinic's own list")
    store.add([gone], session.clock(), anchors=True)
    try:
        with pytest.raises(Refused) as error:
            world.again("clinic").verify_broker()
        assert ".revoked" in error.value.findings[0].rule
    finally:
        shutil.rmtree(session.home.root / ENDORSEMENTS)
    assert world.again("clinic").verify_broker().id


def test_each_node_has_a_key_of_its_own_and_no_other_speaks_for_it(
    world: World,
) -> None:
    room, _ = peek_record(Room, world.room_folder.room.read_bytes())
    assert len(set(room.roots)) == 2
