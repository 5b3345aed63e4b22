# SPDX-License-Identifier: Apache-2.0
"""Items of DER (X.690), as far as one must cut them out of what holds them.

Whole structures are parsed by `cryptography`; this finds where in them an item lies.
"""

from typing import TypeAlias

from strongroom.errors import Malformed

Item: TypeAlias = tuple[int, int, int]
"""The tag of an item, where its content begins, and where it ends."""

INTEGER, OCTET_STRING, OBJECT_ID = 0x02, 0x04, 0x06
SEQUENCE, CONTEXT_0 = 0x30, 0xA0

_LONG, _MAX_LENGTH_BYTES = 0x80, 4


def items(data: bytes, begin: int, end: int, most: int = 1 << 20) -> list[Item]:
    """Return the items, `most` at the most, that follow one another up to `end`.

    Raises:
        Malformed: one is cut short, or its length is not written as X.690 says.
    """
    found: list[Item] = []
    while begin < end and len(found) < most:
        content = begin + 2
        if content > end:
            raise Malformed(_SHORT)
        length = data[begin + 1]
        if length >= _LONG:
            extra = length - _LONG
            length = int.from_bytes(data[content : content + extra], "big")
            content += extra
            if not 0 < extra <= _MAX_LENGTH_BYTES or length < _LONG:
                raise Malformed(_SHORT)
        stop = content + length
        if stop > end:
            raise Malformed(_SHORT)
        found.append((data[begin], content, stop))
        begin = stop
    return found


def encodings(data: bytes, begin: int, end: int, most: int) -> list[bytes]:
    """Return the encodings of the items, `most` at the most, that follow one another.

    Raises:
        Malformed: as `items`.
    """
    found: list[bytes] = []
    for _ in range(most):
        if begin + 2 > end:
            break
        length = data[begin + 1]
        if length < _LONG:
            stop = begin + 2 + length
            if stop > end:
                raise Malformed(_SHORT)
        else:
            stop = items(data, begin, end, 1)[0][2]
        found.append(data[begin:stop])
        begin = stop
    else:
        return found
    if begin != end:
        raise Malformed(_SHORT)
    return found


def sequence(data: bytes, begin: int, end: int) -> list[Item]:
    """Return the items of the one SEQUENCE that lies between `begin` and `end`.

    Raises:
        Malformed: there is something else, or more.
    """
    whole = items(data, begin, end, 2)
    if len(whole) != 1 or whole[0][0] != SEQUENCE:
        message = "one DER SEQUENCE was expected"
        raise Malformed(message)
    return items(data, whole[0][1], end)


def content(encoding: bytes) -> int:
    """Return where the content of an encoding begins that `sequence` has read."""
    return 2 + max(0, encoding[1] - _LONG)


_SHORT = "DER: an item is cut short or its length is not written as X.690 says"
