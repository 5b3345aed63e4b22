# SPDX-License-Identifier: Apache-2.0
"""Conceptual message wrappers in certificates (draft-ietf-rats-msg-wrap).

A certificate holds DER of a choice: CBOR in an OCTET STRING, or JSON in a UTF8String
(section 5.3). Read are records, [type, value, ?ind] (section 3.1); not collections, nor
types that are numbers of CoAP's.
"""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Self

from strongroom.core.codec import cbor, foreign_cbor
from strongroom.core.codec.cursor import Cursor
from strongroom.errors import Malformed

EVIDENCE = 1 << 2
"""The bit of evidence in `ind` (section 3.1.1); without `ind` that is what it is."""

_WHAT = "conceptual message wrapper"
_OCTETS, _UTF8 = 0x04, 0x0C
_SHORT, _LONG = 2, 3
_LONG_FORM, _MAX_LENGTH_BYTES = 0x80, 3


@dataclass(frozen=True)
class Wrapper:
    """A record: `value` is of media type `media_type`; `ind` says what messages."""

    media_type: str
    value: bytes
    ind: int

    @classmethod
    def parse(cls, extension: bytes) -> Self:
        """Read the value of an extension.

        Raises:
            Malformed: not a wrapper, or another one than a record.
        """
        tag, content = _der(extension)
        items: object
        if tag == _OCTETS:
            items = foreign_cbor.decode(content, _WHAT)
        elif tag == _UTF8:
            items = _json(content)
        else:
            message = f"{_WHAT}: ASN.1 type {tag}"
            raise Malformed(message)
        if isinstance(items, list) and _SHORT <= len(items) <= _LONG:
            media_type, value, ind = (*items, EVIDENCE)[:_LONG]
            if isinstance(media_type, str) and isinstance(value, bytes):
                return cls(media_type, value, ind if type(ind) is int else 0)
        message = f"{_WHAT}: not a record of a media type, a value and perhaps a number"
        raise Malformed(message)

    def to_extension(self) -> bytes:
        """Return the value of an extension, in CBOR; `parse` is the inverse."""
        content = cbor.encode([self.media_type, self.value, self.ind])
        size = len(content).to_bytes(_MAX_LENGTH_BYTES, "big").lstrip(b"\0")
        if len(content) < _LONG_FORM:
            return bytes((_OCTETS, len(content))) + content
        return bytes((_OCTETS, _LONG_FORM | len(size))) + size + content


def is_wrapper(extension: bytes) -> bool:
    """Whether the value of TCG's extension begins as a wrapper and not as a tag."""
    return extension[:1] in {bytes([_OCTETS]), bytes([_UTF8])}


def _der(data: bytes) -> tuple[int, bytes]:
    cursor = Cursor(data, _WHAT)
    tag, length = cursor.big(1), cursor.big(1)
    if length >= _LONG_FORM:
        size = length - _LONG_FORM
        if not 1 <= size <= _MAX_LENGTH_BYTES:
            message = f"{_WHAT}: a length of {size} bytes"
            raise Malformed(message)
        length = cursor.big(size)
    content = cursor.take(length)
    cursor.end()
    return tag, content


def _json(content: bytes) -> object:
    """Return a record in JSON as if it were CBOR: its value as bytes."""
    try:
        items = json.loads(content)
        if isinstance(items, list) and isinstance(items[1], str):
            text = items[1]
            items[1] = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, IndexError, RecursionError) as error:
        message = f"{_WHAT}: not JSON, or a value that is not base64url"
        raise Malformed(message) from error
    return items
