# SPDX-License-Identifier: Apache-2.0
"""Logs of measured boot: read, replay, and say what was measured.

Three forms (TCG PC Client Platform Firmware Profile 1.06, section 10): crypto-agile
logs, which begin with a Spec ID event of version 03; older ones with SHA-1 alone; and
the CCEL of confidential VMs (UEFI 2.10, section 38), which is crypto-agile and counts
registers from 1 for RTMR0.

A log is a claim of whoever brings it. A replay that leads to registers which hardware
signed proves the DIGESTS and their order, not the types and not the data. Where a type
says that the digest is that of the data, and it is not, the log was altered.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import unpack_from
from typing import NamedTuple

from strongroom.core.rats.hardware import LoggedEvent
from strongroom.errors import Malformed
from strongroom.hardware.tcg.algorithms import ALGORITHMS, SIZES, Algorithm, hasher
from strongroom.hardware.tcg.event_data import (
    measured_bytes,
    said_to_be_measured,
    text_of,
)
from strongroom.hardware.tcg.events import NO_ACTION, name_of

MAX_LOG_BYTES, MAX_EVENTS, MAX_EVENT_BYTES = 16 << 20, 16_384, 1 << 20
_MAX_ALGORITHMS = 8

_SPEC_ID, _LOCALITY = b"Spec ID Event", b"StartupLocality\0"
_AGILE = b"Spec ID Event03\0"
_OLDER = (b"Spec ID Event00\0", b"Spec ID Event02\0")
_SHA1_BYTES, _RTMRS, _PCRS = 20, 4, 32
_EMPTY, _FULL = b"\x00", b"\xff"
_FILL_BYTES = 1 << 14
_FILLS = {fill: fill * _FILL_BYTES for fill in (_EMPTY, _FULL)}
"""What an end is compared with: there may be a megabyte of it."""

_HEAD_BYTES = 12
"""Register, type and count of digests: all zero is no event, but the end of a log."""


def pcr(index: int) -> str | None:
    """Return what a TPM calls the register of that index."""
    return f"pcr.{index}" if index < _PCRS else None


def rtmr(index: int) -> str | None:
    """Return what a TD quote calls the register of that index in a CCEL."""
    return f"rt_mr{index - 1}" if 0 < index <= _RTMRS else None


class RawEvent(NamedTuple):
    """One event as the log has it: register index, type, digests by algorithm, data."""

    register: int
    kind: int
    digests: dict[Algorithm, bytes]
    data: bytes


@dataclass(frozen=True)
class EventLog:
    """A log that was read. Nothing of it is proven before it is replayed.

    Attributes:
        algorithms: those that the log has digests of.
        raw: every event after the header, in order.
        locality: of the startup, which PCR 0 begins with.
    """

    algorithms: tuple[Algorithm, ...]
    raw: tuple[RawEvent, ...]
    locality: int | None

    def replay(self, algorithm: Algorithm) -> dict[int, bytes]:
        """Return what the registers hold after all events, by their index in the log.

        A register without events is not in it, but for PCR 0 where the log says with
        which locality it began.

        Raises:
            Malformed: the log, or one event of it, has no digests of `algorithm`.
        """
        digest, zero = hasher(algorithm), bytes(SIZES[algorithm])
        values: dict[int, bytes] = {}
        if self.locality is not None:
            values[0] = zero[:-1] + bytes([self.locality])
        for event, measured in self._extended(algorithm):
            before = values.get(event.register, zero)
            values[event.register] = digest(before + measured)
        return values

    def events(
        self,
        algorithm: Algorithm,
        name: Callable[[int], str | None] = pcr,
    ) -> tuple[LoggedEvent, ...]:
        """Return the events that are extended into registers.

        Args:
            algorithm: whose digests to give.
            name: what a register is called by its index; None leaves it out.

        Raises:
            Malformed: as `replay`.
        """
        digest = hasher(algorithm)
        return tuple(
            LoggedEvent(
                register=register,
                digest=measured,
                kind=name_of(event.kind),
                text=text_of(event.kind, event.data),
                rehashed=any(
                    digest(data) == measured
                    for data in measured_bytes(event.kind, event.data)
                ),
            )
            for event, measured in self._extended(algorithm)
            if (register := name(event.register)) is not None
        )

    def contradiction(
        self,
        algorithm: Algorithm,
        name: Callable[[int], str | None] = pcr,
    ) -> str:
        """Return which event cannot be as the log has it, in words, or "".

        One is extended into a register that there is not, or its data are not what its
        digest is of, though its type says that they are.

        Args:
            algorithm: whose digests to compare.
            name: as in `events`.

        Raises:
            Malformed: as `replay`.
        """
        digest = hasher(algorithm)
        for event, measured in self._extended(algorithm):
            if name(event.register) is None:
                return f"{name_of(event.kind)} in a register {event.register}"
            said = said_to_be_measured(event.kind, event.data)
            if said and all(digest(each) != measured for each in said):
                return f"{name_of(event.kind)} whose data were not measured"
        return ""

    def _extended(self, algorithm: Algorithm) -> Iterator[tuple[RawEvent, bytes]]:
        if algorithm not in self.algorithms:
            message = f"the event log has no digests of {algorithm}"
            raise Malformed(message)
        for event in self.raw:
            if event.kind == NO_ACTION:
                continue
            measured = event.digests.get(algorithm)
            if measured is None:
                message = f"an event of the log has no digest of {algorithm}"
                raise Malformed(message)
            yield event, measured


def parse_event_log(data: bytes, what: str) -> EventLog:
    """Read a log of any of the three forms.

    Firmware hands out its log in a buffer of fixed size: after the last event there
    may be bytes 0xff, or bytes 0, to the end.

    Args:
        data: the log.
        what: names it in errors.

    Raises:
        Malformed: bytes that are no log, or more than anyone's boot measures.
    """
    if len(data) > MAX_LOG_BYTES:
        message = f"{what}: more than {MAX_LOG_BYTES} bytes"
        raise Malformed(message)
    try:
        return _parse(data, what)
    except struct.error as error:
        message = f"{what}: ends within an event"
        raise Malformed(message) from error


def _parse(data: bytes, what: str) -> EventLog:
    first, position = _sha1_event(data, 0, what)
    header = first.kind == NO_ACTION and first.data.startswith(_SPEC_ID)
    agile = header and first.data.startswith(_AGILE)
    if header and not agile and not first.data.startswith(_OLDER):
        message = f"{what}: of a version that is not known"
        raise Malformed(message)
    algorithms = _spec_id(first.data, what) if agile else {0x0004: _SHA1_BYTES}
    events = [] if header else [first]
    while position < len(data) and not _is_padding(data, position, what):
        if len(events) >= MAX_EVENTS:
            message = f"{what}: more than {MAX_EVENTS} events"
            raise Malformed(message)
        if agile:
            event, position = _agile_event(data, position, algorithms, what)
        else:
            event, position = _sha1_event(data, position, what)
        events.append(event)
    return EventLog(
        tuple(ALGORITHMS[each] for each in algorithms if each in ALGORITHMS),
        tuple(events),
        _locality(events, what),
    )


def _sha1_event(data: bytes, at: int, what: str) -> tuple[RawEvent, int]:
    """Read a TCG_PCR_EVENT (section 10.2.1)."""
    register, kind, digest, size = unpack_from("<II20sI", data, at)
    body, end = _body(data, at + 32, size, what)
    return RawEvent(register, kind, {"sha1": digest}, body), end


def _agile_event(
    data: bytes, at: int, algorithms: dict[int, int], what: str
) -> tuple[RawEvent, int]:
    """Read a TCG_PCR_EVENT2 (section 10.2.2)."""
    register, kind, count = unpack_from("<III", data, at)
    at += _HEAD_BYTES
    if not 0 < count <= len(algorithms):
        message = f"{what}: an event with {count} digests of {len(algorithms)} kinds"
        raise Malformed(message)
    digests: dict[int, bytes] = {}
    for _ in range(count):
        (algorithm,) = unpack_from("<H", data, at)
        size = algorithms.get(algorithm)
        if size is None or algorithm in digests:
            message = f"{what}: a digest of {algorithm:#06x} that its header lacks"
            raise Malformed(message)
        digests[algorithm] = data[at + 2 : at + 2 + size]
        at += 2 + size
    (size,) = unpack_from("<I", data, at)
    body, end = _body(data, at + 4, size, what)
    named = {ALGORITHMS[each]: digests[each] for each in digests if each in ALGORITHMS}
    return RawEvent(register, kind, named, body), end


def _body(data: bytes, at: int, size: int, what: str) -> tuple[bytes, int]:
    end = at + size
    if size > MAX_EVENT_BYTES or end > len(data):
        message = f"{what}: an event of {size} bytes, {len(data) - at} left"
        raise Malformed(message)
    return data[at:end], end


def _spec_id(data: bytes, what: str) -> dict[int, int]:
    """Return the sizes of digests by TPM_ALG_ID (TCG_EfiSpecIDEvent, 10.4.5.1)."""
    (count,) = unpack_from("<I", data, 24)
    if not 0 < count <= _MAX_ALGORITHMS:
        message = f"{what}: a header with {count} algorithms"
        raise Malformed(message)
    pairs = [unpack_from("<HH", data, 28 + 4 * each) for each in range(count)]
    (vendor,) = unpack_from("<B", data, 28 + 4 * count)
    sizes = dict(pairs)
    wrong = any(
        size != SIZES[ALGORITHMS[each]]
        for each, size in sizes.items()
        if each in ALGORITHMS
    )
    if wrong or len(sizes) != count or len(data) != 29 + 4 * count + vendor:
        message = f"{what}: a header that does not fit its algorithms"
        raise Malformed(message)
    return sizes


def _is_padding(data: bytes, at: int, what: str) -> bool:
    head = data[at : at + _HEAD_BYTES]
    fill = head[:1]
    # an event may be cut after zeros, but none begins with 0xff
    if head.strip(fill) or fill not in (_EMPTY, _FULL):
        return False
    if fill == _EMPTY and len(head) < _HEAD_BYTES:
        return False
    if not all(
        data.startswith(_FILLS[fill][: len(data) - begin], begin)
        for begin in range(at, len(data), _FILL_BYTES)
    ):
        message = f"{what}: something after the end of the log"
        raise Malformed(message)
    return True


def _locality(events: list[RawEvent], what: str) -> int | None:
    """Return the locality of TPM2_Startup (section 10.4.5.3)."""
    found = [
        (index, event)
        for index, event in enumerate(events)
        if event.kind == NO_ACTION and event.data.startswith(_LOCALITY)
    ]
    if not found:
        return None
    index, event = found[0]
    late = any(each.register == 0 and each.kind != NO_ACTION for each in events[:index])
    if len(found) > 1 or late or len(event.data) != len(_LOCALITY) + 1:
        message = f"{what}: the startup locality is said once, before PCR 0 is extended"
        raise Malformed(message)
    return event.data[-1]
