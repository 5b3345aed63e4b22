# SPDX-License-Identifier: Apache-2.0
"""Key agreement by handle: X25519, the SM2 key exchange, and by encapsulation.

X25519 is RFC 7748, the exchange GB/T 32918.3. By encapsulation, one side draws a secret
and sends it in an envelope (RFC 9180, here with ML-KEM-768 and X25519, or the SM twin)
to the other's key: the only agreement here that a quantum computer does not undo.
What is agreed on is a key to derive others from, so that each of those gets one
purpose of its own (KM-3). Nobody sees it: it goes straight into the ring.
"""

from dataclasses import dataclass

from strongroom.core.codec import cbor
from strongroom.core.crypto import Buffer, SecretBuffer, constant_time_equal, x25519
from strongroom.core.crypto.aead import tampered
from strongroom.core.crypto.sm2 import SIGNER_ID
from strongroom.core.crypto.sm2exchange import Party, exchange_into
from strongroom.errors import Malformed
from strongroom.services.crypto import refusals
from strongroom.services.crypto.algorithms import algorithm
from strongroom.services.crypto.keyring import KeyRing
from strongroom.services.crypto.kinds import (
    X25519,
    Agreement,
    Envelope,
    Kdf,
    Sm2Exchange,
)
from strongroom.services.crypto.records import Handle, KeySpec, PublicKey
from strongroom.services.crypto.wrapping import open_with_any

_INFO = b"strongroom/crypto/x25519/v1"
_ENVELOPE = b"strongroom/crypto/encapsulation/v1"


@dataclass(frozen=True)
class Sm2Side:
    """One side of an SM2 key exchange.

    Attributes:
        public: the lasting key.
        ephemeral: the key of this exchange.
        identity: the ID that both sides know this one by.
    """

    public: PublicKey
    ephemeral: PublicKey
    identity: bytes = SIGNER_ID


@dataclass(frozen=True)
class Agreed:
    """The outcome of an SM2 key exchange, to be confirmed before use.

    Attributes:
        key: a key to derive others from.
        send: the hash that shows the peer that this side has the key.
        expect: the hash that the peer has to show; give it to `confirm` from there.
    """

    key: Handle
    send: bytes
    expect: bytes


def agree(ring: KeyRing, handle: Handle, peer: PublicKey, label: str) -> Handle:
    """Return the key that `handle` and `peer` agree on by X25519 (RFC 7748).

    Both public keys stand in its derivation. It says nothing of who the peer is: the
    caller has to know whose key that is.

    Raises:
        Malformed: `peer` is no X25519 key, or one that anybody knows the secret of.
        NotFound: no such key.
        Refused: `handle` is not a key to agree with by X25519, or is shredded.
    """
    with ring.lend(handle, "agree") as lent:
        row = lent.row
        if not isinstance(row, X25519):
            raise refusals.wrong_algorithm(lent.info, "an X25519 key")
        _require_algorithm(row, peer)
        spec, gives = _agreed_spec(ring, row, label)
        key = SecretBuffer(gives.key_bytes)
        try:
            x25519.agree_into(
                lent.key, peer.raw, hashing=gives.hashing, info=_INFO, out=key.view
            )
        except BaseException:
            key.close()
            raise
        return ring.agreed(spec, key)


def agree_sm2(  # noqa: PLR0913 - the inputs of the standard
    ring: KeyRing,
    handle: Handle,
    ephemeral: Handle,
    peer: Sm2Side,
    label: str,
    *,
    initiator: bool,
    identity: bytes = SIGNER_ID,
) -> Agreed:
    """Return what `handle` and `peer` agree on by GB/T 32918.3; shreds `ephemeral`.

    Args:
        ring: the keys.
        handle: the own lasting key.
        ephemeral: the own key of this exchange, another one, never used again.
        peer: the other side.
        label: the label of the agreed key, 32 bytes as the standard has it.
        initiator: whether this side is user A.
        identity: the own ID.

    Raises:
        Malformed: the peer's keys are not points or cancel out, or both handles are
            one key.
        NotFound: no such key.
        Refused: a handle is not an SM2 key to agree with, or is shredded.
    """
    if handle == ephemeral:
        message = "an exchange takes a lasting key and another one that is used once"
        raise Malformed(message)
    with ring.lend(handle, "agree") as own:  # nobody else gets at the keys meanwhile
        with ring.lend(ephemeral, "agree") as once:
            row = own.row
            for lent in (own, once):
                if not isinstance(lent.row, Sm2Exchange):
                    raise refusals.wrong_algorithm(
                        lent.info, "a key of the SM2 exchange"
                    )
            for public in (peer.public, peer.ephemeral):
                _require_algorithm(row, public)
            spec, gives = _agreed_spec(ring, row, label)
            other = Party(peer.public.raw, peer.ephemeral.raw, peer.identity)
            key = SecretBuffer(gives.key_bytes)
            try:
                confirmation = exchange_into(
                    own.key,
                    once.key,
                    other,
                    identity=identity,
                    initiator=initiator,
                    out=key.view,
                )
            except BaseException:
                key.close()
                raise
            agreed = ring.agreed(spec, key)
        ring.shred(ephemeral)
    return Agreed(agreed, confirmation.send, confirmation.expect)


def confirm(ring: KeyRing, agreed: Agreed, received: bytes) -> Handle:
    """Return the agreed key if the peer has shown that it has it; else shred it.

    Raises:
        Tampered: the peer's hash is another one.
    """
    if not constant_time_equal(agreed.expect, received):
        ring.shred(agreed.key)
        raise refusals.wrong_confirmation()
    return agreed.key


def encapsulate(ring: KeyRing, peer: PublicKey, label: str) -> tuple[Handle, bytes]:
    """Return a key shared with the holder of `peer` alone, and what to send there.

    The peer knows nothing of who this side is.

    Raises:
        Malformed: not a key of an envelope.
        Refused: the policy does not allow the algorithm, or it has no envelopes.
        LimitReached: the ring is full.
    """
    row = ring.policy.require_algorithm(peer.algorithm)
    if not isinstance(row, Envelope):
        has = " or ".join(row.purposes)
        raise refusals.wrong_use_of_algorithm(row.name, "encapsulate", has)
    spec, gives = _agreed_spec(ring, row, label)
    with SecretBuffer(gives.key_bytes) as secret:
        ring.entropy.fill(secret)
        box = row.row.kem_public(peer.raw).seal(secret.view, _ENVELOPE)
        return ring.agreed(spec, _shared(gives, secret.view, peer.raw, box)), box


def decapsulate(ring: KeyRing, handle: Handle, box: bytes, label: str) -> Handle:
    """Return the key that somebody shares with `handle` by `encapsulate`.

    Raises:
        NotFound: no such key.
        Refused: `handle` is not an envelope key to agree with, or is shredded.
        Tampered: altered, or to another key; older versions are tried as well.
        LimitReached: the ring is full.
    """
    raw, public = open_with_any(ring, handle, box, _ENVELOPE, "agree")
    row = algorithm(ring.info(handle).spec.algorithm)
    spec, gives = _agreed_spec(ring, row, label)
    if len(raw) != gives.key_bytes:
        raise tampered()
    return ring.agreed(spec, _shared(gives, raw, public, box))


def _shared(gives: Kdf, secret: Buffer, public: bytes, box: bytes) -> SecretBuffer:
    """Return the key of a secret, bound to all that both sides have seen."""
    key = SecretBuffer(gives.key_bytes)
    info = cbor.encode([_ENVELOPE, public, box])
    gives.hashing.hkdf_into(secret, salt=b"", info=info, out=key.view)
    return key


def _agreed_spec(ring: KeyRing, row: object, label: str) -> tuple[KeySpec, Kdf]:
    if not isinstance(row, Agreement):  # pragma: no cover - the callers have looked
        message = "not a row of key agreement"
        raise Malformed(message)
    gives = algorithm(row.gives)
    spec = KeySpec("derive", row.gives, label)
    ring.policy.require(spec)
    if not isinstance(gives, Kdf):  # pragma: no cover - the table is literal
        message = "what is agreed on is not a key to derive from"
        raise Malformed(message)
    return spec, gives


def _require_algorithm(row: object, public: PublicKey) -> None:
    if algorithm(public.algorithm) is not row:
        message = f"a key of {public.algorithm} is not one to agree with here"
        raise Malformed(message)
