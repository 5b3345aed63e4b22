# SPDX-License-Identifier: Apache-2.0
"""ASGI behind RA-TLS: uvicorn's own HTTP protocol on top of verified connections.

uvicorn.Config(app, http=ra_tls_http(endpoint, refused))
"""

import asyncio
from collections.abc import Callable
from typing import cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from strongroom.errors import StrongroomError
from strongroom.node.ra_tls import HANDSHAKE_TIMEOUT_S
from strongroom.services.channel.ra_tls.connection import Endpoint

Refused = Callable[[StrongroomError], None]


def ra_tls_http(endpoint: Endpoint, refused: Refused) -> type[asyncio.Protocol]:
    """Return a protocol class for `uvicorn.Config(http=...)`.

    Args:
        endpoint: who is shown, and who is accepted.
        refused: is told of every peer or path that was refused.
    """

    class Http(RaTlsProtocol):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, object],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            def inner() -> asyncio.Protocol:
                return H11Protocol(config, server_state, app_state, _loop)

            super().__init__(endpoint, inner, refused)

    return Http


class RaTlsProtocol(asyncio.Protocol):
    """Carries an inner protocol, which exists only once the peer was accepted."""

    def __init__(
        self,
        endpoint: Endpoint,
        inner: Callable[[], asyncio.Protocol],
        refused: Refused,
    ) -> None:
        self.endpoint = endpoint
        self.connection = endpoint.connection()
        self._make, self._refused = inner, refused
        self._inner: asyncio.Protocol | None = None
        self._outer: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, which must be over in time."""
        self._outer = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HANDSHAKE_TIMEOUT_S, self._outer.abort)
        self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        """Feed the connection; give the inner protocol what comes out."""
        try:
            self.connection.feed(data)
        except StrongroomError as error:
            self._refused(error)
            self.flush()
            self._end()
            return
        self.flush()
        if self.connection.is_open:
            self._deliver()

    def eof_received(self) -> bool:
        """Pass the end of the path on; one without close_notify is refused."""
        try:
            self.connection.end()
        except StrongroomError as error:
            self._refused(error)
            self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._cancel()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._inner is not None:
            self._inner.resume_writing()

    def flush(self) -> None:
        """Write what the connection has for the path."""
        outgoing = self.connection.outgoing()
        if outgoing and self._outer is not None and not self._outer.is_closing():
            self._outer.write(outgoing)

    def _deliver(self) -> None:
        if self._inner is None and self._outer is not None:
            self._cancel()
            self._inner = self._make()
            self._inner.connection_made(_Inside(self, self._outer))
        inner = self._inner
        if inner is None:
            return
        if said := self.connection.take():
            inner.data_received(said)
        if self.connection.ended and not inner.eof_received():
            self._end()

    def _end(self) -> None:
        if self._outer is not None:
            self._outer.close()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class _Inside(asyncio.Transport):
    """What the inner protocol writes to."""

    def __init__(self, protocol: RaTlsProtocol, outer: asyncio.Transport) -> None:
        super().__init__()
        self._protocol, self._outer = protocol, outer

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._outer.is_closing():
            self._protocol.connection.send(memoryview(data))
            self._protocol.flush()

    def close(self) -> None:
        self._protocol.connection.close()
        self._protocol.flush()
        self._outer.close()

    def abort(self) -> None:
        self._outer.abort()

    def is_closing(self) -> bool:
        return self._outer.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Answer as TLS does: uvicorn takes the scheme from `sslcontext`."""
        if name == "sslcontext":
            return self._protocol.endpoint
        return self._outer.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._outer.pause_reading()

    def resume_reading(self) -> None:
        self._outer.resume_reading()

    def is_reading(self) -> bool:
        return self._outer.is_reading()
