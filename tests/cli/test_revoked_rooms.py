# SPDX-License-Identifier: Apache-2.0
"""A room whose platform stands on a key that the party has revoked: not used."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.application.broker.config import Method
from strongroom.application.cleanroom.room import Room
from strongroom.cli.desk import Desk
from strongroom.client.broker import Transport, verify_broker
from strongroom.client.home import Home, PartyPolicy
from strongroom.core.codec import cbor
from strongroom.core.codec.certificate import SignedCertificate
from strongroom.core.codec.signed import sign_record
from strongroom.core.rats import LOCKS, Evidence, Trust
from strongroom.errors import Untrusted
from strongroom.hardware.registry import HARDWARE, VERIFIERS
from strongroom.hardware.simulated.abi import SimulatedEvidence
from strongroom.node.provision import register_values
from strongroom.services.attestation import verify_evidence
from tests.application.broker.world import BROKER, World
from tests.cli.line import Run
from tests.cli.test_cli_endorsements import rows
from tests.hardware.pki import Authority

POLICY = PartyPolicy(("simulated",), 60)


class Line(Transport):
    """The room's HTTP paths, without HTTP."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, path: str, **query: str) -> bytes:
        """Greet as the management node does."""
        assert path == "/v1/hello"
        nonce = bytes.fromhex(query["nonce"])
        said = self.world.call(Method.HELLO, {"nonce": nonce})
        app = self.world.bytes_of(said, "app")
        evidence = Evidence("simulated", self.world.machine.attest(), app)
        return cbor.encode({"public": said["public"], "evidence": evidence.to_bytes()})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a room that command lines reach at its own time."""
    made = World(tmp_path / "world")
    monkeypatch.setattr(Desk, "now", lambda _: made.clock())
    monkeypatch.setattr(Desk, "transport", lambda *_: Line(made))
    yield made
    made.close()


def room_of(world: World) -> Room:
    evidence = Evidence("simulated", world.machine.attest(), b"")
    room = Room(
        url="http://room.example",
        suite=world.row.id,
        origin=world.config.origin,
        administrator=world.admin.public,
        kind="simulated",
        roots=world.config.roots,
        broker=BROKER[: world.row.digest_bytes].hex(),
        config=world.row.digest(world.config.to_bytes()),
        public=world.public.to_bytes(),
        registers={},
        locks=LOCKS,
        written_at=world.clock(),
    )
    platform, _ = verify_evidence(evidence, Trust(room.endorsements), now=world.clock())
    return Room(**{**vars(room), "registers": register_values(platform)})


def chain_of(world: World) -> list[bytes]:
    """Return the ids of the keys that the platform's evidence stands on."""
    chain = SimulatedEvidence.from_bytes(world.machine.attest()).chain
    links = [SignedCertificate.parse(each) for each in (*chain, world.machine.root)]
    return [each.claims.public_key.key_id for each in links]


def test_a_party_s_own_revocations_refuse_a_room(world: World) -> None:
    room, now = room_of(world), world.clock()
    line, keys = Line(world), chain_of(world)
    nobody = (b"\0" * 32,)
    found = verify_broker(line, room, POLICY, "clinic", now, revoked=nobody)
    assert found.result.status == "warning"
    for key in keys:
        with pytest.raises(Untrusted) as refusal:
            verify_broker(line, room, POLICY, "clinic", now, revoked=(*nobody, key))
        assert refusal.value.findings[0].rule == "certificate.revoked"


def test_a_revocation_counts_from_the_next_command_on(
    party: Run, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "room"
    file.write_bytes(sign_record(world.admin.signing, room_of(world)))
    administrator = ("--administrator", world.admin.public.id)
    joined = party("room", "join", file, *administrator, "--allow", "simulated")
    assert joined.code == 0
    assert party("room", "verify").code == 0
    revoked = party("--json", "endorsements", "revoke", chain_of(world)[0].hex())
    refused = party("--json", "room", "verify")
    assert (refused.code, "certificate.revoked" in refused.out) == (4, True)
    (document,) = rows(revoked.out)
    assert party("endorsements", "remove", document["digest"]).code == 0
    assert party("room", "verify").code == 0


def test_keys_are_named_by_ids_certificates_and_public_keys(
    run: Run, tmp_path: Path
) -> None:
    one, other = Authority("one"), Authority("other")
    (tmp_path / "one.der").write_bytes(one.certificate.der)
    spki = other.key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "other.pem").write_bytes(spki)
    line = ("--json", "endorsements", "revoke", "one.der", "other.pem", "ab" * 32)
    assert run(*line, "--kind", "tdx").code == 0
    home = Home(tmp_path / "home")
    ids = [sha256(each.certificate.spki).digest() for each in (one, other)]
    assert set(home.revoked("tdx")) == {*ids, b"\xab" * 32}
    assert home.revoked("sgx") == ()
    assert run("endorsements", "revoke", "one.der").code == 0
    for kind in (*HARDWARE, *VERIFIERS):
        assert ids[0] in home.revoked(kind)
    (tmp_path / "text").write_text("no key")
    assert run("endorsements", "revoke", "text").code == 3
    assert run("endorsements", "revoke", "ab" * 31).code == 5
