# SPDX-License-Identifier: Apache-2.0
"""The append-only record of an attestation service: every verdict, no secrets (LOG-1).

The entries rest in one journal; tree, tiles and checkpoint are made from it, in the
form of every other audit log here, so `strongroom audit` copies and verifies it. An
entry is on the disk before its verdict is given, a checkpoint and the entries under it
before it is given away: a journal that was cut or altered since does not start again.
"""

import fcntl
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.tlog import Checkpoint
from strongroom.core.crypto import SigningKey
from strongroom.errors import Conflict, Tampered, Unavailable
from strongroom.management.audit import AuditLog, LogEntry
from strongroom.management.files import sync_folder, write_durably

_LENGTH = struct.Struct(">I")
_STOPPED = (
    "the record of verdicts could not be written; mend its disk, then restart the "
    "service"
)


class VerdictLog:
    """The log of one service, in a folder of its own."""

    def __init__(self, folder: Path, origin: str, key: SigningKey) -> None:
        """Open a log, or begin one.

        Raises:
            Conflict: another service writes this log.
            Tampered: the journal is not what the last checkpoint says.
            Malformed: the checkpoint is none.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._journal, self._checkpoint = folder / "journal", folder / "checkpoint"
        self._key = key
        # `_lock` guards file and log, `_syncing` who waits for the disk
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        self._written, self._durable, self._stopped = 0, 0, False
        self._journal.touch(mode=0o600)
        sync_folder(folder)
        self._file = _open_alone(self._journal)
        try:
            entries, whole = _read(self._file)
            self._log = self._restored(origin, entries)
        except BaseException:
            self._file.close()
            raise
        self._file.truncate(whole)
        self._file.seek(whole)
        self._written = self._log.size

    @property
    def public(self) -> NoteKey:
        """The key that its checkpoints are verified with."""
        return NoteKey(self._log.origin, self._key.public)

    def append(self, entry: LogEntry) -> int:
        """Write one record down for good; return its index.

        Raises:
            Unavailable: it is unknown whether it is on the disk; the service must be
                started anew, which finds out.
        """
        data = entry.to_bytes()
        with self._lock, self._stops():
            index = self._log.append(entry)
            self._file.write(_LENGTH.pack(len(data)) + data)
            self._file.flush()
            self._written = index + 1
        self._require_durable(index + 1)
        return index

    def read(self, path: str) -> bytes:
        """Return the checkpoint of now, or a tile by its path.

        Raises:
            Malformed: no path of a log.
            NotFound: the log has not grown that far.
            Unavailable: the journal could not be written.
        """
        with self._lock:
            if path != "checkpoint":
                return self._log.tile(path)
            self._require_durable(self._log.size)
            data = self._log.checkpoint(self._key)
            write_durably(self._checkpoint, data)
            return data

    def close(self) -> None:
        """Close the journal, with a last checkpoint written down."""
        try:
            self.read("checkpoint")
        finally:
            self._file.close()

    def _require_durable(self, size: int) -> None:
        """Wait until that many entries are on the disk; one wait serves many."""
        with self._syncing, self._stops():
            if self._durable >= size:
                return
            written = self._written
            os.fsync(self._file.fileno())
            self._durable = written

    @contextmanager
    def _stops(self) -> Iterator[None]:
        """Write nothing more after a failure: what the disk has then is unknown."""
        if self._stopped:
            raise Unavailable(_STOPPED)
        try:
            yield
        except OSError as error:
            self._stopped = True
            raise Unavailable(_STOPPED) from error

    def _restored(self, origin: str, entries: list[bytes]) -> AuditLog:
        """Return the log of a journal that begins as the last checkpoint says."""
        if not self._checkpoint.exists():
            return AuditLog(origin, self._key.suite_id, entries)
        public = NoteKey(origin, self._key.public)
        last = Checkpoint.verify(self._checkpoint.read_bytes(), public)
        log = AuditLog(origin, self._key.suite_id, entries[: last.size])
        if log.head() != last:
            raise Tampered.because(
                "verdicts.journal",
                "attestation service",
                expected=f"a journal that began with the {last.size} verdicts signed",
                got=f"another one, of {log.size}",
                remedy="Restore the journal from a copy, or begin a log elsewhere.",
            )
        for data in entries[last.size :]:
            log.append(LogEntry.from_bytes(data))
        return log


def _open_alone(journal: Path) -> BinaryIO:
    file = journal.open("r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        message = f"another attestation service writes {journal}"
        raise Conflict(message) from error
    return file


def _read(file: BinaryIO) -> tuple[list[bytes], int]:
    """Return the entries, and where the last whole one ends.

    After a crash the end may be torn, or zeros that a file system put there.
    """
    data = file.read()
    entries, at = [], 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        end = at + _LENGTH.size + length
        entry = data[at + _LENGTH.size : end]
        if end > len(data) or not any(entry):
            break
        entries.append(entry)
        at = end
    return entries, at
