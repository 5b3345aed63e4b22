# SPDX-License-Identifier: Apache-2.0
"""PEM (RFC 7468): the encodings in a text, of one label."""

import re
from binascii import Error, a2b_base64

from strongroom.errors import Malformed

BEGIN = b"-----BEGIN "

_DASHES = b"-----"
_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,32})-----\s([A-Za-z0-9+/=\s]*)-----END \1-----"
)
_SPACE = b" \t\r\n\v\f"


def read(text: bytes, label: bytes) -> list[bytes]:
    """Return what the blocks of a text hold; words around blocks mean nothing.

    Raises:
        Malformed: a block is of another label, is cut short or is not base64.
    """
    found = _BLOCK.findall(text)
    if text.count(_DASHES) != 4 * len(found) or {name for name, _ in found} - {label}:
        message = f"PEM: blocks of {label.decode()} alone were expected"
        raise Malformed(message)
    try:
        return [
            a2b_base64(body.translate(None, _SPACE), strict_mode=True)
            for _, body in found
        ]
    except Error as error:
        message = "PEM: a block is not base64"
        raise Malformed(message) from error
