# SPDX-License-Identifier: Apache-2.0
"""Refresh a store of endorsements: the one place that asks vendors for documents.

Whatever comes back is only stored: verifiers check signatures and dates at use, and
the store refuses roots and documents that are older than those it holds.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import unquote

import httpx

from strongroom.client.endorsement_sources import Wanted
from strongroom.core.codec.layout import NOT_LAID_OUT
from strongroom.core.crypto.x509 import Certificate
from strongroom.errors import LimitReached, Malformed, StrongroomError, Unavailable
from strongroom.management.endorsements import EndorsementStore, Incoming

MAX_ANSWER_BYTES = 16 << 20
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Answer:
    """What a vendor's service sent: body, and headers by their lower-case name."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Fetcher(Protocol):
    """Gets a document from somewhere: HTTPS, a mirror, a cache of one's own."""

    def fetch(self, url: str) -> Answer:
        """Return what is at `url`.

        Raises:
            Unavailable: nobody answers, or not with a document.
            LimitReached: the answer is too long.
        """


class HttpFetcher:
    """Fetches by HTTP; follows no redirect, so that the file says where to go."""

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._http = httpx.Client(timeout=timeout_s, follow_redirects=False)

    def fetch(self, url: str) -> Answer:
        """Return what is at `url`; raises as `Fetcher.fetch`."""
        body = bytearray()
        try:
            with self._http.stream("GET", url) as reply:
                if not reply.is_success:
                    message = f"{url} answers with status {reply.status_code}"
                    raise Unavailable(message)
                for part in reply.iter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        message = f"{url} gives more than {MAX_ANSWER_BYTES} bytes"
                        raise LimitReached(message)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"{url} does not answer: {type(error).__name__}"
            raise Unavailable(message) from error
        return Answer(bytes(body), {k.lower(): v for k, v in reply.headers.items()})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@dataclass(frozen=True)
class Refreshed:
    """How one document fared; `error` says why it failed."""

    url: str
    role: str
    outcome: Literal["new", "unchanged", "failed"]
    error: str = ""


def refresh(
    store: EndorsementStore, wanted: Iterable[Wanted], fetcher: Fetcher, now: int
) -> tuple[Refreshed, ...]:
    """Fetch what is wanted into the store; one that fails leaves the others.

    What a store holds already stays until something newer has arrived.
    """
    return tuple(_one(store, each, fetcher, now) for each in wanted)


def _one(
    store: EndorsementStore, wanted: Wanted, fetcher: Fetcher, now: int
) -> Refreshed:
    try:
        answer = fetcher.fetch(wanted.url)
        new = store.add(_documents(wanted, answer), now, anchors=False)
    except StrongroomError as error:
        return Refreshed(wanted.url, wanted.role, "failed", error.message)
    return Refreshed(wanted.url, wanted.role, "new" if new else "unchanged")


def _documents(wanted: Wanted, answer: Answer) -> Iterator[Incoming]:
    for data in _read(wanted, answer.body):
        yield Incoming(wanted.role, wanted.kinds, data, wanted.url)
    if wanted.chain_header:
        chain = unquote(answer.headers.get(wanted.chain_header.lower(), "")).encode()
        if not chain:
            message = f"{wanted.url} gives no {wanted.chain_header}"
            raise Malformed(message)
        yield Incoming(f"{wanted.role}_issuer_chain", wanted.kinds, chain, wanted.url)


def _read(wanted: Wanted, body: bytes) -> list[bytes]:
    match wanted.reading:
        case "as-is":
            return [body]
        case "certificates":
            found = Certificate.read_all(body)
            return [each.der for each in found if each.subject != each.issuer]
        case "rim":
            return [_rim(wanted, body)]


def _rim(wanted: Wanted, body: bytes) -> bytes:
    try:
        return base64.b64decode(json.loads(body)["rim"], validate=True)
    except NOT_LAID_OUT as error:
        message = f"{wanted.url} gives no rim"
        raise Malformed(message) from error
