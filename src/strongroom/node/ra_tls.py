# SPDX-License-Identifier: Apache-2.0
"""An HTTP server behind RA-TLS: any handler of `http.server`, unchanged."""

import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from strongroom.errors import StrongroomError
from strongroom.services.channel.ra_tls.connection import Endpoint
from strongroom.services.channel.ra_tls.stream import RaTlsStream

HANDSHAKE_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 60.0


class RaTlsHttpServer(ThreadingHTTPServer):
    """Serves requests of peers that its endpoint accepts; nobody else is heard.

    The handshake runs in the thread of the connection, so that a slow peer keeps
    nobody waiting.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        endpoint: Endpoint,
        refused: Callable[[StrongroomError], None],
    ) -> None:
        """Listen.

        Args:
            address: host and port; port 0 takes a free one.
            handler: as `http.server` has it.
            endpoint: who is shown, and who is accepted.
            refused: is told of every peer or path that was refused.
        """
        self._endpoint, self._refused = endpoint, refused
        super().__init__(address, handler)

    def finish_request(self, request: object, client_address: object) -> None:
        """Run the handshake, then the handler on what is inside."""
        connected = cast("socket.socket", request)
        connected.settimeout(HANDSHAKE_TIMEOUT_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with RaTlsStream.open(connected, self._endpoint) as stream:
            stream.settimeout(IDLE_TIMEOUT_S)
            super().finish_request(cast("socket.socket", stream), client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell of a refusal; what else a handler raised is shown as always."""
        error = sys.exception()
        if isinstance(error, StrongroomError):
            self._refused(error)
        else:
            super().handle_error(cast("socket.socket", request), client_address)
