# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 of one connection inside an enclave (RFC 9112), by h11: bytes in and out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import h11

from strongroom.core.codec.permits import Caller
from strongroom.errors import Misconfigured, StrongroomError

MAX_BODY_BYTES = 8 << 20
_FRAMING = {b"content-length", b"transfer-encoding", b"connection"}
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Request:
    """A whole request; names of headers are in lower case."""

    method: str
    target: bytes
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Response:
    """A whole answer; lengths and connection headers are added on the way out."""

    status: int
    media_type: str
    body: bytes
    headers: Headers = ()


Answer = Callable[[Request, Caller], Response]


class HttpTalk:
    """The requests of one connection, one after another.

    Attributes:
        over: nothing more is read or said.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer, self._h11 = answer, h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self.over = False

    @property
    def held_bytes(self) -> int:
        """How much of a request has come."""
        return len(self._body)

    def feed(self, data: bytes, caller: Caller) -> bytes:
        """Take bytes of a client; return what goes back."""
        if not data or self.over:
            return b""
        said = bytearray()
        try:
            self._h11.receive_data(data)
            while self._step(said, caller):
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(said, error.error_status_hint)
        return bytes(said)

    def _step(self, said: bytearray, caller: Caller) -> bool:
        """Handle one event; return False where the client has to say more first."""
        event = self._h11.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED:
            if self._h11.they_are_waiting_for_100_continue:
                said += self._say(
                    h11.InformationalResponse(status_code=100, headers=[])
                )
            return False
        if isinstance(event, h11.Request):
            self._head, self._body = event, bytearray()
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > MAX_BODY_BYTES:
                self._refuse(said, 413)
        elif isinstance(event, h11.EndOfMessage) and self._head is not None:
            self._reply(said, self._head, caller)
        else:
            self.over = True
        return not self.over

    def _reply(self, said: bytearray, head: h11.Request, caller: Caller) -> None:
        request = Request(
            head.method.decode("ascii"),
            head.target,
            tuple((bytes(name), bytes(value)) for name, value in head.headers),
            bytes(self._body),
        )
        self._body = bytearray()
        response = self._answer(request, caller)
        self._respond(said, response, with_body=request.method != "HEAD")
        if self._h11.our_state is h11.MUST_CLOSE:
            self.over = True
        else:
            self._h11.start_next_cycle()

    def _respond(
        self, said: bytearray, response: Response, *, with_body: bool = True
    ) -> None:
        kept = [row for row in response.headers if row[0].lower() not in _FRAMING]
        if response.media_type:
            kept.append((b"content-type", response.media_type.encode()))
        kept.append((b"content-length", str(len(response.body)).encode()))
        said += self._say(h11.Response(status_code=response.status, headers=kept))
        if with_body and response.body:
            said += self._say(h11.Data(data=response.body))
        said += self._say(h11.EndOfMessage())

    def _refuse(self, said: bytearray, status: int) -> None:
        """Say what is wrong with the bytes of a client, and end."""
        self.over = True
        if self._h11.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._respond(said, Response(status, "", b""))

    def _say(self, event: h11.Event) -> bytes:
        try:
            return self._h11.send(event) or b""
        except h11.LocalProtocolError as error:
            message = "the app's answer is no HTTP"
            raise Misconfigured(message) from error


def text_headers(rows: Iterable[object]) -> Headers:
    """Return headers as an application gave them.

    Raises:
        Misconfigured: not pairs of bytes that HTTP can carry.
    """
    found = []
    for row in rows:
        match row:
            case [bytes() as name, bytes() as value]:
                found.append((name, value))
            case _:
                raise Misconfigured(_NO_PAIR)
    try:
        h11.Response(status_code=200, headers=found)
    except h11.LocalProtocolError as error:
        raise Misconfigured(_NO_PAIR) from error
    return tuple(found)


_NO_PAIR = "headers are pairs of bytes that HTTP can carry"
_STATUS = {
    "malformed": 400,
    "refused": 403,
    "untrusted": 403,
    "stale": 403,
    "tampered": 403,
    "not-found": 404,
    "conflict": 409,
    "limit-reached": 413,
    "unavailable": 503,
}


def status_of(error: StrongroomError) -> int:
    """Return the status that says what kind of error it is (RFC 9110 section 15)."""
    return _STATUS.get(error.code, 500)
