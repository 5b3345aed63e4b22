# SPDX-License-Identifier: Apache-2.0
"""Ordinary HTTP clients of an app whose TLS ends inside its enclave (CHAN, 7.5)."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace

import httpx
import pytest

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.client.ra_tls import RaTlsTransport
from strongroom.client.services import ServiceLine
from strongroom.errors import AppFailed, Malformed, Refused, StrongroomError
from strongroom.node.roots import Root
from strongroom.services.channel.ra_tls.connection import client_end
from strongroom.services.channel.ra_tls.peer import Enclave
from strongroom.services.channel.ra_tls.stream import RaTlsStream
from strongroom.services.channel.verifying import EndorsedEvidence
from tests.integration.machine import Machine
from tests.integration.serving_world import SOURCE, Service, app, now, served
from tests.services.channel.ra_tls.ra_tls_world import carried

LARGE = b"abcdefgh" * (1 << 18)


@pytest.fixture(scope="module", params=["sm", "intl"])
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("served") / "m"
    made = Machine(folder, str(request.param), Root())
    with made.start():
        yield made


@pytest.fixture(scope="module")
def service(machine: Machine) -> Iterator[Service]:
    with served(machine, app(machine, http="main:web")) as made:
        yield made


def client(service: Service) -> httpx.Client:
    """Return an ordinary client whose transport verifies the app."""
    judge = EndorsedEvidence(service.machine.trust, service.policy(), now)
    peer = Enclave(judge, now, 0)
    end = client_end(service.about.suite, None, peer)
    return httpx.Client(base_url=service.url, transport=RaTlsTransport(end))


def curl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    line = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "10"]
    return subprocess.run(
        [*line, *arguments], capture_output=True, text=True, check=False
    )


def test_an_httpx_client_talks_to_the_asgi_app_in_the_enclave(service: Service) -> None:
    with client(service) as session:
        answer = session.post("/some/path?x=1", content=b"hello")
        assert (answer.status_code, answer.content) == (201, b"HELLO")
        assert answer.headers["x-caller"] == "anyone"
        assert answer.headers["x-path"] == "/some/path"
        assert session.post("/", content=LARGE).content == LARGE.upper()
        assert len(session.get("/random").content) == 16
        assert session.head("/").content == b""
        assert session.get("/").status_code == 201


def test_entry_points_are_called_with_json(service: Service) -> None:
    with client(service) as session:
        said = session.post("/commands/echo", json={"text": "grüße"})
        assert said.json() == "grüße"
        for body, error in (
            (b"no json", "malformed"),
            (b'{"text": 5}', "malformed"),
            (b'{"text": "x", "more": 1}', "malformed"),
            (b"[" * 100_000, "malformed"),
            (b'{"text": NaN}', "malformed"),
        ):
            answer = session.post("/commands/echo", content=body)
            assert answer.status_code == 400
            assert answer.json()["error"] == error
        assert session.post("/commands/none").status_code == 404
        assert session.get("/commands/secret").status_code == 404
        assert session.post("/", content=bytes(9 << 20)).status_code == 413


def test_curl_talks_to_it_where_openssl_has_the_suite(service: Service) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    if service.about.suite == "sm":
        done = curl(service.url)
        assert done.returncode == 35  # no RFC 8998 in curl's OpenSSL
        assert "tls.handshake" in service.refused
        return
    with service.line() as line:
        line.commands()
        pin = line.proved.pin
    said = curl("--pinnedpubkey", pin, "-d", "hello", service.url)
    assert said.stdout == "HELLO", said.stderr
    body = json.dumps({"text": "hello"})
    said = curl("--json", body, f"{service.url}/commands/echo")
    assert json.loads(said.stdout) == "hello"
    wrong = "sha256//" + pin.removeprefix("sha256//")[::-1]
    assert curl("--pinnedpubkey", wrong, service.url).returncode == 90


def test_pythons_own_tls_gets_nothing_where_plain_clients_are_not_let_in(
    machine: Machine,
) -> None:
    with served(machine, app(machine)) as closed:
        host, _, port = closed.about.address.rpartition(":")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((host, int(port))) as plain,
            pytest.raises(OSError, match=r"(?i)alert|reset|eof"),
            context.wrap_socket(plain) as wrapped,
        ):
            wrapped.recv(1)
        with closed.line() as line:
            assert line.call("echo", text="x") == "x"


def test_another_app_is_refused_before_a_byte_is_sent(
    machine: Machine, service: Service
) -> None:
    with served(machine, app(machine, SOURCE + b"#")) as other:
        wanted = replace(service, about=other.about)
        with (
            ServiceLine(wanted.about, service.policy(), now) as line,
            pytest.raises(Refused) as refusal,
        ):
            line.call("secret")
    assert refusal.value.findings[0].rule == "app.measurement"


def test_a_relay_sees_ciphertext_and_can_change_nothing(service: Service) -> None:
    seen, spoiling = bytearray(), list[bool]()

    def between(name: str, data: bytes) -> bytes:
        seen.extend(data)
        if name == "to client" and spoiling:
            return data[:-1] + bytes([data[-1] ^ 1])
        return data

    port = int(service.about.address.rpartition(":")[2])
    with (
        carried(port, between) as through,
        service.line(address=f"127.0.0.1:{through}") as line,
    ):
        assert line.call("secret") == "the combination"
        spoiling.append(True)
        with pytest.raises(StrongroomError):
            line.call("secret")
    assert len(seen) > 1000
    assert b"combination" not in seen


def test_clients_share_the_enclave_and_keep_apart(service: Service) -> None:
    said: dict[str, object] = {}

    def ask(text: str) -> None:
        with service.line() as line:
            said[text] = [line.call("echo", text=text) for _ in range(3)]

    threads = [threading.Thread(target=ask, args=(str(n),)) for n in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert said == {str(n): [str(n)] * 3 for n in range(6)}


def test_an_app_that_waits_for_what_is_not_there_fails_by_itself(
    machine: Machine,
) -> None:
    bundle = app(machine, http="main:stuck")
    with served(machine, bundle) as service, client(service) as session:
        answer = session.get("/")
        assert answer.status_code == 500
        assert answer.json()["error"] == AppFailed.code
        assert session.post("/commands/secret").json() == "the combination"


def test_unfinished_requests_cannot_fill_the_enclave(service: Service) -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n"
    part = head + bytes(7_900_000)
    host, _, port = service.about.address.rpartition(":")
    judge = EndorsedEvidence(service.machine.trust, service.policy(), now)
    end = client_end(service.about.suite, None, Enclave(judge, now, 0))
    with ExitStack() as open_:
        for _ in range(6):
            path = open_.enter_context(socket.create_connection((host, int(port))))
            path.settimeout(10)
            stream = RaTlsStream.open(path, end)
            with suppress(StrongroomError):
                stream.sendall(part)
                stream.settimeout(0.05)
                stream.recv(1)
        assert "http.held-bytes" in service.refused
    with service.line() as line:
        assert line.call("echo", text="still here") == "still here"


def test_bytes_that_no_relay_says_are_refused(
    machine: Machine,
) -> None:
    with (
        machine.connect() as isolation,
        machine.fresh(isolation, app(machine)) as services,
    ):
        for name in (b"", bytes(15), bytes(17)):
            with pytest.raises(Malformed):
                services.carry(name, b"")
        carried = services.carry(bytes(16), b"GET / HTTP/1.1\r\n\r\n")
        assert (carried.refused, carried.over) == ("tls.handshake", True)
        assert services.carry(bytes(16), None).data == b""
