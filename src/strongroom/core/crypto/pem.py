# SPDX-License-Identifier: Apache-2.0
"""PEM (RFC 7468): the encodings in a text, of one label."""

from binascii import Error, a2b_base64

from strongroom.errors import Malformed

BEGIN = b"-----BEGIN "

_DASHES, _BEGIN, _END = b"-----", b"BEGIN ", b"END "
_SPACE = b" \t\r\n\v\f"
_BODY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=" + _SPACE
_PIECES = 4
"""Between dashes: BEGIN and a label, the body, END and the label, what follows."""


def read(text: bytes, label: bytes) -> list[bytes]:
    """Return what the blocks of a text hold; words around blocks mean nothing.

    Raises:
        Malformed: a block is of another label, is cut short or is not base64.
    """
    _, *pieces = text.split(_DASHES)
    blocks = [pieces[at : at + _PIECES] for at in range(0, len(pieces), _PIECES)]
    if not all(_is_block(each, label) for each in blocks):
        raise _no_blocks(label)
    try:
        return [
            a2b_base64(body.translate(None, _SPACE), strict_mode=True)
            for _, body, *_ in blocks
        ]
    except Error as error:
        if any(body.translate(None, _BODY) for _, body, *_ in blocks):
            raise _no_blocks(label) from error
        message = "PEM: a block is not base64"
        raise Malformed(message) from error


def _no_blocks(label: bytes) -> Malformed:
    return Malformed(f"PEM: blocks of {label.decode()} alone were expected")


def _is_block(pieces: list[bytes], label: bytes) -> bool:
    """Whether these are BEGIN and END of the label with a body between."""
    if len(pieces) != _PIECES:
        return False
    begin, body, end, _ = pieces
    return (
        begin.lstrip(b"-") == _BEGIN + label
        and end == _END + label
        and body[:1].isspace()
    )
