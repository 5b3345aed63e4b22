# SPDX-License-Identifier: Apache-2.0
"""A TCP port in front of an enclave: carries the records of RA-TLS, reads none (7.5).

An enclave has no network. What comes on a connection goes to it call by call, and what
it answers goes back; the keys of TLS are inside.
"""

import os
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, cast

from strongroom.application.sdk.outside import OutsideServices
from strongroom.errors import StrongroomError

IDLE_TIMEOUT_S = 60.0
MAX_CLIENTS = 200
_READ_BYTES = 1 << 17
_NAME_BYTES = 16
_POLL_S = 0.1
Refused = Callable[[str], None]


class Relay:
    """Serves one port for one app; a context manager that closes it.

    Attributes:
        address: host and port that it listens on.
    """

    def __init__(
        self,
        services: OutsideServices,
        address: tuple[str, int],
        refused: Refused,
    ) -> None:
        """Listen.

        Args:
            services: with the app created.
            address: host and port; port 0 takes a free one.
            refused: is told the rule by which a connection ended.

        Raises:
            OSError: the port is not to be had.
        """
        self._server = _Server(address, services, refused)
        host, port = self._server.server_address[:2]
        self.address = str(host), int(port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], services: OutsideServices, refused: Refused
    ) -> None:
        self.services, self.refused = services, refused
        self._places = threading.BoundedSemaphore(MAX_CLIENTS)
        super().__init__(address, _Client)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Let a client in if there is a place."""
        del request, client_address
        return self._places.acquire(blocking=False)

    def close_request(self, request: object) -> None:
        """Close a socket that nobody was let in on, or that is done."""
        if isinstance(request, socket.socket):
            request.close()

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the connection is gone, which is what its client sees."""
        del request, client_address


class _Client(socketserver.BaseRequestHandler):
    """One connection."""

    request: socket.socket

    def setup(self) -> None:
        self._place = cast("_Server", self.server)
        self._name, self._over = os.urandom(_NAME_BYTES), False

    def handle(self) -> None:
        self.request.settimeout(IDLE_TIMEOUT_S)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self._over and (data := self.request.recv(_READ_BYTES)):
            self._carry(data)

    def finish(self) -> None:
        try:
            if not self._over:
                with suppress(StrongroomError):
                    self._place.services.carry(self._name, None)
        finally:
            self._place.leave()

    def _carry(self, data: bytes) -> None:
        more: object = True
        while more:
            back = self._place.services.carry(self._name, data)
            if back.data:
                self.request.sendall(back.data)
            data, more, self._over = b"", back.more, bool(back.over)
            if back.refused:
                self._place.refused(back.refused)
