# SPDX-License-Identifier: Apache-2.0
"""HTTP and ASGI inside an enclave, by themselves: what clients and apps may say."""

import h11
import pytest
from hypothesis import given, settings, strategies as st

from strongroom.application.runtime.asgi import (
    Application,
    Message,
    Receive,
    Send,
    run_asgi,
)
from strongroom.application.runtime.http import HttpTalk, Request, Response
from strongroom.core.codec.permits import ANYONE, Caller
from strongroom.errors import AppFailed, Misconfigured, StrongroomError

POST = b"POST /a?b HTTP/1.1\r\nhost: x\r\n"


def echo(request: Request, caller: Caller) -> Response:
    """Answer with what came."""
    assert caller is ANYONE
    return Response(200, "text/plain", request.method.encode() + b" " + request.body)


def answers(said: bytes, method: bytes = b"POST") -> list[tuple[int, bytes]]:
    """Read answers as a client of another library does."""
    client, found = h11.Connection(h11.CLIENT), list[tuple[int, bytes]]()
    client.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(said)
    status, body = 0, b""
    while True:
        event = client.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            found.append((status, body))
            return found
        elif not isinstance(event, h11.InformationalResponse):
            return found


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_request_may_come_in_any_parts(step: int) -> None:
    for framed in (
        b"content-length: 5\r\n\r\nhello",
        b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"content-length: 5\r\nexpect: 100-continue\r\n\r\nhello",
    ):
        talk, data = HttpTalk(echo), POST + framed
        parts = [data[at : at + step] for at in range(0, len(data), step)]
        said = b"".join(talk.feed(part, ANYONE) for part in parts)
        assert answers(said) == [(200, b"POST hello")]
        assert not talk.over


def test_requests_in_one_go_are_answered_in_order_until_the_client_closes() -> None:
    talk = HttpTalk(echo)
    one = POST + b"content-length: 1\r\n\r\n"
    last = POST + b"connection: close\r\ncontent-length: 1\r\n\r\n3"
    said = talk.feed(one + b"1" + one + b"2" + last, ANYONE)
    assert [said.count(b"POST %d" % n) for n in (1, 2, 3)] == [1, 1, 1]
    assert talk.over
    assert talk.feed(one + b"4", ANYONE) == b""


def test_head_has_the_length_and_no_body() -> None:
    talk = HttpTalk(echo)
    said = talk.feed(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n", ANYONE)
    assert b"content-length: 5" in said
    assert said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "wrong",
    [
        b"no http\r\n\r\n",
        POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
        POST + b"transfer-encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        POST + b"a: " + b"x" * 20_000,
    ],
)
def test_what_is_no_http_ends_the_connection(wrong: bytes) -> None:
    talk = HttpTalk(echo)
    said = talk.feed(wrong, ANYONE)
    assert 400 <= answers(said)[0][0] < 600
    assert talk.over


@given(st.lists(st.binary(max_size=40), max_size=8))
@settings(max_examples=80)
def test_any_bytes_are_answered_or_waited_for(parts: list[bytes]) -> None:
    talk = HttpTalk(echo)
    for part in [POST[:10], *parts]:
        talk.feed(part, ANYONE)


def test_an_app_cannot_break_the_framing_of_its_answer() -> None:
    def torn(request: Request, caller: Caller) -> Response:
        del request, caller
        head = ((b"Content-Length", b"99"), (b"transfer-encoding", b"chunked"))
        return Response(200, "", b"whole", head)

    said = HttpTalk(torn).feed(POST + b"content-length: 0\r\n\r\n", ANYONE)
    assert answers(said) == [(200, b"whole")]


def asgi(application: Application) -> Response:
    """Run an application on one request."""
    return run_asgi(application, Request("GET", b"/%C3%A9?q", (), b""), {})


def test_what_an_asgi_app_does_wrong_is_its_failure_and_tells_nothing() -> None:
    async def silent(scope: Message, receive: Receive, send: Send) -> None:
        del scope, receive, send

    async def raises(scope: Message, receive: Receive, send: Send) -> None:
        del scope, receive, send
        message = "a planted secret"
        raise ValueError(message)

    async def odd(scope: Message, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 7})

    for application in (silent, raises, odd):
        with pytest.raises(AppFailed) as failure:
            asgi(application)
        assert "secret" not in failure.value.message

    async def split(scope: Message, receive: Receive, send: Send) -> None:
        del scope, receive
        head = [(b"a", b"b\r\nset-cookie: c")]
        await send({"type": "http.response.start", "status": 200, "headers": head})

    with pytest.raises(Misconfigured):
        asgi(split)


def test_an_asgi_app_sees_path_and_end_of_the_request() -> None:
    seen: list[object] = []

    async def look(scope: Message, receive: Receive, send: Send) -> None:
        seen.extend([scope["path"], scope["query_string"], scope["scheme"]])
        seen.extend([(await receive())["type"], (await receive())["type"]])
        await send({"type": "http.response.start", "status": 204, "headers": []})

    assert asgi(look).status == 204
    expected = ["/é", b"q", "https", "http.request", "http.disconnect"]
    assert seen == expected


def test_a_refusal_of_the_app_itself_passes() -> None:
    async def refuses(scope: Message, receive: Receive, send: Send) -> None:
        del scope, receive, send
        message = "as it is"
        raise StrongroomError(message)

    with pytest.raises(StrongroomError, match="as it is"):
        asgi(refuses)
