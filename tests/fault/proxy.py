# SPDX-License-Identifier: Apache-2.0
"""A wire on which a test can stop time: an HTTP proxy before the management node."""

import contextlib
import http.client
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

TIMEOUT_S = 20.0
When = Literal["before", "after"]


class Hold:
    """One request, stopped before the node hears it or after the node answered."""

    def __init__(self, pattern: str, when: When) -> None:
        self._pattern, self._when = re.compile(pattern), when
        self._reached, self._go = threading.Event(), threading.Event()
        self._dropped = False

    def stop(self, when: When, path: str) -> bool:
        """Stop here if this is the request; return whether it is to be dropped."""
        if (
            when != self._when
            or self._reached.is_set()
            or not self._pattern.search(path)
        ):
            return False
        self._reached.set()
        self._go.wait(TIMEOUT_S)
        return self._dropped

    def wait(self) -> None:
        """Wait until the request is here."""
        assert self._reached.wait(TIMEOUT_S), f"no request for {self._pattern.pattern}"

    def drop(self) -> None:
        """Let go, and lose the request or its answer."""
        self._dropped = True
        self._go.set()

    def let_go(self) -> None:
        """Let it go on."""
        self._go.set()


class Proxy:
    """Passes every request on, unless a hold stops it."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._holds: list[Hold] = []
        proxy = self

        class Handler(_Handler):
            wire = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def hold(self, pattern: str, when: When) -> Iterator[Hold]:
        """Stop the first request whose path fits, while the context lasts."""
        hold = Hold(pattern, when)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            hold.let_go()
            self._holds.remove(hold)

    def stop(self, when: When, path: str) -> bool:
        """Stop where a hold says so; return whether to drop."""
        return any(hold.stop(when, path) for hold in list(self._holds))

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever was killed has closed its end."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wire: Proxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - of the base
        """Say nothing."""

    def _pass(self) -> None:
        body = self._body()
        self.close_connection = True
        if self.wire.stop("before", self.path):
            return
        link = http.client.HTTPConnection(
            "127.0.0.1", self.wire.target, timeout=TIMEOUT_S
        )
        try:
            link.request(self.command, self.path, body)
            with link.getresponse() as reply:
                status, data = reply.status, reply.read()
        except (OSError, http.client.HTTPException):
            return
        finally:
            link.close()
        if self.wire.stop("after", self.path):
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET: Callable[["_Handler"], None] = _pass  # noqa: N815 - of the base
    do_POST: Callable[["_Handler"], None] = _pass  # noqa: N815 - of the base
    do_PUT: Callable[["_Handler"], None] = _pass  # noqa: N815 - of the base
