# SPDX-License-Identifier: Apache-2.0
"""What clients send to a service app once TLS is off: HTTP, and values in JSON."""

from collections.abc import Iterator

from strongroom.application.runtime.http import HttpTalk, Request, Response
from strongroom.core.codec.permits import ANYONE, Caller

_PART_BYTES = 7


def talk(data: bytes) -> bytes:
    """Feed a connection in parts; whatever a client says, it is answered in HTTP."""
    served = HttpTalk(_answer)
    parts = range(0, len(data), _PART_BYTES)
    return b"".join(served.feed(data[at : at + _PART_BYTES], ANYONE) for at in parts)


def requests() -> Iterator[bytes]:
    """Yield requests as clients write them."""
    yield b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2
    head = b"POST /commands/a HTTP/1.1\r\nhost: a\r\n"
    yield head + b"content-length: 2\r\nexpect: 100-continue\r\n\r\n{}"
    yield head + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


def values() -> Iterator[bytes]:
    """Yield values as clients write them."""
    yield b'{"text": "a", "n": [1, 2.5, true, null]}'
    yield b'{"n": ' + b"9" * 5000 + b"}"
    yield b"[" * 100_000


def _answer(request: Request, caller: Caller) -> Response:
    del caller
    return Response(200, "text/plain", request.body + request.target)
