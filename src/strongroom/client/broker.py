# SPDX-License-Identifier: Apache-2.0
"""A party's line to the broker: verify its evidence first, then closed messages.

No message is sealed before the broker behind the key has been appraised, and the
key is the one that the evidence binds.
"""

import os
from dataclasses import dataclass, replace

import httpx

from strongroom.application.broker import BrokerPublic
from strongroom.application.cleanroom.messages import (
    new_request,
    open_answer,
    seal_request,
)
from strongroom.application.cleanroom.room import Room
from strongroom.client.home import PartyPolicy
from strongroom.core.codec import cbor
from strongroom.core.crypto import KemPublic, suite
from strongroom.core.rats import AppRule, AttestationResult, Evidence, Trust
from strongroom.errors import Malformed, Unavailable, Untrusted, error_from_value
from strongroom.management.keys import Identity
from strongroom.services.attestation import appraise, verify_evidence

NONCE_BYTES = 32
TIMEOUT_S = 60.0


class Transport:
    """The HTTP paths of a management node that a party uses."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S)

    def get(self, path: str, **query: str) -> bytes:
        """Return what a path serves.

        Raises:
            Unavailable: no answer.
            StrongroomError: what the node answered instead.
        """
        return self.send("GET", path, query=query)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        query: dict[str, str] | None = None,
    ) -> bytes:
        """Ask for one thing; raises as `get`."""
        try:
            reply = self._http.request(method, path, content=body, params=query)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            message = f"the room at {self._http.base_url} does not answer"
            raise Unavailable(message) from error
        if not reply.is_success:
            raise error_from_value(cbor.decode(reply.content))
        return reply.content

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@dataclass(frozen=True)
class VerifiedBroker:
    """A broker whose evidence was appraised; only `verify_broker` makes one."""

    id: str
    public: BrokerPublic
    key: KemPublic
    result: AttestationResult
    evidence: Evidence


def verify_broker(
    transport: Transport,
    room: Room,
    policy: PartyPolicy,
    owner: str,
    now: int,
    *,
    revoked: tuple[bytes, ...] = (),
) -> VerifiedBroker:
    """Challenge the broker and appraise what it answers (RA-1).

    1. A fresh nonce goes to the broker and to the platform under it.
    2. The platform evidence chains to the room's roots, by no key that the party has
       revoked, and binds the monitor's key.
    3. The app evidence is signed by that key and binds nonce and broker keys.
    4. Both are appraised against the room's reference values and the party's policy.

    Raises:
        Refused: with every finding.
        Unavailable: no answer.
    """
    nonce = os.urandom(NONCE_BYTES)
    answer = cbor.decode(transport.get("/v1/hello", nonce=nonce.hex()))
    match answer:
        case {"public": bytes() as public, "evidence": bytes() as data}:
            evidence = Evidence.from_bytes(data)
        case _:
            message = "the room's greeting is not one"
            raise Malformed(message)
    trust = Trust(replace(room.endorsements, revoked=revoked))
    platform, app = verify_evidence(evidence, trust, now=now)
    row = suite(room.suite)
    rule = AppRule.measured(bytes.fromhex(room.broker), config=room.config)
    result = appraise(
        platform,
        app,
        room.policy(owner, policy.kinds, rule, policy.max_platform_age_s),
        nonce=nonce,
        now=now,
        user_data=row.digest(public)[:64],
    )
    if public != room.public:
        raise Untrusted.because(
            "broker.keys",
            owner,
            expected="the broker that the room file names",
            got="the same code with other keys",
            remedy="Ask the administrator for a current room file.",
        )
    broker = BrokerPublic.from_bytes(public)
    return VerifiedBroker(
        row.digest(public)[:32].hex(), broker, broker.recipient, result, evidence
    )


class BrokerLine:
    """Closed messages between one party and one verified broker."""

    def __init__(
        self, transport: Transport, broker: VerifiedBroker, identity: Identity
    ) -> None:
        self._transport = transport
        self._identity = identity
        self.broker = broker

    def ask(self, op: str, body: dict[str, object], now: int) -> dict[str, object]:
        """Ask for one operation; a lost answer is asked for again, not redone.

        Raises:
            StrongroomError: the broker's refusal, or no answer.
        """
        request = new_request(
            self._identity, self.broker.id, op, cbor.encode(body), now, os.urandom
        )
        box = seal_request(request, self._identity, self.broker.key)
        message = cbor.encode({"box": box})
        try:
            reply = self._transport.send("POST", "/v1/messages", message)
        except Unavailable:
            reply = self._transport.send("POST", "/v1/messages", message)
        match cbor.decode(reply):
            case {"box": bytes() as sealed}:
                answer = open_answer(
                    request, suite(self._identity.public.suite), sealed
                )
            case _:
                text = "the room's answer is not one"
                raise Malformed(text)
        if not isinstance(answer, dict):
            text = "the broker's answer is not a map"
            raise Malformed(text)
        return answer
