# SPDX-License-Identifier: Apache-2.0
"""RA-1 and RA-2 against a real room: its broker's enclave, its monitor, its node."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.cli import main
from strongroom.client.attestation import (
    AttestationService,
    attest_without_app,
    monitor_oca,
)
from strongroom.client.broker import Transport
from strongroom.client.room_attestation import (
    attest_broker,
    attest_broker_alone,
    broker_policy,
    report_oca,
)
from strongroom.core.codec import cbor
from strongroom.core.crypto import suite
from strongroom.core.rats import AppRule
from strongroom.errors import NotFound, Refused, Unavailable
from strongroom.node.provision import RoomFolder, init_room
from strongroom.node.verifier_folder import VerifierFolder
from strongroom.services.attestation.application import ApplicationPolicy
from strongroom.services.isolation import Isolation
from tests.integration.world import PASSPHRASE, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A room with its management node alone, and the administrator in it."""
    made = World(tmp_path_factory.mktemp("attested"), "intl")
    try:
        now = int(time.time())
        room = init_room(made.room_folder, made.admin.identity, made.url, now)
        made.start("manage")
        made.admin.home.join(room)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def service(world: World) -> Iterator[AttestationService]:
    """A verifier, set up and served by the command line, pinned by its file."""
    folder = world.folder / "verifier"
    room = world.room_folder.room
    words = ["verifier", "init", folder, "--no-passphrase", "--room", room]
    assert main([str(word) for word in ["--json", *words]]) == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["--json", "verifier", "serve", folder, "--port", port]
    arguments = [sys.executable, "-m", "strongroom", *map(str, command)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b'"ready": true' in process.stdout.readline()
        public = VerifierFolder(folder).public
        line = AttestationService(
            f"http://127.0.0.1:{port}", public.verifying, "default"
        )
        yield line
        line.close()
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture
def transport(world: World) -> Iterator[Transport]:
    found = Transport(world.url)
    yield found
    found.close()


def now() -> int:
    return int(time.time())


def test_ra_1_against_the_broker(
    world: World, service: AttestationService, transport: Transport
) -> None:
    room = world.admin.room
    found = attest_broker(transport, room, service, "hospital", now())
    assert found.app.measurement.hex() == room.broker
    assert found.app.user_data == suite(room.suite).digest(room.public)[:64]
    assert found.environment.status == "warning"
    other = replace(room, public=b"keys of someone in between")
    with pytest.raises(Refused) as caught:
        attest_broker(transport, other, service, "hospital", now())
    assert caught.value.findings[0].rule == "app.user_data"


def test_ra_2_without_the_broker(
    world: World, service: AttestationService, transport: Transport
) -> None:
    room = world.admin.room
    attest_broker(transport, room, service, "hospital", now())
    found = attest_broker_alone(transport, room, service, "hospital", now())
    assert found.app.measurement.hex() == room.broker
    assert found.app.user_data == b""
    enclave = found.app.enclave_id
    oca = report_oca(transport, enclave.hex())
    policy = broker_policy(room, "hospital")
    again = attest_without_app(oca, service, policy, now(), enclave)
    assert again.app.enclave_id == enclave
    with pytest.raises(NotFound):
        attest_without_app(
            report_oca(transport, "00" * 32), service, policy, now(), bytes(32)
        )


def test_ra_2_at_the_gate_of_a_monitor(
    world: World, service: AttestationService
) -> None:
    room, folder = world.admin.room, world.room_folder
    with Isolation.connect(_gate(folder)) as isolation:
        enclave = isolation.status().enclaves[0].enclave_id
        oca = monitor_oca(isolation, room.kind, enclave)
        policy = broker_policy(room, "hospital")
        found = attest_without_app(oca, service, policy, now(), enclave)
        assert found.app.enclave_id == enclave
        rule = AppRule.measured(bytes(48), config=room.config)
        wrong = ApplicationPolicy(owner="hospital", apps=(rule,), locks=room.locks)
        with pytest.raises(Refused) as caught:
            attest_without_app(oca, service, wrong, now(), enclave)
        assert caught.value.findings[0].rule == "app.measurement"


def _gate(folder: RoomFolder) -> Path:
    return folder.management / "monitor.sock"


def test_the_command_line(
    world: World,
    service: AttestationService,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_bytes(PASSPHRASE)
    words = ["--json", "--home", world.admin.home.root, "verifier", "room"]
    public = world.folder / "verifier" / "public"
    words += ["--url", str(service._http.base_url), "--service", public]
    for more in ([], ["--without-app"]):
        capsys.readouterr()
        assert main([str(word) for word in [*words, *more]]) == 0
        assert world.admin.room.broker in capsys.readouterr().out


def test_evidence_in_files_and_the_record_of_verdicts(
    world: World, service: AttestationService, transport: Transport, tmp_path: Path
) -> None:
    folder, nonce = world.folder / "verifier", "ab" * 32
    answer = cbor.decode(transport.get("/v1/evidence", nonce=nonce))
    assert isinstance(answer, dict)
    evidence, token = tmp_path / "platform", tmp_path / "token"
    evidence.write_bytes(answer["evidence"])

    def run(*words: object) -> int:
        home = ("--json", "--home", world.admin.home.root)
        return main([str(word) for word in (*home, *words)])

    url = ("--url", service._http.base_url)
    pinned = ("--service", folder / "public", "--evidence", f"platform={evidence}")
    ask = ("verifier", "ask", *url, *pinned)
    assert run(*ask, "--nonce", nonce, "--save", token) == 0
    assert run("verifier", "read", token, *pinned, "--nonce", nonce) == 0
    assert run(*ask, "--nonce", "cd" * 32, "--save", token) == 4
    assert run("verifier", "read", token, *pinned, "--nonce", "cd" * 32) == 4
    key = VerifierFolder(folder).log_key.to_text()
    audit = [sys.executable, "-m", "strongroom", "audit", "verify", *map(str, url)]
    assert subprocess.run([*audit, "--key", key], check=False).returncode == 0


def test_no_service_no_verdict(world: World, transport: Transport) -> None:
    room = world.admin.room
    key = VerifierFolder(world.folder / "verifier").public.verifying
    nobody = AttestationService("http://127.0.0.1:1", key, "default", timeout_s=2)
    with pytest.raises(Unavailable):
        attest_broker(transport, room, nobody, "hospital", now())
    nobody.close()
