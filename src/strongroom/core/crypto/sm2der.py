# SPDX-License-Identifier: Apache-2.0
"""SM2 ciphertexts in their two forms: C1 || C3 || C2 and the DER of GB/T 35276.

    SM2Cipher ::= SEQUENCE {
        XCoordinate INTEGER, YCoordinate INTEGER,
        HASH OCTET STRING (SIZE (32)), CipherText OCTET STRING }

Only the one DER encoding of a ciphertext is read, so one ciphertext has one form.
"""

from strongroom.errors import Malformed

POINT_BYTES, DIGEST_BYTES, HALF_BYTES = 65, 32, 32
OVERHEAD_BYTES = POINT_BYTES + DIGEST_BYTES
"""C1 is an uncompressed point and C3 a digest of SM3."""

_INTEGER, _OCTETS, _SEQUENCE = 2, 4, 0x30
_SHORT_FORM, _MAX_LENGTH_BYTES = 0x80, 3
_UNCOMPRESSED = 4


def to_der(flat: bytes) -> bytes:
    """Return C1 || C3 || C2 in DER; `from_der` is the inverse.

    Raises:
        Malformed: it does not begin with an uncompressed point and a digest.
    """
    if len(flat) < OVERHEAD_BYTES or flat[0] != _UNCOMPRESSED:
        raise Malformed(_NONE)
    x, y = flat[1 : 1 + HALF_BYTES], flat[1 + HALF_BYTES : POINT_BYTES]
    body = _number(x) + _number(y)
    body += _item(_OCTETS, flat[POINT_BYTES:OVERHEAD_BYTES])
    return _item(_SEQUENCE, body + _item(_OCTETS, flat[OVERHEAD_BYTES:]))


def from_der(der: bytes) -> bytes:
    """Return the DER of a ciphertext as C1 || C3 || C2.

    Raises:
        Malformed: any bytes that `to_der` would not have written.
    """
    body, rest = _take(der, _SEQUENCE)
    x, body = _take(body, _INTEGER)
    y, body = _take(body, _INTEGER)
    digest, body = _take(body, _OCTETS)
    data, body = _take(body, _OCTETS)
    numbers = [int.from_bytes(part, "big") for part in (x, y)]
    if max(numbers).bit_length() > 8 * HALF_BYTES:
        raise Malformed(_NONE)
    point = b"".join(number.to_bytes(HALF_BYTES, "big") for number in numbers)
    flat = b"\x04" + point + digest + data
    if rest or body or len(digest) != DIGEST_BYTES or to_der(flat) != der:
        raise Malformed(_NONE)
    return flat


def _number(half: bytes) -> bytes:
    number = int.from_bytes(half, "big")
    return _item(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _item(tag: int, body: bytes) -> bytes:
    length = len(body)
    if length < _SHORT_FORM:
        return bytes([tag, length]) + body
    count = (length.bit_length() + 7) // 8
    return bytes([tag, _SHORT_FORM | count]) + length.to_bytes(count, "big") + body


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the body of the first item of `data`, and what follows the item."""
    start = 2
    if len(data) < start or data[0] != tag:
        raise Malformed(_NONE)
    length = data[1]
    if length >= _SHORT_FORM:
        count = length - _SHORT_FORM
        start += count
        if count > _MAX_LENGTH_BYTES or len(data) < start:
            raise Malformed(_NONE)
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise Malformed(_NONE)
    return data[start : start + length], data[start + length :]


_NONE = "this is not an SM2 ciphertext in the DER of GB/T 35276"
