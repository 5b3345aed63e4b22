# SPDX-License-Identifier: Apache-2.0
"""Enclaves and parties that speak RA-TLS, and men between them who terminate it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from strongroom.core.crypto.tls import TlsConnection
from strongroom.core.rats import Evidence
from strongroom.errors import StrongroomError
from strongroom.node.ra_tls import RaTlsHttpServer
from strongroom.services.channel.ra_tls.certificate import (
    Report,
    Shown,
    show_enclave,
    show_key,
)
from strongroom.services.channel.ra_tls.connection import (
    Endpoint,
    RaTlsConnection,
    client_end,
    server_end,
)
from strongroom.services.channel.ra_tls.peer import Anybody, Enclave, KnownKey, Peer
from tests.services.channel.judging import appraisal
from tests.services.ra_world import NOW, Platform, World

VALID = (NOW - 60, NOW + 3600)
ANYBODY = Anybody("a test serves whoever comes")
SECRET = b"the secret of the application"


def report_of(platform: Platform) -> Report:
    """Return what makes app evidence, signed by the monitor of this platform."""

    def report(nonce: bytes, user_data: bytes) -> bytes:
        return platform.app(nonce, user_data=user_data)

    return report


def enclave(
    world: World,
    platform: Platform | None = None,
    validity: tuple[int, int] = VALID,
) -> Shown:
    on = platform or world.platform
    brought = Evidence("simulated", on.platform(b"a nonce of the host's", NOW), b"")
    return show_enclave(world.suite_id, brought, report_of(on), validity)


def party(world: World) -> Shown:
    return show_key(world.suite_id, VALID)


def accepts_enclave(world: World, remember_s: int = 0, age_s: int = 0) -> Enclave:
    return Enclave(appraisal(world), lambda: world.now, remember_s, age_s)


def accepts_key(world: World, shown: Shown) -> KnownKey:
    spki = shown.credential.certificate.spki
    return KnownKey(frozenset({spki}), lambda: world.now)


def client(world: World, shown: Shown | None = None) -> Endpoint:
    return client_end(world.suite_id, shown, accepts_enclave(world))


def server(
    world: World, peer: Peer | Anybody = ANYBODY, shown: Shown | None = None
) -> Endpoint:
    return server_end(world.suite_id, shown or enclave(world), peer)


End = RaTlsConnection | TlsConnection
Change = Callable[[bytes], bytes]


def unchanged(data: bytes) -> bytes:
    return data


@dataclass
class Wire:
    """Carries bytes between a client and a server in memory until nothing moves."""

    client: RaTlsConnection
    server: RaTlsConnection
    to_server: Change = unchanged
    to_client: Change = unchanged
    errors: dict[str, StrongroomError] = field(default_factory=dict)

    def run(self) -> "Wire":
        self._feed("client", self.client, b"")
        self._feed("server", self.server, b"")
        for _ in range(12):
            there = self.client.outgoing()
            self._feed("server", self.server, self.to_server(there) if there else b"")
            back = self.server.outgoing()
            self._feed("client", self.client, self.to_client(back) if back else b"")
            if not there and not back:
                break
        return self

    def _feed(self, name: str, end: RaTlsConnection, data: bytes) -> None:
        if name in self.errors:
            return
        try:
            end.feed(data)
        except StrongroomError as error:
            self.errors[name] = error

    @property
    def rules(self) -> dict[str, list[str]]:
        return {
            name: [finding.rule for finding in error.findings]
            for name, error in self.errors.items()
        }


def wire(one: Endpoint, other: Endpoint) -> Wire:
    return Wire(one.connection(), other.connection())


class Hello(BaseHTTPRequestHandler):
    """Answers every request by the secret, and echoes what is posted."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(SECRET)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).upper())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[tuple[int, list[StrongroomError]]]:
    """Serve `Hello` on a free port; yields it, and what was refused."""
    refused: list[StrongroomError] = []
    made = RaTlsHttpServer(("127.0.0.1", 0), Hello, endpoint, refused.append)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made.server_address[1], refused
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


Rewrite = Callable[[str, bytes], bytes]
"""(direction, bytes) -> the bytes that go on instead."""


class Man:
    """Passes TCP on to a port and rewrites it as he likes."""

    def __init__(self, port: int, change: Rewrite) -> None:
        self._port, self._change = port, change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self._sockets = [self._listener]
        self._over = threading.Event()
        self._workers = [threading.Thread(target=self._relay)]
        self._workers[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._over.set()
        for worker in self._workers:
            worker.join(2)
        for each in self._sockets:
            each.close()

    def _relay(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                self._pass_on(self._listener.accept()[0])

    def _pass_on(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self._port))
        self._sockets += [near, far]
        for pair in ((near, far, "to server"), (far, near, "to client")):
            worker = threading.Thread(target=self._carry, args=pair)
            worker.start()
            self._workers.append(worker)

    def _carry(self, source: socket.socket, target: socket.socket, name: str) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(self._change(name, data))
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def carried(port: int, change: Rewrite) -> Iterator[int]:
    """Yield the port of a man in the middle before `port`."""
    man = Man(port, change)
    try:
        yield man.port
    finally:
        man.close()
