# SPDX-License-Identifier: Apache-2.0
"""Records of a channel: one direction each, counted, in order, to a spoken end.

A record is `type (1) || ciphertext || tag`. Its number is not sent: both sides count.
Number and direction are in the key and nonce, so a record that is dropped, repeated,
moved, turned back to its sender or cut does not open, and the channel is then over.
"""

from strongroom.core.crypto import Suite
from strongroom.core.crypto.aead import NONCE_BYTES, TAG_BYTES
from strongroom.core.crypto.buffers import filled
from strongroom.errors import Conflict, LimitReached, Malformed, Tampered
from strongroom.services.channel.handshake import SECRET_BYTES

DATA, CLOSE = 0, 1
MAX_RECORD_BYTES = 12 << 20
REKEY_EVERY = 1 << 12

_NEXT = b"strongroom/channel/v1/next\0"
_KEY = b"strongroom/channel/v1/key\0"


class Direction:
    """One direction of a channel: seals on one side, opens on the other."""

    def __init__(self, row: Suite, secret: bytes, session: bytes) -> None:
        self._row, self._secret, self._session = row, secret, session
        self._count, self._ended = 0, False
        self._load()

    @property
    def ended(self) -> bool:
        """Whether the end was spoken, or something did not open."""
        return self._ended

    def end(self) -> None:
        """Let nothing more through, since the other direction did not hold."""
        self._ended = True

    def seal(self, data: bytes, kind: int = DATA) -> bytes:
        """Return the next record.

        Raises:
            Conflict: after the end.
            LimitReached: over 12 MiB.
        """
        if len(data) > MAX_RECORD_BYTES:
            message = f"a record holds at most {MAX_RECORD_BYTES} bytes"
            raise LimitReached(message)
        nonce, aad = self._next(kind)
        self._ended = kind == CLOSE

        def write(out: memoryview) -> None:
            out[0] = kind
            self._aead.encrypt_into(nonce, data, aad, out[1:])

        return filled(1 + len(data) + TAG_BYTES, write)

    def open(self, record: bytes) -> tuple[int, bytes]:
        """Return type and content of the next record.

        Raises:
            Conflict: after the end.
            Tampered: `channel.record`, not the next record of this direction. Nothing
                opens afterwards.
        """
        if len(record) < 1 or record[0] not in (DATA, CLOSE):
            self._ended = True
            message = "this is not a record of a channel"
            raise Malformed(message)
        nonce, aad = self._next(record[0])
        try:
            data = self._aead.decrypt(nonce, memoryview(record)[1:], aad)
        except Tampered as error:
            self._ended = True
            raise Tampered.because(
                rule="channel.record",
                owner="secure channel",
                expected=f"record {self._count - 1} of this direction, as it was sent",
                got="one that was altered, dropped, repeated, moved or turned back",
                remedy="Open a new channel; the path between the two is not honest.",
            ) from error
        self._ended = record[0] == CLOSE
        return record[0], data

    def _next(self, kind: int) -> tuple[bytes, bytes]:
        if self._ended:
            message = "this channel is closed: open a new one"
            raise Conflict(message)
        if self._count and self._count % REKEY_EVERY == 0:
            self._secret = self._row.hkdf_expand(self._secret, _NEXT, SECRET_BYTES)
            self._load()
        nonce = self._count.to_bytes(NONCE_BYTES, "big")
        self._count += 1
        return nonce, bytes([kind]) + self._session

    def _load(self) -> None:
        key = self._row.hkdf_expand(self._secret, _KEY, self._row.aead_key_bytes)
        self._aead = self._row.aead(key)


class Conversation:
    """Both directions as one side has them."""

    def __init__(self, sending: Direction, receiving: Direction) -> None:
        self._sending, self._receiving = sending, receiving

    @property
    def is_open(self) -> bool:
        """Whether both directions can go on."""
        return not (self._sending.ended or self._receiving.ended)

    def send(self, data: bytes) -> bytes:
        """Return the next record to the other side."""
        return self._sending.seal(data)

    def receive(self, record: bytes) -> bytes | None:
        """Return what the other side sent; None when it closed.

        Raises:
            Tampered: `channel.record`; the channel is then over in both directions.
        """
        try:
            kind, data = self._receiving.open(record)
        except (Tampered, Malformed):
            self._sending.end()
            raise
        return None if kind == CLOSE else data

    def close(self) -> bytes:
        """Return the record that ends this side's direction."""
        return self._sending.seal(b"", CLOSE)
