# SPDX-License-Identifier: Apache-2.0
"""The handshake of the secure channel: its messages and its key schedule (CHAN, 7.5).

    agent                                   service (in the enclave)
      Hello   suite, nonce           ->
                                     <-     Offer   key for boxes, nonce, evidence
      Finish  box, signature or none ->
                                     <->    records

The evidence binds `offer_digest`, so nobody between can put another key into the
offer. The box (HPKE, RFC 9180) carries a fresh secret to that key, which serves one
session; every message is in the transcript that the keys come from.
"""

from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec import cbor
from strongroom.core.codec.record import Record
from strongroom.core.crypto import Suite, suite
from strongroom.errors import Malformed

NONCE_BYTES = SECRET_BYTES = SESSION_BYTES = 32
BOUND_BYTES = 64
BOX_INFO = b"strongroom/channel/v1/secret\0"

Side = Literal["agent", "service"]


@dataclass(frozen=True)
class Hello(Record):
    """The first message: which suite, and a challenge for the evidence."""

    TYPE = "strongroom/channel-hello/v1"

    suite: str
    nonce: bytes

    def __post_init__(self) -> None:
        suite(self.suite)
        _sized("nonce", self.nonce, NONCE_BYTES)


@dataclass(frozen=True)
class Offer(Record):
    """The service's answer; `evidence` binds `offer_digest` of it."""

    TYPE = "strongroom/channel-offer/v1"

    session: bytes
    public: bytes
    nonce: bytes
    evidence: bytes

    def __post_init__(self) -> None:
        _sized("session", self.session, SESSION_BYTES)
        _sized("nonce", self.nonce, NONCE_BYTES)


@dataclass(frozen=True)
class Finish(Record):
    """The agent's second message: the secret in a box, and who the agent is, or b""."""

    TYPE = "strongroom/channel-finish/v1"

    box: bytes
    client: bytes


def offer_digest(hello: bytes, session: bytes, public: bytes, nonce: bytes) -> bytes:
    """Return what the evidence of an offer has bound: the offer and its question."""
    row = suite(Hello.from_bytes(hello).suite)
    said = cbor.encode(["strongroom/channel/v1/offer", hello, session, public, nonce])
    return row.digest(said)[:BOUND_BYTES]


def transcript(hello: bytes, offer: bytes, box: bytes) -> bytes:
    """Return the digest of the whole handshake; what a client signs."""
    row = suite(Hello.from_bytes(hello).suite)
    return row.digest(
        cbor.encode(["strongroom/channel/v1/transcript", hello, offer, box])
    )


def direction_secret(row: Suite, secret: bytes, heard: bytes, sender: Side) -> bytes:
    """Return the secret of one direction: what `sender` encrypts under, at first."""
    info = b"strongroom/channel/v1/" + sender.encode() + b"\0"
    return row.hkdf(secret, salt=heard, info=info, length=SECRET_BYTES)


def _sized(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        message = f"the {name} of a channel's handshake has {size} bytes"
        raise Malformed(message)
