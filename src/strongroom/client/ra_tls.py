# SPDX-License-Identifier: Apache-2.0
"""HTTP to an enclave over RA-TLS: a transport for an ordinary `httpx.Client`.

    httpx.Client(transport=RaTlsTransport(endpoint)).get("https://room:8443/...")

The name in the URL only says where to connect: who answers is what the endpoint's
`Peer` accepts, and not one byte of a request is sent before.
"""

import socket
import typing
from collections.abc import Iterable, Iterator

import httpcore
import httpx

from strongroom.errors import StrongroomError
from strongroom.services.channel.ra_tls.connection import Endpoint
from strongroom.services.channel.ra_tls.stream import RaTlsStream

DEFAULT_TIMEOUT_S = 30.0


class RaTlsTransport(httpx.BaseTransport):
    """Carries requests over connections whose other end was accepted."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Take who is shown and what the server has to be."""
        self._pool = httpcore.ConnectionPool(network_backend=_Backend(endpoint))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            StrongroomError: the other end is refused.
            httpx.HTTPError: everything else, as any transport.
        """
        if request.url.scheme != "https":
            message = "RA-TLS is for https:// alone"
            raise httpx.UnsupportedProtocol(message, request=request)
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = self._pool.handle_request(inner)
        except _FAILURES as error:
            raise httpx.TransportError(str(error), request=request) from error
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(typing.cast("Iterable[bytes]", answer.stream)),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


_FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


class _Body(httpx.SyncByteStream):
    """The body of an answer."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts
        except _FAILURES as error:
            raise httpx.ReadError(str(error)) from error

    def close(self) -> None:
        if hasattr(self._parts, "close"):
            self._parts.close()


class _Backend(httpcore.NetworkBackend):
    """Opens TCP connections that become RA-TLS where others would become TLS."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        source = (local_address, 0) if local_address else None
        try:
            connected = socket.create_connection(
                (host, port), timeout or DEFAULT_TIMEOUT_S, source
            )
            for option in socket_options or ():
                connected.setsockopt(*option)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Tcp(connected, self._endpoint)


class _Tcp(httpcore.NetworkStream):
    """A connection that carries nothing before it is RA-TLS."""

    def __init__(self, connected: socket.socket, endpoint: Endpoint) -> None:
        self._socket, self._endpoint = connected, endpoint

    def start_tls(
        self,
        ssl_context: object,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Run RA-TLS; `ssl_context` and name have no say."""
        del ssl_context, server_hostname
        self._socket.settimeout(timeout or DEFAULT_TIMEOUT_S)
        return _Stream(RaTlsStream.open(self._socket, self._endpoint))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class _Stream(httpcore.NetworkStream):
    """An accepted connection."""

    def __init__(self, stream: RaTlsStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read; an end without close_notify is an error."""
        self._stream.settimeout(timeout or DEFAULT_TIMEOUT_S)
        try:
            return self._stream.recv(max_bytes)
        except StrongroomError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write."""
        self._stream.settimeout(timeout or DEFAULT_TIMEOUT_S)
        try:
            self._stream.sendall(buffer)
        except StrongroomError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close in order."""
        self._stream.close()

    def get_extra_info(self, info: str) -> object:
        """Answer what the pool asks about a connection."""
        return self._stream if info == "ra_tls" else None
