# SPDX-License-Identifier: Apache-2.0
"""The append-only record of an attestation service: every verdict, no secrets (LOG-1).

The entries rest in one journal; tree, tiles and checkpoint are made from it, in the
form of every other audit log here, so `strongroom audit` copies and verifies it. A
checkpoint is written down before it is given away: a journal that was cut or altered
since then does not start again.
"""

import fcntl
import struct
import threading
from pathlib import Path
from typing import BinaryIO

from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.tlog import Checkpoint
from strongroom.core.crypto import SigningKey
from strongroom.errors import Conflict, Tampered
from strongroom.management.audit import AuditLog, LogEntry
from strongroom.management.files import write_durably

_LENGTH = struct.Struct(">I")


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
        self._lock = threading.Lock()
        self._journal.touch(mode=0o600)
        self._file = _open_alone(self._journal)
        try:
            entries, whole = _read(self._file)
            self._log = self._restored(origin, entries)
        except BaseException:
            self._file.close()
            raise
        self._file.truncate(whole)
        self._file.seek(whole)

    @property
    def public(self) -> NoteKey:
        """The key that its checkpoints are verified with."""
        return NoteKey(self._log.origin, self._key.public)

    def append(self, entry: LogEntry) -> int:
        """Write one record down; return its index."""
        data = entry.to_bytes()
        with self._lock:
            self._file.write(_LENGTH.pack(len(data)) + data)
            self._file.flush()
            return self._log.append(entry)

    def read(self, path: str) -> bytes:
        """Return the checkpoint of now, or a tile by its path.

        Raises:
            Malformed: no path of a log.
            NotFound: the log has not grown that far.
        """
        with self._lock:
            if path != "checkpoint":
                return self._log.tile(path)
            data = self._log.checkpoint(self._key)
            write_durably(self._checkpoint, data)
            return data

    def close(self) -> None:
        """Close the journal, with a last checkpoint written down."""
        self.read("checkpoint")
        self._file.close()

    def _restored(self, origin: str, entries: list[bytes]) -> AuditLog:
        """Return the log of a journal that begins as the last checkpoint says."""
        if not self._checkpoint.exists():
            return AuditLog(origin, self._key.suite_id, entries)
        public = NoteKey(origin, self._key.public)
        last = Checkpoint.verify(self._checkpoint.read_bytes(), public)
        log = AuditLog(origin, self._key.suite_id, entries[: last.size])
        if log.head() != last:
            refusal = Tampered.because(
                "verdicts.journal",
                "attestation service",
                expected=f"a journal that began with the {last.size} verdicts signed",
                got=f"another one, of {log.size}",
                remedy="Restore the journal from a copy, or begin a log elsewhere.",
            )
            raise Tampered(refusal.message, refusal.findings)
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
    """Return the entries, and where the last whole one ends."""
    data = file.read()
    entries, at = [], 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        end = at + _LENGTH.size + length
        if end > len(data):
            break
        entries.append(data[at + _LENGTH.size : end])
        at = end
    return entries, at
