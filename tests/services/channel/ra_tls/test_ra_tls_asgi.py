# SPDX-License-Identifier: Apache-2.0
"""An ordinary ASGI app under uvicorn, served over RA-TLS to whom it accepts."""

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from time import sleep

import httpx
import pytest
import uvicorn

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.client.ra_tls import RaTlsTransport
from strongroom.errors import StrongroomError
from strongroom.node.ra_tls_asgi import ra_tls_http
from strongroom.services.channel.ra_tls.connection import Endpoint
from tests.services.channel.ra_tls.ra_tls_world import (
    accepts_key,
    carried,
    client,
    party,
    server,
)
from tests.services.ra_world import World

Message = MutableMapping[str, object]


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer by the scheme and the body in capitals."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        part = message.get("body", b"")
        assert isinstance(part, bytes)
        body += part
        more = bool(message.get("more_body"))
    answer = f"{scope['scheme']} ".encode() + bytes(body).upper()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[tuple[int, list[StrongroomError]]]:
    refused: list[StrongroomError] = []
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=ra_tls_http(endpoint, refused.append),
        lifespan="off",
        log_config=None,
        ws="none",
    )
    made = uvicorn.Server(config)
    thread = threading.Thread(target=made.run, args=([listener],))
    thread.start()
    while not made.started:
        sleep(0.01)
    try:
        yield listener.getsockname()[1], refused
    finally:
        made.should_exit = True
        thread.join()
        listener.close()


def test_an_asgi_app_is_served_to_a_party_that_is_known(world: World) -> None:
    mine = party(world)
    with (
        serving(server(world, accepts_key(world, mine))) as (port, refused),
        httpx.Client(transport=RaTlsTransport(client(world, mine))) as session,
    ):
        url = f"https://127.0.0.1:{port}/"
        assert session.post(url, content=b"hello").content == b"https HELLO"
        large = b"abcdefgh" * (1 << 17)
        assert session.post(url, content=large).content == b"https " + large.upper()
    assert refused == []


def test_the_app_hears_nothing_of_a_stranger(world: World) -> None:
    with serving(server(world, accepts_key(world, party(world)))) as (port, refused):
        transport = RaTlsTransport(client(world, party(world)))
        with (
            httpx.Client(transport=transport) as session,
            pytest.raises((httpx.TransportError, StrongroomError)),
        ):
            session.post(f"https://127.0.0.1:{port}/", content=b"hello")
    assert [error.findings[0].rule for error in refused] == ["ra-tls.client"]


def test_a_record_that_was_changed_on_the_path_is_refused(world: World) -> None:
    spoiling: list[bool] = []

    def spoil(name: str, data: bytes) -> bytes:
        if name == "to server" and spoiling:
            return data[:-1] + bytes([data[-1] ^ 1])
        return data

    mine = party(world)
    with (
        serving(server(world, accepts_key(world, mine))) as (port, refused),
        carried(port, spoil) as through,
        httpx.Client(transport=RaTlsTransport(client(world, mine))) as session,
    ):
        url = f"https://127.0.0.1:{through}/"
        assert session.post(url, content=b"hello").content == b"https HELLO"
        spoiling.append(True)
        with pytest.raises((httpx.TransportError, StrongroomError)):
            session.post(url, content=b"hello")
    assert [error.findings[0].rule for error in refused] == ["tls.record"]
