# SPDX-License-Identifier: Apache-2.0
"""Endorsements: whose word about devices counts ("preset endorsement trust")."""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.rats.claims import ID_BYTES
from strongroom.errors import Malformed


@dataclass(frozen=True)
class Endorsements(Record):
    """Trust anchors and revocations, from the verifier's own configuration.

    Args:
        roots: self-signed root certificates, encoded; with none nothing verifies.
        revoked: 32-byte ids of keys that must not appear anywhere in a chain.
    """

    TYPE = "strongroom/endorsements/v1"

    roots: tuple[bytes, ...]
    revoked: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if any(len(key_id) != ID_BYTES for key_id in self.revoked):
            message = f"a revoked key is named by its id of {ID_BYTES} bytes"
            raise Malformed(message)
