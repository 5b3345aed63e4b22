# SPDX-License-Identifier: Apache-2.0
"""A record signed by a known key: COSE_Sign1 whose `typ` is the record's type.

The type in the protected header keeps a signature on one kind of statement from
ever being taken for another (RFC 9596).
"""

from typing import TypeVar

from strongroom.core.codec import cose
from strongroom.core.codec.record import Record
from strongroom.core.crypto import SigningKey, VerifyingKey

R = TypeVar("R", bound=Record)


def sign_record(key: SigningKey, record: Record) -> bytes:
    """Return `record` signed by `key`; `open_record` is the inverse."""
    return cose.sign1(key, record.TYPE, record.to_bytes())


def open_record(cls: type[R], data: bytes, key: VerifyingKey) -> R:
    """Return the record of type `cls` that `key` signed.

    Raises:
        Malformed: not a signed record of this type.
        Untrusted: not signed by this key.
    """
    return cls.from_bytes(cose.Sign1.parse(data).verify(key, cls.TYPE))


def peek_record(cls: type[R], data: bytes) -> tuple[R, bytes]:
    """Return an UNVERIFIED record and the id of the key it says signed it.

    Only for finding out whose key to verify it with.

    Raises:
        Malformed: not a signed record of this type.
    """
    statement = cose.Sign1.parse(data)
    return cls.from_bytes(statement.payload), statement.key_id
