# SPDX-License-Identifier: Apache-2.0
"""Monotonic counters that survive a crash: a journal under the device's own key.

    header   magic (8) || zeros (24) || tag (32)
    record   counter id (24) || value (8) || tag (32)
    tag      first 32 bytes of HMAC(key, previous tag || the 32 bytes before)

The file is made of zeros beforehand, so that an increment is one write and one
fdatasync. A last record that is not whole was never acknowledged and is dropped;
anything else that is not as written is refused. Setting back the whole file to an
earlier state of its own is not detected: that is breaking the chip (LIMITATIONS).
"""

import os
import threading
from pathlib import Path

from strongroom.core.crypto import SecretBuffer, Suite, constant_time_equal
from strongroom.errors import LimitReached, Misconfigured
from strongroom.hardware.parts import files

_MAGIC = b"SRCOUNT1"
_ID, _BODY, _TAG = 24, 32, 32
_RECORD = _BODY + _TAG
_GROW = 64 * 1024
_COMPACT_AFTER = 16 * 1024
MAX_COUNTERS = 64 * 1024
_MAX_VALUE = 2**63


class Counters:
    """All counters of one device; the folder's lock is held by the caller.

    Args:
        path: the journal.
        row: the device's suite.
        key: 32 bytes for the tags, kept and closed by the caller.

    Raises:
        Tampered: the journal is gone or altered.
    """

    def __init__(self, path: Path, row: Suite, key: SecretBuffer) -> None:
        self._path, self._suite, self._key = path, row, key
        self._values: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self._fd = files.open_private(path, os.O_RDWR)
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path, row: Suite, key: SecretBuffer) -> None:
        """Write an empty journal."""
        files.write_public(path, _image(row, key, {})[0])

    def value(self, name: str) -> int:
        """Return the counter called `name`; one never incremented is 0."""
        with self._lock:
            return self._values.get(self._id(name), 0)

    @property
    def total(self) -> int:
        """How often any counter was ever incremented."""
        with self._lock:
            return sum(self._values.values())

    def increment(self, name: str) -> int:
        """Add one; return the new value once it is on the disk.

        Raises:
            LimitReached: the device has all the counters it can have.
            Misconfigured: the disk does not take it; the journal is closed then, as
                nobody can say what is on the disk.
        """
        with self._lock:
            counter = self._id(name)
            value = self._values.get(counter, 0) + 1
            if value == 1 and len(self._values) >= MAX_COUNTERS:
                message = f"the device has {MAX_COUNTERS} counters and takes no more"
                raise LimitReached(message)
            if self._end // _RECORD > _COMPACT_AFTER + 2 * len(self._values):
                self._compact()
            self._append(counter + value.to_bytes(8, "big"))
            self._values[counter] = value
            return value

    def close(self) -> None:
        """Close the journal; the values cannot be read afterwards."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._values = {}

    def _id(self, name: str) -> bytes:
        if self._fd < 0:
            message = "the device is closed"
            raise Misconfigured(message)
        return self._suite.mac(self._key.view, b"counter\0", name.encode())[:_ID]

    def _load(self) -> None:
        data = _read_all(self._fd, self._path)
        zero = bytes(_TAG)
        self._last = data[_BODY:_RECORD]
        if not self._holds(zero, data[:_RECORD]) or data[: len(_MAGIC)] != _MAGIC:
            raise files.damaged(self._path)
        at = _RECORD
        while self._holds(self._last, data[at : at + _RECORD]):
            counter = data[at : at + _ID]
            value = int.from_bytes(data[at + _ID : at + _BODY], "big")
            if not self._values.get(counter, 0) < value < _MAX_VALUE:
                raise files.damaged(self._path)
            self._values[counter] = value
            self._last = data[at + _BODY : at + _RECORD]
            at += _RECORD
        if any(data[at + _RECORD :]):
            raise files.damaged(self._path)
        self._end, self._size = at, len(data)

    def _holds(self, previous: bytes, record: bytes) -> bool:
        expected = _tag(self._suite, self._key, previous, record[:_BODY])
        return constant_time_equal(expected, record[_BODY:])

    def _append(self, body: bytes) -> None:
        tag = _tag(self._suite, self._key, self._last, body)
        try:
            if self._end + 2 * _RECORD > self._size:
                os.pwrite(self._fd, bytes(_GROW), self._size)
                os.fsync(self._fd)
                self._size += _GROW
            os.pwrite(self._fd, body + tag, self._end)
            os.fdatasync(self._fd)
        except OSError as error:
            self.close()
            message = f"{self._path}: {error.strerror}; the device must be opened again"
            raise Misconfigured(message) from error
        self._last = tag
        self._end += _RECORD

    def _compact(self) -> None:
        """Write the values alone into a new journal; the old one counts until then."""
        image, last, end = _image(self._suite, self._key, self._values)
        try:
            files.write_public(self._path, image)
            fd = files.open_private(self._path, os.O_RDWR)
        except BaseException:
            self.close()
            raise
        os.close(self._fd)
        self._fd, self._last, self._end, self._size = fd, last, end, len(image)


def _tag(row: Suite, key: SecretBuffer, previous: bytes, body: bytes) -> bytes:
    return row.mac(key.view, b"record\0", previous, body)[:_TAG]


def _image(
    row: Suite, key: SecretBuffer, values: dict[bytes, int]
) -> tuple[bytes, bytes, int]:
    """Return a whole journal, its last tag and where its zeros begin."""
    body = _MAGIC.ljust(_BODY, b"\0")
    tag = _tag(row, key, bytes(_TAG), body)
    image = bytearray(body + tag)
    for counter, value in sorted(values.items()):
        body = counter + value.to_bytes(8, "big")
        tag = _tag(row, key, tag, body)
        image += body + tag
    end = len(image)
    return bytes(image) + bytes(_GROW), tag, end


def _read_all(fd: int, path: Path) -> bytes:
    """Return the journal; what was read cannot be lost any more."""
    try:
        os.fdatasync(fd)
        size = os.fstat(fd).st_size
        parts, done = [], 0
        while done < size and (part := os.pread(fd, size - done, done)):
            parts.append(part)
            done += len(part)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Misconfigured(message) from error
    return b"".join(parts)
