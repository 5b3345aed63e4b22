# SPDX-License-Identifier: Apache-2.0
"""A compute node's line to its management node: HTTP with CBOR, all of it opaque."""

from pathlib import Path

import httpx

from strongroom.core.codec import cbor
from strongroom.errors import Malformed, Unavailable, error_from_value
from strongroom.node.store import Kind


class ManagementNode:
    """The HTTP paths of a management node that a compute node uses."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60.0)

    def post(self, path: str, value: dict[str, object]) -> dict[str, object]:
        """Ask for one thing.

        Raises:
            Unavailable: no answer.
            StrongroomError: what the node or the broker answered.
        """
        return map_of(self._send("POST", path, cbor.encode(value)))

    def get(self, path: str) -> bytes:
        """Return what a path serves."""
        return self._send("GET", path, b"")

    def _send(self, method: str, path: str, body: bytes) -> bytes:
        try:
            reply = self._http.request(method, path, content=body)
        except httpx.HTTPError as error:
            message = f"the management node does not answer: {type(error).__name__}"
            raise Unavailable(message) from error
        if not reply.is_success:
            raise error_from_value(cbor.decode(reply.content))
        return reply.content

    def download(self, kind: Kind, name: str, target: Path) -> None:
        """Fetch a file of the store into `target`."""
        try:
            with self._http.stream("GET", f"/v1/{kind}/{name}") as reply:
                if not reply.is_success:
                    raise error_from_value(cbor.decode(reply.read()))
                with target.open("wb") as file:
                    for part in reply.iter_bytes(1 << 20):
                        file.write(part)
        except httpx.HTTPError as error:
            message = f"the store does not answer: {type(error).__name__}"
            raise Unavailable(message) from error

    def upload(self, kind: Kind, name: str, source: Path) -> None:
        """Put a file into the store."""
        with source.open("rb") as file:
            parts = iter(lambda: file.read(1 << 20), b"")
            try:
                reply = self._http.put(f"/v1/{kind}/{name}", content=parts)
            except httpx.HTTPError as error:
                message = f"the store does not answer: {type(error).__name__}"
                raise Unavailable(message) from error
        if not reply.is_success:
            raise error_from_value(cbor.decode(reply.content))


def map_of(data: bytes) -> dict[str, object]:
    """Return the map in an answer.

    Raises:
        Malformed: it is none.
    """
    value = cbor.decode(data)
    if not isinstance(value, dict):
        message = "an answer is not a map"
        raise Malformed(message)
    return value


def bytes_of(value: object) -> bytes:
    """Return a value that must be bytes.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(value, bytes):
        message = "an answer holds something other than bytes"
        raise Malformed(message)
    return value
