# SPDX-License-Identifier: Apache-2.0
r"""The sealed dataset file: a readable description, then a FLOE ciphertext.

    "strongroom-sealed/v1\n" | u32 length | CBOR DatasetHeader | FLOE ciphertext

Everything before the ciphertext is its associated data, so whoever opens the file
knows that the key's holder wrote the description. docs/specs/sealed-file.md.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from strongroom.core.codec.floe import HEADER_BYTES
from strongroom.core.codec.record import Record
from strongroom.core.crypto import Suite
from strongroom.errors import Malformed

MAGIC = b"strongroom-sealed/v1\n"
FIXED_BYTES = len(MAGIC) + 4
"""How much of a file tells how long its description is."""
MAX_HEADER_BYTES = 1 << 20
MAX_TEXT = 256
_PARTY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class DatasetHeader(Record):
    """What everyone may know of a dataset; never put a secret here."""

    TYPE: ClassVar[str] = "strongroom/dataset-header/v1"

    suite: Literal["sm", "intl"]
    name: str
    media_type: str
    columns: tuple[str, ...]
    rows: int | None
    owner: str
    """Party id: 64 lower-case hex digits."""
    created_at: int
    """Unix seconds."""

    def __post_init__(self) -> None:
        """Refuse what no reader could show or compare."""
        for text in (self.name, self.media_type, *self.columns):
            if not 0 < len(text) <= MAX_TEXT or not text.isprintable():
                message = f"dataset header: names are 1 to {MAX_TEXT} printable letters"
                raise Malformed(message)
        if len(set(self.columns)) != len(self.columns):
            message = "dataset header: a column is named twice"
            raise Malformed(message)
        if not _PARTY.fullmatch(self.owner):
            message = "dataset header: the owner is not a party id (64 hex digits)"
            raise Malformed(message)
        if self.created_at < 0 or (self.rows is not None and self.rows < 0):
            message = "dataset header: a time or a count is negative"
            raise Malformed(message)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The start of a sealed file: its description and the bytes that carry it."""

    header: DatasetHeader
    raw: bytes

    @classmethod
    def of(cls, header: DatasetHeader) -> Self:
        """Write the start of a file.

        Raises:
            Malformed: the description is over `MAX_HEADER_BYTES`.
        """
        body = header.to_bytes()
        if len(body) > MAX_HEADER_BYTES:
            message = f"a dataset header of {len(body)} bytes is over the limit"
            raise Malformed(message)
        return cls(header, MAGIC + len(body).to_bytes(4, "big") + body)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse exactly the bytes before the ciphertext.

        Raises:
            Malformed: any other bytes.
        """
        if len(data) != prefix_length(data[:FIXED_BYTES]):
            message = "the description of a sealed file is cut or too long"
            raise Malformed(message)
        return cls(DatasetHeader.from_bytes(data[FIXED_BYTES:]), data)


def prefix_length(start: bytes) -> int:
    """Return the ciphertext's offset, from the first `FIXED_BYTES` of a file.

    Raises:
        Malformed: not a sealed file, or the description is over the limit.
    """
    if len(start) != FIXED_BYTES or not start.startswith(MAGIC):
        message = "this is not a sealed file (strongroom-sealed/v1)"
        raise Malformed(message)
    length = int.from_bytes(start[len(MAGIC) :], "big")
    if length > MAX_HEADER_BYTES:
        message = f"a dataset header of {length} bytes is over the limit"
        raise Malformed(message)
    return FIXED_BYTES + length


def dataset_id(suite: Suite, head: bytes, total_length: int) -> str:
    """Return the name of a sealed file: 64 hex digits over its head and length.

    Under a key that its owner keeps, the FLOE header tag and the length fix the
    ciphertext; a digest of the whole file would cost more than opening it. It does
    not tell apart two files that one owner makes alike on purpose.

    Args:
        suite: the suite that the description names.
        head: description and FLOE header: everything before the first segment.
        total_length: length of the whole file.

    Raises:
        Malformed: `head` is not the head of a sealed file.
    """
    if len(head) != prefix_length(head[:FIXED_BYTES]) + HEADER_BYTES:
        message = "the head of a sealed file is its description and its FLOE header"
        raise Malformed(message)
    return suite.digest(head, total_length.to_bytes(8, "big"))[:32].hex()
