# SPDX-License-Identifier: Apache-2.0
"""An ASGI application inside an enclave, one whole request at a time.

There is no event loop and no network in an enclave: the application may await
`receive` and `send`, and nothing else. Who calls, and the fifteen functions, are in
`scope["extensions"]["strongroom"]`.
"""

from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import TypeAlias
from urllib.parse import unquote

from strongroom.application.runtime.http import (
    MAX_BODY_BYTES,
    Request,
    Response,
    text_headers,
)
from strongroom.errors import AppFailed, LimitReached, StrongroomError

Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[
    [Message, Receive, Send], Coroutine[object, object, None]
]


def run_asgi(
    application: Application, request: Request, extension: dict[str, object]
) -> Response:
    """Return what an application answers.

    Args:
        application: as ASGI 3.0 has it.
        request: a whole one.
        extension: what it finds under `scope["extensions"]["strongroom"]`.

    Raises:
        AppFailed: it raised, answered nothing, or awaited something else.
        LimitReached: its answer has more than `MAX_BODY_BYTES`.
    """
    answer = _Answer(request.body)
    try:
        running = application(_scope(request, extension), answer.receive, answer.send)
        try:
            running.send(None)
        except StopIteration:
            return answer.response()
        running.close()
    except (MemoryError, StrongroomError):
        raise
    except BaseException as error:
        message = "the app raised an error; run it on data of your own to see it"
        raise AppFailed(message) from error
    message = "the app awaits something else than receive and send"
    raise AppFailed(message)


def _scope(request: Request, extension: dict[str, object]) -> Message:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "https",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "client": None,
        "server": None,
        "extensions": {"strongroom": extension},
    }


class _Answer:
    """What an application receives and sends."""

    def __init__(self, body: bytes) -> None:
        self._request: bytes | None = body
        self._start: Message | None = None
        self._body = bytearray()

    async def receive(self) -> Message:
        """Return the body, then that nothing more comes."""
        body, self._request = self._request, None
        if body is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        part = message.get("body", b"")
        self._body += part if isinstance(part, bytes) else b""
        if len(self._body) > MAX_BODY_BYTES:
            text = f"an answer over HTTP has at most {MAX_BODY_BYTES} bytes"
            raise LimitReached(text)

    def response(self) -> Response:
        """Return the whole answer."""
        match self._start:
            case {"status": int() as status, **rest} if 200 <= status <= 599:  # noqa: PLR2004 - RFC 9110 section 15
                rows = rest.get("headers", [])
                headers = text_headers(rows if isinstance(rows, list | tuple) else [])
                return Response(status, "", bytes(self._body), headers)
            case _:
                message = "the app answered nothing"
                raise AppFailed(message)
