# SPDX-License-Identifier: Apache-2.0
"""A command closes the connections that it opened, however it ends."""

import gc
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from strongroom.core.codec.note import NoteKey
from strongroom.core.crypto import suite
from tests.cli.line import Run

INTL = suite("intl")
KEY = NoteKey("room", INTL.signing_key(b"k" * INTL.sign_seed_bytes).public).to_text()


class _Junk(BaseHTTPRequestHandler):
    """Answers everything with a word, and keeps the line open for more."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"junk")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Junk) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "line",
    [
        ["audit", "fetch", "copy", "--url"],
        ["audit", "verify", "--key", KEY, "--url"],
        ["room", "join"],
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_no_connection_is_left_open(run: Run, url: str, line: list[str]) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        done = run(*line, url)
        gc.collect()
    assert done.code == 3, "the answer is no log and no room"
    assert [each for each in said if each.category is ResourceWarning] == []
