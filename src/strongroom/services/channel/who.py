# SPDX-License-Identifier: Apache-2.0
"""Who opened a channel, by signature over the handshake (WL-1)."""

from dataclasses import dataclass

from strongroom.core.codec.record import Record


@dataclass(frozen=True)
class ClientProof(Record):
    """What a client signs: the digest of the handshake it took part in."""

    TYPE = "strongroom/channel-client/v1"

    transcript: bytes
