# SPDX-License-Identifier: Apache-2.0
"""The gate's log on disk (LOG-2, LOG-3), laid out as `core.codec.segment` says.

A record is in the journal before the command is answered; a process that is killed
loses none. Each MAC is under a key of the device and covers the MAC before it, so
nobody else writes a journal. A segment ends after `SEGMENT_ENTRIES` or with the boot
of the monitor: what the journal has is signed, and the next segment begins by naming
that head. Of a segment that was signed whole the journal is removed.
"""

import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strongroom.core.codec.audit_log import AuditLog
from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.segment import (
    CHECKPOINT,
    EVIDENCE,
    JOURNAL,
    numbers_in,
    origin_of,
    place,
)
from strongroom.core.codec.tlog import tile_paths
from strongroom.core.crypto import SigningKey, constant_time_equal, suite
from strongroom.core.rats import Evidence
from strongroom.errors import Misconfigured, Unavailable

SEGMENT_ENTRIES = 1 << 14
_MAC_BYTES = 32
_LENGTH = struct.Struct(">I")
_TORN = "a record before this one was not; start the monitor anew"


@dataclass(frozen=True)
class Writer:
    """Who writes the log.

    Attributes:
        key: the monitor's, of this boot.
        mac_key: 32 bytes, the device's for its log; wiped by the caller.
        device_id: of the device.
        evidence: binds `key`.
        clock: gives Unix seconds.
    """

    key: SigningKey
    mac_key: memoryview
    device_id: bytes
    evidence: Evidence
    clock: Callable[[], int]

    def origin(self, number: int) -> str:
        """Return the name of a segment's log."""
        return origin_of(self.device_id, number)


class Segments:
    """The log of one device, in a folder that nobody else writes; for one thread."""

    def __init__(self, folder: Path, writer: Writer) -> None:
        """Sign what earlier boots left, and begin a segment.

        Raises:
            Misconfigured: the folder cannot be written.
        """
        self._folder, self._writer = folder, writer
        self._row = suite(writer.key.suite_id)
        self._journal, self._torn = -1, False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._number = max(numbers_in(folder), default=-1)
            self._begin("log.begin", **self._take_up())
        except OSError as error:
            message = f"the log {folder} cannot be written: {error.strerror}"
            raise Misconfigured(message) from error

    def append(self, entry: LogEntry) -> None:
        """Write a record down.

        Raises:
            Unavailable: the disk does not take it.
        """
        if self._torn:
            raise _unwritten(_TORN)
        try:
            self._append(entry)
            if self._log.size >= SEGMENT_ENTRIES:
                self._turn()
        except OSError as error:
            self._torn = True
            raise _unwritten(error.strerror) from error

    def checkpoint(self) -> bytes:
        """Write tiles and head down; return the head.

        Raises:
            Unavailable: the disk does not take it.
        """
        try:
            return self._sign()
        except OSError as error:
            raise _unwritten(error.strerror) from error

    def close(self) -> None:
        """Sign what there is."""
        if self._journal >= 0:
            self.checkpoint()
            os.close(self._journal)
            self._journal = -1

    @property
    def _place(self) -> Path:
        return place(self._folder, self._number)

    def _begin(self, action: str, **detail: str) -> None:
        self._number += 1
        self._place.mkdir(mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._journal = os.open(self._place / JOURNAL, flags, 0o600)
        self._log = AuditLog(self._writer.origin(self._number), self._row.id)
        self._mac, self._signed = b"", 0
        _write(self._place / EVIDENCE, self._writer.evidence.to_bytes())
        self._append(
            LogEntry(
                time=max(0, self._writer.clock()),
                category="system",
                action=action,
                subject=self._writer.device_id.hex(),
                object=self._log.origin,
                outcome="refused" if detail.get("rule") else "ok",
                detail={name: value for name, value in detail.items() if value},
            )
        )

    def _append(self, entry: LogEntry) -> None:
        data = self._log.entry(self._log.append(entry))
        self._mac = self._next_mac(self._number, self._mac, data)
        frame = _LENGTH.pack(len(data)) + data + self._mac
        if os.write(self._journal, frame) < len(frame):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _next_mac(self, number: int, mac: bytes, data: bytes) -> bytes:
        where = number.to_bytes(8, "big")
        made = self._row.mac(self._writer.mac_key, where, mac, data)
        return made[:_MAC_BYTES]

    def _turn(self) -> None:
        """End a segment that is full, and begin the next."""
        self._sign()
        os.close(self._journal)
        (self._place / JOURNAL).unlink()
        head = self._log.head()
        self._begin("log.turn", previous=head.root.hex(), entries=str(head.size))

    def _sign(self) -> bytes:
        for tile in tile_paths(self._log.size, self._signed):
            path = self._place / tile.path
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, self._log.tile(tile.path))
        data = self._log.checkpoint(self._writer.key)
        _write(self._place / CHECKPOINT, data)
        self._signed = self._log.size
        return data

    def _take_up(self) -> dict[str, str]:
        """Sign the journal of the last boot; return what the next segment names."""
        path = self._place / JOURNAL
        if self._number < 0:
            return {}
        if not path.exists():
            return {"rule": "log.journal"}
        entries, whole = self._read(path.read_bytes())
        self._log = AuditLog(self._writer.origin(self._number), self._row.id, entries)
        self._signed = 0
        _write(self._place / EVIDENCE, self._writer.evidence.to_bytes())
        self._sign()
        if whole:
            path.unlink()
        head = self._log.head()
        return {
            "previous": head.root.hex(),
            "entries": str(head.size),
            "rule": "" if whole else "log.journal",
        }

    def _read(self, data: bytes) -> tuple[list[bytes], bool]:
        """Return the entries that this device wrote, and whether those are all.

        A last one that is cut was answered to nobody, and does not count.
        """
        entries: list[bytes] = []
        at, mac = 0, b""
        while at + _LENGTH.size <= len(data):
            (length,) = _LENGTH.unpack_from(data, at)
            end = at + _LENGTH.size + length + _MAC_BYTES
            if end > len(data):
                break
            entry = data[at + _LENGTH.size : end - _MAC_BYTES]
            mac = self._next_mac(self._number, mac, entry)
            if not constant_time_equal(mac, data[end - _MAC_BYTES : end]):
                return entries, False
            entries.append(entry)
            at = end
        return entries, True


def _write(path: Path, data: bytes) -> None:
    """Put a file in the place of another; what is read is the one or the other."""
    beside = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    fd = os.open(beside, flags, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    beside.replace(path)


def _unwritten(why: str | None) -> Unavailable:
    return Unavailable(f"the gate's log cannot be written: {why}")
