# SPDX-License-Identifier: Apache-2.0
"""The event log of dstack guests: JSON, one object an event, replayed into RTMRs.

An event of the guest's own (type 0x08000001) has one of two digests; it is recomputed,
and a log may leave it out:

    version 1   SHA-384(type, little-endian || ":" || name || ":" || payload)
    version 2   SHA-384 of {"name":...,"payload":hex,"type":134217729} (RFC 8785)

Of the firmware's events the log has the digests, and the data where they are kept.
"""

import hashlib
import json

from strongroom.core.rats import LoggedEvent
from strongroom.errors import Malformed
from strongroom.hardware.tcg.event_data import said_to_be_measured
from strongroom.hardware.tdx.abi import RTMRS

_RUNTIME = 0x08000001
_DIGEST_BYTES = 48
_MAX_EVENTS, _MAX_BYTES = 4096, 4 << 20


def read_runtime_log(data: bytes) -> tuple[LoggedEvent, ...]:
    """Read the log.

    Raises:
        Malformed: it is none, is too long, or a digest is not that of its event.
    """
    if len(data) > _MAX_BYTES:
        raise Malformed(_BAD)
    try:
        rows = json.loads(data)
        if not isinstance(rows, list) or len(rows) > _MAX_EVENTS:
            raise Malformed(_BAD)
        return tuple(map(_event, rows))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise Malformed(_BAD) from error


def replay(events: tuple[LoggedEvent, ...]) -> dict[str, bytes]:
    """Return what the registers hold after all events; without events, zero."""
    values = {name: bytes(_DIGEST_BYTES) for name in RTMRS}
    for event in events:
        before = values[event.register]
        values[event.register] = hashlib.sha384(before + event.digest).digest()
    return values


def _event(row: dict[str, object]) -> LoggedEvent:
    index, kind = row["imr"], row["event_type"]
    name, payload, digest = row["event"], row["event_payload"], row.get("digest", "")
    if (
        type(index) is not int
        or type(kind) is not int
        or not isinstance(name, str)
        or not isinstance(payload, str)
        or not isinstance(digest, str)
        or not 0 <= index < len(RTMRS)
        or not 0 <= kind < 1 << 32
    ):
        raise Malformed(_BAD)
    measured, data = bytes.fromhex(digest), bytes.fromhex(payload)
    rehashed = kind == _RUNTIME
    if len(measured) > _DIGEST_BYTES or not (measured or rehashed):
        raise Malformed(_BAD)
    said = said_to_be_measured(kind, data) if data else ()
    if rehashed:
        said = (_SAID[_version(row)](name, data),)
        measured = measured or _digest(said[0])
    if said and measured not in map(_digest, said):
        message = f"the digest of event {name[:40]!r} is not that of its payload"
        raise Malformed(message)
    return LoggedEvent(
        register=RTMRS[index],
        digest=measured.ljust(_DIGEST_BYTES, b"\0"),
        kind="dstack runtime event" if rehashed else f"{kind:#010x}",
        text=f"{name} {payload}" if rehashed else "",
        rehashed=rehashed,
    )


def _digest(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def _version(row: dict[str, object]) -> int:
    version = row.get("version", 1)
    if type(version) is not int or version not in _SAID:
        raise Malformed(_BAD)
    return version


def _said_plainly(name: str, payload: bytes) -> bytes:
    return b":".join((_RUNTIME.to_bytes(4, "little"), name.encode(), payload))


def _said_in_json(name: str, payload: bytes) -> bytes:
    said = {"name": name, "payload": payload.hex(), "type": _RUNTIME}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


_SAID = {1: _said_plainly, 2: _said_in_json}
_BAD = "this is not a runtime event log"
