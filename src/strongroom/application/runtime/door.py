# SPDX-License-Identifier: Apache-2.0
"""The door of a service app: RA-TLS ends here, inside, and HTTP begins (CHAN, 7.5).

The ordinary side only carries records (`CARRY`): it gives each connection a name, its
bytes in, and takes bytes out.

    POST /.strongroom/call      [method, payload] in CBOR, as over the gate
    POST /commands/NAME         an entry point, its values and its answer in JSON
    anything else               the ASGI application that the manifest names
"""

import importlib
import json
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import unquote

from strongroom.application.runtime.asgi import run_asgi
from strongroom.application.runtime.http import (
    HttpTalk,
    Request,
    Response,
    status_of,
)
from strongroom.application.sdk.calls import (
    decode_answer,
    encode_answer,
    inner_call,
)
from strongroom.application.sdk.inside import InsideServices
from strongroom.application.sdk.interface import FIRST_ENTRY
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import HTTP, HTTP_COMMANDS, Manifest
from strongroom.core.codec.permits import Caller, allows_command, reached
from strongroom.core.rats import Call
from strongroom.errors import Malformed, NotFound, StrongroomError
from strongroom.services.channel.ra_tls.connection import RaTlsConnection

MAX_CONNECTIONS = 256
MAX_HELD_BYTES = 32 << 20
"""Of unfinished requests and answers of all connections together."""
NAME_BYTES = 16
_PART_BYTES = 1 << 20
_CALL, _COMMANDS = b"/.strongroom/call", b"/commands/"
_CBOR, _JSON = "application/cbor", "application/json"
_OUT_OF_MEMORY = 507
Serve = Callable[[Call, Caller], bytes]


class Door:
    """Every RA-TLS connection of one app, by the names that the relay gives."""

    def __init__(
        self, services: InsideServices, manifest: Manifest, serve: Serve
    ) -> None:
        """Begin without connections.

        Args:
            services: of the app, for its certificate and its own use.
            manifest: what is served over HTTP, and to whom.
            serve: answers a call of a caller.
        """
        self._services, self._manifest, self._serve = services, manifest, serve
        self._talks: OrderedDict[bytes, _Talk] = OrderedDict()

    def carry(self, payload: bytes) -> bytes:
        """Take bytes of a connection; return what goes back on it.

        The longest silent connection is dropped where there are too many; the one that
        speaks is where they hold too much together.

        Raises:
            Malformed: not what a relay says.
        """
        match cbor.decode(payload):
            case {"connection": bytes() as name, "data": bytes() as data, **rest}:
                if rest or len(name) != NAME_BYTES:
                    raise Malformed(_NO_RELAY)
            case {"connection": bytes() as name}:
                self._talks.pop(name, None)
                return encode_answer(_NO_MORE)
            case _:
                raise Malformed(_NO_RELAY)
        talk = self._talks.pop(name, None) or self._begin()
        answer = talk.feed(data)
        if self._is_full(talk):
            return encode_answer({**_NO_MORE, "refused": _FULL, "over": True})
        if not talk.is_over:
            self._talks[name] = talk
        if len(self._talks) > MAX_CONNECTIONS:
            self._talks.popitem(last=False)
        return encode_answer({**answer, "over": talk.is_over})

    def _is_full(self, newest: "_Talk") -> bool:
        held = sum(each.held_bytes for each in (newest, *self._talks.values()))
        return held > MAX_HELD_BYTES

    def _begin(self) -> "_Talk":
        connection = self._services.tls_server().connection()
        return _Talk(connection, HttpTalk(self._answer))

    def _answer(self, request: Request, caller: Caller) -> Response:
        """Answer a request; whatever goes wrong is an answer too."""
        try:
            if request.target == _CALL:
                return self._called(request, caller)
            return self._http(request, caller)
        except StrongroomError as error:
            return _told(error, status_of(error))
        except MemoryError:
            limit = reached("memory_bytes", self._manifest.memory_bytes)
            return _told(limit, _OUT_OF_MEMORY)

    def _called(self, request: Request, caller: Caller) -> Response:
        try:
            call = inner_call(request.body)
            value = [True, self._serve(call, caller)]
        except StrongroomError as error:
            value = [False, cbor.encode(error.to_value())]
        return Response(200, _CBOR, cbor.encode(value))

    def _http(self, request: Request, caller: Caller) -> Response:
        served = self._manifest.http
        if served and request.target.startswith(_COMMANDS):
            return self._command(request, caller)
        if served in ("", HTTP_COMMANDS):
            raise NotFound(_NOTHING)
        allows_command(self._manifest, HTTP, caller)
        module, name = served.split(":")
        application = getattr(importlib.import_module(module), name)
        extension = {"services": self._services, "caller": str(caller)}
        return run_asgi(application, request, extension)

    def _command(self, request: Request, caller: Caller) -> Response:
        """Call an entry point with values in JSON (RFC 8259)."""
        name = unquote(request.target.removeprefix(_COMMANDS).decode("latin-1"))
        names = [each.name for each in self._manifest.entry_points]
        if request.method != "POST" or name not in names:
            raise NotFound(_NOTHING)
        call = Call(FIRST_ENTRY + names.index(name), json_values(request.body), ())
        value = decode_answer(self._serve(call, caller))
        if isinstance(value, bytes):
            return Response(200, "application/octet-stream", value)
        return Response(200, _JSON, json.dumps(value, default=bytes.hex).encode())


class _Talk:
    """One connection: TLS outside, HTTP in it."""

    def __init__(self, connection: RaTlsConnection, http: HttpTalk) -> None:
        self._tls, self._http = connection, http
        self._out = bytearray()
        self._done = False

    @property
    def is_over(self) -> bool:
        """Whether everything was said that there was to say."""
        return self._done and not self._out

    @property
    def held_bytes(self) -> int:
        """How much memory the connection takes, but for a little."""
        return self._tls.held_bytes + self._http.held_bytes + len(self._out)

    def feed(self, data: bytes) -> dict[str, object]:
        """Take bytes from the path; return a part of what goes onto it."""
        refused = ""
        if not self._done:
            try:
                self._go_on(data)
            except StrongroomError as error:
                self._done = True
                refused = error.findings[0].rule if error.findings else error.code
            self._out += self._tls.outgoing()
        part = bytes(self._out[:_PART_BYTES])
        del self._out[:_PART_BYTES]
        return {"data": part, "more": bool(self._out), "refused": refused}

    def _go_on(self, data: bytes) -> None:
        self._tls.feed(data)
        if self._tls.is_open:
            said = self._http.feed(self._tls.take(), self._tls.caller)
            if said:
                self._tls.send(said)
            if self._http.over or self._tls.ended:
                self._tls.close()
                self._done = True


def json_values(body: bytes) -> bytes:
    """Return the values of a request in JSON (RFC 8259) as the payload of a call.

    Raises:
        Malformed: no JSON, or values that CBOR of ours does not hold.
    """
    try:
        value = json.loads(body or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        message = "the values of a command are a map in JSON"
        raise Malformed(message) from error
    return cbor.encode(value)


def _told(error: StrongroomError, status: int) -> Response:
    return Response(status, _JSON, json.dumps(error.to_value()).encode())


def _no_number(name: str) -> object:
    raise ValueError(name)


_NO_RELAY = "a relay says the name of a connection and its bytes, or its name alone"
_NO_MORE = {"data": b"", "more": False, "refused": ""}
_FULL = "http.held-bytes"
_NOTHING = "nothing is served here under this name and method"
