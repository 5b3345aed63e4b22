# SPDX-License-Identifier: Apache-2.0
"""The broker's memory: sealed frames on a file of the untrusted host (LOG-2, SEAL).

    frame k   u32 length | u64 epoch | nonce | ciphertext | tag
    bound to  label | k | epoch | tag of frame k-1

The host may cut, copy, swap or turn back the file, start several brokers on copies
of it, and stop any of them between any two steps. Two monotonic counters of the
device answer that: `journal` counts the frames that are committed, and each opening
claims a value of `journal-epoch` that no other opening ever gets.

A frame is committed in this order: the epoch is still ours; write; fdatasync; the
counter rises to exactly k+1; the epoch is still ours. Only then is it answered for.
So whoever opens later finds the counter at k+1 or more and asks for the frame, and
whoever opened meanwhile made the last check fail (docs/specs/messages.md, Journal).

The nonce is a MAC of what is sealed: if a crash makes the broker write frame k
twice with different contents, no nonce is used twice.
"""

import os

from strongroom.core.crypto import Suite
from strongroom.core.rats import EnclaveGate
from strongroom.errors import Refused, Stale, Unavailable

COUNTER, EPOCH = "journal", "journal-epoch"
_LABEL = b"strongroom/journal/v1"
_LENGTH_BYTES, _EPOCH_BYTES = 4, 8


class Journal:
    """An append-only sequence of sealed payloads; made by `open` only."""

    def __init__(self, fd: int, row: Suite, gate: EnclaveGate) -> None:
        self._fd, self._row, self._gate = fd, row, gate
        with gate.sealing_key(COUNTER) as secret:
            info = _LABEL + b" key"
            self._aead = row.aead(
                row.hkdf_expand(secret.view, info, row.aead_key_bytes)
            )
            info = _LABEL + b" nonce"
            self._nonce_key = row.hkdf_expand(secret.view, info, row.digest_bytes)
        self._epoch = 0
        self._count = 0
        self._end = 0
        self._tag = b""
        self._stopped = False
        self._more = False

    @classmethod
    def open(
        cls, fd: int, row: Suite, gate: EnclaveGate
    ) -> tuple["Journal", list[bytes]]:
        """Read the journal and return it with all its payloads.

        1. Claim a new epoch: every broker that was there before is now stopped.
        2. Read the counter, then check that nobody claimed an epoch meanwhile.
        3. Read the frames in order until the file ends or one does not open.
        4. Fewer than the counter: the file was turned back or damaged. Refused.
        5. One more: written, but not committed before a crash. Commit it.
        6. What lies behind is one torn write that nobody was answered for. Cut it;
           but never more than one: that is another device's journal, or an altered
           one, and stays as it is.

        The caller must append a frame before it answers for anything.

        Raises:
            Stale: step 4, or the device's counter was turned back.
            Unavailable: the file cannot be used, or another broker was started.
        """
        journal = cls(fd, row, gate)
        journal._epoch = gate.increment(EPOCH)
        committed = gate.counter(COUNTER)
        journal._require_epoch()
        try:
            payloads = journal._read_all()
            if journal._more or journal._count not in (committed, committed + 1):
                raise journal._turned_back(committed)
            if journal._count == committed + 1:
                journal._commit(journal._count)
            os.ftruncate(fd, journal._end)
            os.fsync(fd)
        except OSError as error:
            raise _unusable(error) from error
        return journal, payloads

    def append(self, payload: bytes) -> None:
        """Store a payload for good, or stop for good.

        Raises:
            Unavailable: it is unknown whether the payload is stored; the broker
                must be started anew, which finds out.
        """
        if self._stopped:
            message = "the journal could not be written; the broker must be restarted"
            raise Unavailable(message)
        self._stopped = True
        self._require_epoch()
        frame = self._seal(payload)
        try:
            _write(self._fd, frame, self._end)
            os.fdatasync(self._fd)
        except OSError as error:
            raise _unusable(error) from error
        self._commit(self._count + 1)
        self._advance(frame)
        self._stopped = False

    def _commit(self, count: int) -> None:
        if self._gate.increment(COUNTER) != count:
            raise _superseded()
        self._require_epoch()

    def _require_epoch(self) -> None:
        if self._gate.counter(EPOCH) != self._epoch:
            raise _superseded()

    def _aad(self, epoch: int) -> bytes:
        place = self._count.to_bytes(8, "big") + epoch.to_bytes(8, "big")
        return _LABEL + place + self._tag

    def _seal(self, payload: bytes) -> bytes:
        aad = self._aad(self._epoch)
        nonce = self._row.mac(self._nonce_key, aad, payload)[: self._row.nonce_bytes]
        body = (
            self._epoch.to_bytes(_EPOCH_BYTES, "big")
            + nonce
            + self._aead.encrypt(nonce, payload, aad)
        )
        return len(body).to_bytes(_LENGTH_BYTES, "big") + body

    def _open_frame(self, body: bytes, newest_epoch: int) -> tuple[int, bytes] | None:
        """Return epoch and payload of the next frame, None if this is not it."""
        start = _EPOCH_BYTES + self._row.nonce_bytes
        epoch = int.from_bytes(body[:_EPOCH_BYTES], "big")
        if not newest_epoch <= epoch < self._epoch:
            return None
        try:
            payload = self._aead.decrypt(
                body[_EPOCH_BYTES:start], body[start:], self._aad(epoch)
            )
        except Refused:
            return None
        return epoch, payload

    def _read_all(self) -> list[bytes]:
        data = _read(self._fd)
        payloads: list[bytes] = []
        epoch = 0
        smallest = _EPOCH_BYTES + self._row.nonce_bytes + self._row.tag_bytes
        while True:
            start = self._end + _LENGTH_BYTES
            length = int.from_bytes(data[self._end : start], "big")
            whole = smallest <= length <= len(data) - start
            body = data[start : start + length] if whole else b""
            opened = self._open_frame(body, epoch) if whole else None
            if opened is None:
                self._more = whole and start + length < len(data)
                return payloads
            epoch, payload = opened
            payloads.append(payload)
            self._advance(data[self._end : start + length])

    def _advance(self, frame: bytes) -> None:
        self._count += 1
        self._end += len(frame)
        self._tag = frame[-self._row.tag_bytes :]

    def _turned_back(self, committed: int) -> Refused:
        """Return the refusal; software other than the writer's has another key."""
        updated = "" if self._count else ", or other software wrote it: an update"
        return Stale.because(
            rule="journal.rollback",
            owner="broker",
            expected=f"all {committed} frames that the device's counter knows of",
            got=f"{self._count} that are whole, authentic and in order: "
            f"the journal was turned back, cut or altered, or the device was{updated}",
            remedy="Put back the newest copy of the journal, with its own device"
            + (" and software." if updated else "."),
        )


def _read(fd: int) -> bytes:
    parts, offset = [], 0
    while part := os.pread(fd, 1 << 24, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def _unusable(error: OSError) -> Unavailable:
    return Unavailable(f"the journal cannot be read or written: {error.strerror}")


def _superseded() -> Unavailable:
    return Unavailable("another broker was started on this journal; this one stops")
