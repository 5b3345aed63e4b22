# SPDX-License-Identifier: Apache-2.0
"""What every HTTP service here answers with: CBOR maps, and errors by what to do."""

from fastapi import Request, Response

from strongroom.core.codec import cbor
from strongroom.errors import (
    LimitReached,
    Malformed,
    NotFound,
    Refused,
    StrongroomError,
    Unavailable,
)

CBOR = "application/cbor"
_STATUS: dict[type[StrongroomError], int] = {
    Malformed: 400,
    Refused: 403,
    NotFound: 404,
    LimitReached: 413,
    Unavailable: 503,
}


async def error_response(_: Request, error: Exception) -> Response:
    """Return an error of this package as a map, with the status of its kind."""
    value = error.to_value() if isinstance(error, StrongroomError) else {}
    status = next(
        (code for kind, code in _STATUS.items() if isinstance(error, kind)), 409
    )
    return Response(cbor.encode(value), status, media_type=CBOR)


def reply(value: object) -> Response:
    """Return a value in CBOR."""
    return Response(cbor.encode(value), media_type=CBOR)


async def body_of(request: Request, limit: int) -> bytes:
    """Return the body of a request.

    Raises:
        LimitReached: longer than `limit` bytes.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            message = f"a message is at most {limit} bytes"
            raise LimitReached(message)
    return bytes(body)


async def body_map(request: Request, limit: int) -> dict[str, object]:
    """Return the map in the body of a request.

    Raises:
        LimitReached: longer than `limit` bytes.
        Malformed: no map.
    """
    value = cbor.decode(await body_of(request, limit))
    if not isinstance(value, dict):
        message = "a message is a CBOR map"
        raise Malformed(message)
    return value
