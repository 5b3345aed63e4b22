# SPDX-License-Identifier: Apache-2.0
"""Who opened a channel: by signature over the handshake, or not at all (WL-1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.permits import ANYONE, Caller
from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record, sign_record
from strongroom.core.crypto import SigningKey, VerifyingKey, constant_time_equal
from strongroom.errors import Refused, Untrusted

Prove: TypeAlias = Callable[[bytes, bytes], bytes]
"""(nonce of the offer, transcript) -> proof; the client's side."""

Admit: TypeAlias = Callable[[bytes, bytes, bytes], Caller]
"""(proof, nonce of the offer, transcript) -> who it is, or a refusal."""

_MAP_OF_3 = b"\xa3"


@dataclass(frozen=True)
class ClientProof(Record):
    """What a client signs: the digest of the handshake it took part in."""

    TYPE = "strongroom/channel-client/v1"

    transcript: bytes


@dataclass(frozen=True)
class Introduction(Record):
    """A client's key, and its signature over a `ClientProof`."""

    TYPE = "strongroom/channel-introduction/v1"

    public: PublicKey
    proof: bytes


def anyone(proof: bytes, nonce: bytes, heard: bytes) -> Caller:
    """Admit whoever does not say who it is; refuse a proof that nobody asked for."""
    del nonce, heard
    if proof:
        got = "a proof that this app cannot check"
        raise _nobody(got)
    return ANYONE


def signed_by(identity: SigningKey) -> Prove:
    """Return what proves by the signature of a party."""

    def prove(nonce: bytes, heard: bytes) -> bytes:
        del nonce
        proof = sign_record(identity, ClientProof(heard))
        return Introduction(PublicKey.of(identity.public), proof).to_bytes()

    return prove


def is_introduction(proof: bytes) -> bool:
    """Whether a proof is to be an `Introduction`, rather than evidence (COSE)."""
    return proof[:1] == _MAP_OF_3


def introduced(proof: bytes, heard: bytes) -> Caller:
    """Return the party that signed this very handshake, whoever that is.

    Raises:
        Malformed: no `Introduction`.
        Untrusted: not signed by its key; `channel.client`, another handshake.
    """
    said = Introduction.from_bytes(proof)
    key = said.public.verifying()
    signed = open_record(ClientProof, said.proof, key).transcript
    if not constant_time_equal(signed, heard):
        got = f"another handshake's signature by the key {key.key_id.hex()[:16]}"
        raise _nobody(got)
    return Caller("key", key.key_id)


def listed(clients: Sequence[VerifyingKey]) -> Admit:
    """Return what admits the parties of a list, each by its key id."""
    known = {each.key_id for each in clients}

    def admit(proof: bytes, nonce: bytes, heard: bytes) -> Caller:
        del nonce
        if not proof:
            raise _nobody("nobody's word")
        caller = introduced(proof, heard)
        if caller.id not in known:
            raise _nobody(str(caller))
        return caller

    return admit


def _nobody(got: str) -> Refused:
    return Untrusted.because(
        "channel.client",
        "the app",
        expected="a client on its list, who proves that it took this handshake",
        got=got,
        remedy="Open the channel with an identity that the app lists.",
    )
