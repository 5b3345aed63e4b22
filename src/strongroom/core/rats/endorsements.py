# SPDX-License-Identifier: Apache-2.0
"""Endorsements: whose word about devices counts ("preset endorsement trust")."""

from dataclasses import dataclass, field

from strongroom.core.codec.record import Record
from strongroom.core.rats.claims import ID_BYTES
from strongroom.errors import Malformed


@dataclass(frozen=True)
class Endorsements(Record):
    """Trust anchors and revocations, from the verifier's own configuration.

    Args:
        roots: self-signed root certificates or pinned keys, encoded as their kind
            has them; with none nothing verifies.
        revoked: 32-byte ids of keys that must not appear anywhere in a chain.
        collateral: what vendors publish for verifiers, by role ("tcb_info", "crl"),
            each document as it was published; see docs/attestation.md.
    """

    TYPE = "strongroom/endorsements/v1"

    roots: tuple[bytes, ...]
    revoked: tuple[bytes, ...]
    collateral: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(len(key_id) != ID_BYTES for key_id in self.revoked):
            message = f"a revoked key is named by its id of {ID_BYTES} bytes"
            raise Malformed(message)
