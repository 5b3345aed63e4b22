# SPDX-License-Identifier: Apache-2.0
"""What the extensions of a certificate (RFC 5280 section 4.2) say of its key.

`cryptography` reads them, which is most of the time that a certificate takes. Those
that are written as Intel writes them, byte by byte, are read here; where one is not, or
there is another, `cryptography` reads them all: it judges what is malformed.
"""

import re
from typing import NamedTuple

from cryptography import x509

_SGX = "1.2.840.113741.1.13.1"
_SGX_HEAD = 19
"""Bytes of that extension before its value: three tags and lengths, and the id."""

_PLAIN = re.compile(
    rb"""
    (\xa3(?:\x81.|\x82..)\x30(?:\x81.|\x82..))    # lengths that have been read
    (?:
        # the keys of who signs and of who is certified; where the list is
        (\x30\x1f\x06\x03\x55\x1d\x23\x04\x18\x30\x16\x80\x14.{20})
    |   (\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14.{20})
    |   (\x30.\x06\x03\x55\x1d\x1f\x04.\x30.\x30.\xa0.\xa0.\x86.[!-~]+)
        # signs certificates and lists, or what people say
    |   (\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02
            (?:\x01\x06|\x06\xc0))
        # no CA, or one above so many
    |   (\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00
        |\x30\x12\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x08\x30\x06\x01\x01\xff
            \x02\x01[\x00-\x7f])
    ){1,5}
    (\x30\x82..\x06\x09\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01\x04\x82.*)?
    """,
    re.DOTALL | re.VERBOSE,
)
"""Extensions in any order, with Intel's of SGX as the last."""

_SIGNS, _CA_BYTES, _LIST_HEAD, _LONG = b"\x06", 20, 19, 0xFF
_LISTS = [
    bytes((0x30, n + 17, 0x06, 0x03, 0x55, 0x1D, 0x1F, 0x04, n + 10))
    + bytes((0x30, n + 8, 0x30, n + 6, 0xA0, n + 4, 0xA0, n + 2, 0x86, n))
    for n in range(0x80 - 17)
]
"""How distribution points of one URL begin that is so many bytes long."""

_NOT_PROCESSED = (
    x509.UnrecognizedExtension,
    x509.NameConstraints,
    x509.PolicyConstraints,
    x509.InhibitAnyPolicy,
)


class Extensions(NamedTuple):
    """What they say.

    Attributes:
        is_ca: whether the key may sign other certificates.
        path_length: how many certificates may stand between it and a leaf, or None.
        critical_unknown: object ids of critical ones that nothing here understands.
            Limits of names and policies are among them: RFC 5280 has them processed.
        private: those that `cryptography` does not know, by their object ids.
    """

    is_ca: bool
    path_length: int | None
    critical_unknown: tuple[str, ...]
    private: dict[str, bytes]


def read(parsed: x509.Extensions) -> Extensions:
    """Take what `cryptography` has read."""
    basic, signs = None, True
    private: dict[str, bytes] = {}
    critical = []
    for each in parsed:
        value = each.value
        if each.critical and isinstance(value, _NOT_PROCESSED):
            critical.append(each.oid.dotted_string)
        if isinstance(value, x509.UnrecognizedExtension):
            private[value.oid.dotted_string] = value.value
        elif isinstance(value, x509.BasicConstraints):
            basic = value
        elif isinstance(value, x509.KeyUsage):
            signs = value.key_cert_sign
    is_ca = bool(basic and basic.ca) and signs
    return Extensions(
        is_ca, basic.path_length if basic else None, tuple(critical), private
    )


def read_plain(encoding: bytes) -> Extensions | None:
    """Read extensions, or return None: they are not all as Intel's are.

    Args:
        encoding: the field of the extensions, with its context tag, of what
            `cryptography` has read as a certificate.
    """
    found = _PLAIN.fullmatch(encoding)
    if found is None:
        return None
    *_, lists, usage, basic, sgx = cut = found.groups(b"")
    # A group holds the last of its kind: with another before it they are not the whole.
    if sum(map(len, cut)) != len(encoding) or not _is_list(lists):
        return None
    value = sgx[_SGX_HEAD:]
    if sgx and not _is_long(sgx, value):
        return None
    is_ca = len(basic) == _CA_BYTES
    return Extensions(
        is_ca and (not usage or usage.endswith(_SIGNS)),
        basic[-1] if is_ca else None,
        (),
        {_SGX: value} if sgx else {},
    )


def _is_list(lists: bytes) -> bool:
    """Whether the lengths in distribution points, if there are any, are right."""
    size = len(lists) - _LIST_HEAD
    return not lists or (size < len(_LISTS) and lists.startswith(_LISTS[size]))


def _is_long(sgx: bytes, value: bytes) -> bool:
    """Whether the lengths of Intel's extension are those of a value, a long one."""
    whole = len(sgx) - 4
    return (
        len(value) > _LONG
        and sgx[2:4] == whole.to_bytes(2, "big")
        and sgx[_SGX_HEAD - 2 : _SGX_HEAD] == len(value).to_bytes(2, "big")
    )
