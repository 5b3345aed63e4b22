# SPDX-License-Identifier: Apache-2.0
"""Certificates whose ECDSA algorithm has a NULL, which RFC 5758 section 3.2 leaves out.

mbedTLS wrote them so before version 3.5, and with it Gramine and Open Enclave their
RA-TLS certificates. `cryptography` reads none of them.
"""

from strongroom.core.crypto import der

_BEGINNING = bytes.fromhex("300c06082a8648ce3d0403")
_WITH_NULL = tuple(_BEGINNING + bytes((number, 5, 0)) for number in (2, 3, 4))
"""AlgorithmIdentifiers of ECDSA with SHA-256, -384 and -512."""
_ALGORITHM_FIELD = 2
"""Where a body that begins with its version names its algorithm (RFC 5280, 4.1)."""
_LONG = 0x80


def without_null(data: bytes) -> bytes:
    """Return a certificate without that NULL, in both places; any other as it is.

    What comes back is for reading alone: signatures are over the bytes that came.

    Raises:
        Malformed: it has the algorithm somewhere, and is no DER.
    """
    if _BEGINNING not in data or not any(each in data for each in _WITH_NULL):
        return data
    parts = der.sequence(data, 0, len(data))
    fields = der.items(data, *parts[0][1:], _ALGORITHM_FIELD + 1) if parts else []
    if len(parts) < 2 or len(fields) <= _ALGORITHM_FIELD:  # noqa: PLR2004 - what it reads
        return data
    body, outer = parts[:2]
    begin, end = fields[_ALGORITHM_FIELD - 1][2], fields[_ALGORITHM_FIELD][2]
    named = data[begin:end]
    if named not in _WITH_NULL or data[body[2] : outer[2]] != named:
        return data
    plain = _sequence(named[2:-2])
    tbs = _sequence(data[body[1] : begin] + plain + data[end : body[2]])
    return _sequence(tbs + plain + data[outer[2] :])


def _sequence(content: bytes) -> bytes:
    size = len(content)
    if size < _LONG:
        return bytes((der.SEQUENCE, size)) + content
    length = size.to_bytes(4, "big").lstrip(b"\0")
    return bytes((der.SEQUENCE, _LONG | len(length))) + length + content
