# SPDX-License-Identifier: Apache-2.0
"""FLOE: random-access authenticated encryption (c2sp.org/FLOE, ePrint 2025/2275).

    header   AEAD id u8, KDF id u8, segment length u32, IV length u32 | IV | tag
    segment  0xFFFFFFFF, or in the last one its whole length | nonce | text | tag

`intl` is the specification's own AES-256-GCM with HKDF-Expand-SHA-384 (ids 0, 0).
`sm` is the same construction over SM4-GCM and HKDF-Expand-SM3; its private ids, and
the key lengths that follow from it, are the suite's (docs/specs/sealed-file.md).

The associated data is bound by every derived key, a segment's place and finality by
its AEAD. Both classes are the semi-public functions of the specification: that each
segment is opened, and at its own place, is the caller's part (services/sealing).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from strongroom.core.crypto import SUITES, Aead, Buffer, Suite, constant_time_equal
from strongroom.errors import LimitReached, Malformed, Tampered

SEGMENT_BYTES = 1 << 20
MAX_SEGMENT_BYTES = 1 << 26
MAX_SEGMENTS = 1 << 40
ROTATION_BITS = 20
"""AEAD_ROTATION_MASK: one data key serves 2**20 segments."""

IV_BYTES = 32
HEADER_BYTES = 10 + IV_BYTES + 32
OVERHEAD_BYTES = 4 + 12 + 16
"""What sealing adds to a segment: length marker, nonce and tag."""

HEADER_RULE = "floe.header"
SEGMENT_RULE = "floe.segment"
TRUNCATED_RULE = "floe.truncated"

_NOT_LAST = b"\xff\xff\xff\xff"
_PARAMS = struct.Struct(">2sII")
_SEGMENT_AAD = struct.Struct(">Q?")
_OWNER = "c2sp.org/FLOE"
_REMEDY = "Get the sealed file again from its owner."


def tampered(rule: str, expected: str, got: str) -> Tampered:
    """Make the refusal of a ciphertext, in words."""
    refusal = Tampered.because(rule, _OWNER, expected=expected, got=got, remedy=_REMEDY)
    return Tampered(refusal.message, refusal.findings)


@dataclass(frozen=True, slots=True)
class Header:
    """A header whose layout is sound; only an `Opener` checks its tag."""

    suite_id: str
    segment_bytes: int
    iv: bytes
    tag: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse exactly `HEADER_BYTES` bytes (section "FLOE Ciphertext Layout").

        Raises:
            Tampered: another length, unknown parameters or a segment length out
                of bounds (floe.header).
        """
        if len(data) != HEADER_BYTES:
            raise tampered(HEADER_RULE, f"{HEADER_BYTES} bytes", f"{len(data)}")
        ids, segment_bytes, iv_bytes = _PARAMS.unpack_from(data)
        known = [row.id for row in SUITES.values() if row.floe_params[:2] == ids]
        if not known or iv_bytes != IV_BYTES:
            raise tampered(HEADER_RULE, "known parameters", data[:10].hex())
        if not OVERHEAD_BYTES < segment_bytes <= MAX_SEGMENT_BYTES:
            expected = f"segments of 33 to {MAX_SEGMENT_BYTES} bytes"
            raise tampered(HEADER_RULE, expected, f"{segment_bytes}")
        return cls(known[0], segment_bytes, data[10:42], data[42:])


class _Keys:
    """The keys of one ciphertext: the header tag, and data keys by position."""

    def __init__(
        self, suite: Suite, key: Buffer, prefix: bytes, aad: bytes, rotation_bits: int
    ) -> None:
        if len(key) != suite.aead_key_bytes:
            message = f"a data key of suite {suite.id} has {suite.aead_key_bytes} bytes"
            raise Malformed(message)
        self._suite = suite
        self._prefix = prefix
        self._aad = aad
        self._rotation_bits = rotation_bits
        self.header_tag = self._derive(key, b"HEADER_TAG:", 32)
        self._message_key = self._derive(key, b"MESSAGE_KEY:", suite.digest_bytes)
        self._current = (0, self._data_key(0))

    def _derive(self, key: Buffer, purpose: bytes, length: int) -> bytes:
        info = self._prefix + purpose + self._aad
        return self._suite.hkdf_expand(key, info, length)

    def _data_key(self, epoch: int) -> Aead:
        first = epoch << self._rotation_bits
        purpose = b"DEK:" + first.to_bytes(8, "big")
        length = self._suite.aead_key_bytes
        return self._suite.aead(self._derive(self._message_key, purpose, length))

    def aead(self, position: int) -> Aead:
        """Return the AEAD of a segment; the last one used is kept."""
        if not 0 <= position < MAX_SEGMENTS:
            message = f"segment {position} is over the limit of {MAX_SEGMENTS}"
            raise LimitReached(message)
        epoch = position >> self._rotation_bits
        current = self._current
        if epoch != current[0]:
            current = self._current = (epoch, self._data_key(epoch))
        return current[1]


class Sealer:
    """Seals segments, each once, in any order (startEncryption, encryptSegment)."""

    def __init__(
        self,
        suite: Suite,
        key: Buffer,
        aad: bytes,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        random: Callable[[int], bytes],
        rotation_bits: int = ROTATION_BITS,
    ) -> None:
        """Start a ciphertext under `key` (aead_key_bytes long) and `aad`.

        Args:
            suite: names the AEAD and the KDF.
            key: the data key; a fresh IV makes its reuse harmless.
            aad: what the ciphertext is bound to.
            segment_bytes: length of a sealed segment, so 32 more than its text.
            random: returns n random bytes, for the IV and the nonces.
            rotation_bits: the specification's 20; its test vectors also use 2.
        """
        params = _PARAMS.pack(suite.floe_params[:2], segment_bytes, IV_BYTES)
        prefix = params + random(IV_BYTES)
        self._keys = _Keys(suite, key, prefix, aad, rotation_bits)
        self.header = prefix + self._keys.header_tag
        self.plaintext_bytes = Header.parse(self.header).segment_bytes - OVERHEAD_BYTES
        self._random = random

    def seal_segment(
        self,
        position: int,
        plaintext: Buffer,
        *,
        final: bool,
        out: memoryview | None = None,
    ) -> memoryview:
        """Seal one segment into `out` and return the part of it that was written.

        Args:
            position: the segment's number from 0; seal each number only once.
            plaintext: `plaintext_bytes` bytes, or fewer in the last segment.
            final: whether this is the last segment.
            out: room for the text and 32 bytes; made when not given.

        Raises:
            Malformed: too many bytes, or too few in a segment that is not last.
        """
        length = len(plaintext)
        if length > self.plaintext_bytes or (
            length < self.plaintext_bytes and not final
        ):
            message = f"a segment takes {self.plaintext_bytes} bytes, not {length}"
            raise Malformed(message)
        total = length + OVERHEAD_BYTES
        sealed = memoryview(bytearray(total)) if out is None else out[:total]
        nonce = self._random(12)
        sealed[:4] = total.to_bytes(4, "big") if final else _NOT_LAST
        sealed[4:16] = nonce
        self._keys.aead(position).encrypt_into(
            nonce, plaintext, _SEGMENT_AAD.pack(position, final), sealed[16:]
        )
        return sealed


class Opener:
    """Opens segments in any order, also from several threads at once.

    The specification's startDecryption and decryptSegment.
    """

    def __init__(
        self,
        suite: Suite,
        key: Buffer,
        aad: bytes,
        header: bytes,
        *,
        rotation_bits: int = ROTATION_BITS,
    ) -> None:
        """Check the header under `key` and `aad`.

        Raises:
            Tampered: the header is not one that the holder of this key made for
                this associated data (floe.header).
        """
        parsed = Header.parse(header)
        if parsed.suite_id != suite.id:
            raise tampered(HEADER_RULE, f"suite {suite.id}", parsed.suite_id)
        self._keys = _Keys(suite, key, header[: 10 + IV_BYTES], aad, rotation_bits)
        if not constant_time_equal(self._keys.header_tag, parsed.tag):
            got = (
                "another one: a wrong key, or a header or description that was altered"
            )
            raise tampered(HEADER_RULE, "the tag that this key makes", got)
        self.segment_bytes = parsed.segment_bytes
        self.plaintext_bytes = parsed.segment_bytes - OVERHEAD_BYTES

    def segment_count(self, ciphertext_length: int) -> int:
        """Return how many segments a ciphertext of that length (with header) has.

        Raises:
            Tampered: no ciphertext ends there (floe.truncated).
        """
        return segment_count(self.segment_bytes, ciphertext_length)

    def plaintext_length(self, ciphertext_length: int) -> int:
        """Return the length of the text of a ciphertext of that length.

        Raises:
            Tampered: no ciphertext ends there (floe.truncated).
        """
        count = self.segment_count(ciphertext_length)
        return ciphertext_length - HEADER_BYTES - count * OVERHEAD_BYTES

    def segment_span(self, position: int) -> tuple[int, int]:
        """Return where a segment starts and ends, unless the ciphertext ends first."""
        start = HEADER_BYTES + position * self.segment_bytes
        return start, start + self.segment_bytes

    def open_segment(
        self, position: int, segment: Buffer, out: memoryview, *, final: bool
    ) -> int:
        """Open one segment into `out` and return how many bytes of text it held.

        Args:
            position: the segment's number from 0.
            segment: its bytes, in memory that nobody else can write.
            out: at least 32 bytes shorter than the segment; zeroed on refusal.
            final: whether the ciphertext's known length ends with this segment.

        Raises:
            Tampered: cut or extended (floe.truncated), or altered, moved, or taken
                from another ciphertext (floe.segment).
        """
        view = memoryview(segment)
        self._check_frame(position, view, final=final)
        length = len(view) - OVERHEAD_BYTES
        aad = _SEGMENT_AAD.pack(position, final)
        aead = self._keys.aead(position)
        try:
            aead.decrypt_into(view[4:16], view[16:], aad, out[:length])
        except Tampered as error:
            got = "one that was altered, moved or taken from another file"
            raise tampered(SEGMENT_RULE, f"segment {position}", got) from error
        return length

    def _check_frame(self, position: int, view: memoryview, *, final: bool) -> None:
        name = f"segment {position}"
        marked_last = view[:4] != _NOT_LAST
        if not (OVERHEAD_BYTES <= len(view) <= self.segment_bytes):
            raise tampered(TRUNCATED_RULE, f"a whole {name}", f"{len(view)} bytes")
        if final and not marked_last:
            got = "one that others must follow: the end was cut off"
            raise tampered(TRUNCATED_RULE, f"{name} as the last", got)
        if final and int.from_bytes(view[:4], "big") != len(view):
            got = f"{len(view)} bytes, which is not the length it was sealed with"
            raise tampered(TRUNCATED_RULE, f"{name} as the last, whole", got)
        if not final and marked_last:
            got = "one marked last: it was moved, or bytes were added after the end"
            raise tampered(SEGMENT_RULE, f"{name} with others after it", got)
        if not final and len(view) != self.segment_bytes:
            got = f"{len(view)} bytes"
            raise tampered(TRUNCATED_RULE, f"{name} of {self.segment_bytes}", got)


def segment_count(segment_bytes: int, ciphertext_length: int) -> int:
    """Return how many segments make up a ciphertext (with header) of that length.

    Raises:
        Tampered: no ciphertext ends there (floe.truncated).
    """
    body = ciphertext_length - HEADER_BYTES
    count = -(-body // segment_bytes)
    last = body - (count - 1) * segment_bytes
    if body < OVERHEAD_BYTES or last < OVERHEAD_BYTES:
        got = f"{ciphertext_length} bytes: the end was cut off"
        raise tampered(TRUNCATED_RULE, "a length that ends with a segment", got)
    return count
