# SPDX-License-Identifier: Apache-2.0
"""The OCA of a room: challenges to its broker over HTTP, with and without its help."""

from strongroom.application.cleanroom.room import Room
from strongroom.client.attestation import (
    AttestationService,
    Attested,
    Oca,
    attest_with_app,
    attest_without_app,
)
from strongroom.client.broker import Transport
from strongroom.core.codec import cbor
from strongroom.core.crypto import suite
from strongroom.core.rats import AppRule, Evidence
from strongroom.errors import Malformed
from strongroom.services.attestation.application import ApplicationPolicy

_USER_DATA_BYTES = 64
BROKER = "broker"


def broker_policy(room: Room, owner: str) -> ApplicationPolicy:
    """Return `owner`'s policy for the broker that a room file names."""
    rule = AppRule.measured(bytes.fromhex(room.broker), config=room.config)
    return ApplicationPolicy(owner=owner, apps=(rule,), locks=room.locks)


def attest_broker(
    transport: Transport,
    room: Room,
    service: AttestationService,
    owner: str,
    now: int,
) -> Attested:
    """Attest a room's broker with its help (RA-1): it binds the keys of the room file.

    Raises:
        StrongroomError: as `attest_with_app`.
    """
    bound = suite(room.suite).digest(room.public)[:_USER_DATA_BYTES]
    return attest_with_app(
        hello_oca(transport),
        service,
        broker_policy(room, owner),
        now,
        user_data=bound,
    )


def attest_broker_alone(
    transport: Transport,
    room: Room,
    service: AttestationService,
    owner: str,
    now: int,
) -> Attested:
    """Attest a room's broker without its help (RA-2); no key is bound by it.

    Raises:
        StrongroomError: as `attest_without_app`.
    """
    oca = report_oca(transport, BROKER)
    return attest_without_app(oca, service, broker_policy(room, owner), now)


def hello_oca(transport: Transport) -> Oca:
    """Return the OCA that forwards a challenge to the broker (RA-1 b to f)."""

    def oca(nonce: bytes) -> Evidence:
        return _evidence(transport.get("/v1/hello", nonce=nonce.hex()))

    return oca


def report_oca(transport: Transport, enclave: str) -> Oca:
    """Return the OCA that asks the monitor about an enclave (RA-2 b, c).

    Args:
        transport: to the room.
        enclave: its id in hex, or `BROKER`.
    """

    def oca(nonce: bytes) -> Evidence:
        answer = transport.get("/v1/evidence", nonce=nonce.hex(), enclave=enclave)
        return _evidence(answer)

    return oca


def _evidence(data: bytes) -> Evidence:
    match cbor.decode(data):
        case {"evidence": bytes() as evidence}:
            return Evidence.from_bytes(evidence)
        case _:
            message = "the room's answer holds no evidence"
            raise Malformed(message)
