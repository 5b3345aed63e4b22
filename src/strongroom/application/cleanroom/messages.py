# SPDX-License-Identifier: Apache-2.0
"""Messages between a party and the broker, closed to everyone between them.

A request is signed by its sender and sealed to the broker's attested key; it
carries a fresh key that only the answer is encrypted under. The ordinary side
sees neither who asks nor what (docs/specs/messages.md).
"""

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.codec import cbor
from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record, peek_record, sign_record
from strongroom.core.crypto import KemKey, KemPublic, Suite, suite
from strongroom.errors import Malformed, StrongroomError, error_from_value
from strongroom.management.keys import Identity, PublicIdentity

_INFO = b"strongroom/message/v1"
_ANSWER_KEY_INFO = b"strongroom/answer-key/v1"
_NONCE_KEY_INFO = b"strongroom/answer-nonce/v1"
REQUEST_ID_BYTES = 16


@dataclass(frozen=True)
class Request(Record):
    """One operation that a party asks of one broker."""

    TYPE = "strongroom/request/v1"

    room: str
    sender: str
    op: str
    body: bytes
    request_id: bytes
    sent_at: int
    reply_key: bytes

    def __post_init__(self) -> None:
        if len(self.request_id) != REQUEST_ID_BYTES:
            message = f"a request id has {REQUEST_ID_BYTES} bytes"
            raise Malformed(message)


@dataclass(frozen=True)
class OpenedRequest:
    """A request that the broker could open; its signature is NOT yet checked."""

    claimed: Request
    signed: bytes

    def verify(self, sender: PublicIdentity) -> Request:
        """Return the request once `sender` is proved to have signed it.

        Raises:
            Untrusted: signed by another key.
        """
        return open_record(Request, self.signed, sender.verifying)


def seal_request(request: Request, sender: Identity, broker: KemPublic) -> bytes:
    """Sign a request and close it to the broker; `open_request` is the inverse."""
    return broker.seal(sign_record(sender.signing, request), _INFO)


def open_request(box: bytes, broker: KemKey) -> OpenedRequest:
    """Open what `seal_request` closed.

    Raises:
        Tampered: not sealed to this broker, or altered on the way.
        Malformed: sealed, but not a request.
    """
    signed = broker.open(box, _INFO)
    return OpenedRequest(peek_record(Request, signed)[0], signed)


def seal_answer(request: Request, row: Suite, answer: object) -> bytes:
    """Encrypt an answer value or an error under the request's own key.

    The nonce is a MAC of the plaintext: whoever replays a request and so gets
    another answer to it never sees one nonce with two plaintexts.
    """
    value = (
        {"error": answer.to_value()}
        if isinstance(answer, StrongroomError)
        else {"answer": answer}
    )
    plain = cbor.encode(value)
    key, nonce_key = _answer_keys(request, row)
    nonce = row.mac(nonce_key, plain)[: row.nonce_bytes]
    return nonce + row.aead(key).encrypt(nonce, plain, request.request_id)


def open_answer(request: Request, row: Suite, sealed: bytes) -> object:
    """Return what the broker answered; `seal_answer` is the inverse.

    Raises:
        Tampered: not an answer to this request.
        StrongroomError: the error that the broker answered with.
    """
    nonce, text = sealed[: row.nonce_bytes], sealed[row.nonce_bytes :]
    key, _ = _answer_keys(request, row)
    if len(nonce) != row.nonce_bytes:
        message = "the broker's answer is too short to be one"
        raise Malformed(message)
    value = cbor.decode(row.aead(key).decrypt(nonce, text, request.request_id))
    if isinstance(value, dict) and set(value) == {"answer"}:
        return value["answer"]
    if isinstance(value, dict) and set(value) == {"error"}:
        raise error_from_value(value["error"])
    message = "the broker's answer is neither an answer nor an error"
    raise Malformed(message)


def _answer_keys(request: Request, row: Suite) -> tuple[bytes, bytes]:
    key = request.reply_key
    if len(key) != row.aead_key_bytes:
        message = f"an answer key of suite {row.id} has {row.aead_key_bytes} bytes"
        raise Malformed(message)
    return (
        row.hkdf_expand(key, _ANSWER_KEY_INFO, row.aead_key_bytes),
        row.hkdf_expand(key, _NONCE_KEY_INFO, row.digest_bytes),
    )


def new_request(
    identity: Identity,
    room: str,
    op: str,
    body: bytes,
    now: int,
    random: Callable[[int], bytes],
) -> Request:
    """Make a request with fresh id and answer key."""
    row = suite(identity.public.suite)
    return Request(
        room=room,
        sender=identity.public.id,
        op=op,
        body=body,
        request_id=random(REQUEST_ID_BYTES),
        sent_at=now,
        reply_key=random(row.aead_key_bytes),
    )
