# SPDX-License-Identifier: Apache-2.0
"""Who opened a channel: by signature over the handshake, or not at all (WL-1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record, peek_record, sign_record
from strongroom.core.crypto import SigningKey, VerifyingKey
from strongroom.errors import Refused, Untrusted

Prove: TypeAlias = Callable[[bytes, bytes], bytes]
"""(nonce of the offer, transcript) -> proof; the client's side."""

Admit: TypeAlias = Callable[[bytes, bytes, bytes], bytes]
"""(proof, nonce of the offer, transcript) -> who it is, or a refusal."""


@dataclass(frozen=True)
class ClientProof(Record):
    """What a client signs: the digest of the handshake it took part in."""

    TYPE = "strongroom/channel-client/v1"

    transcript: bytes


def anyone(proof: bytes, nonce: bytes, heard: bytes) -> bytes:
    """Admit whoever does not say who it is; refuse a proof that nobody asked for."""
    del nonce, heard
    if proof:
        got = "a proof that this app cannot check"
        raise _nobody(got)
    return b""


def signed_by(identity: SigningKey) -> Prove:
    """Return what proves by the signature of a party."""

    def prove(nonce: bytes, heard: bytes) -> bytes:
        del nonce
        return sign_record(identity, ClientProof(heard))

    return prove


def listed(clients: Sequence[VerifyingKey]) -> Admit:
    """Return what admits the parties of a list, each by its key id."""
    known = {each.key_id: each for each in clients}

    def admit(proof: bytes, nonce: bytes, heard: bytes) -> bytes:
        del nonce
        _, key_id = peek_record(ClientProof, proof) if proof else (None, b"")
        key = known.get(key_id)
        if key is None or open_record(ClientProof, proof, key).transcript != heard:
            raise _nobody(f"key {key_id.hex()[:16]}" if key_id else "nobody's word")
        return key_id

    return admit


def _nobody(got: str) -> Refused:
    return Untrusted.because(
        "channel.client",
        "the app",
        expected="a client on its list, who proves that it took this handshake",
        got=got,
        remedy="Open the channel with an identity that the app lists.",
    )
