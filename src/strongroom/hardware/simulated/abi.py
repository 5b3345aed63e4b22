# SPDX-License-Identifier: Apache-2.0
"""Layout of the simulated device's evidence (docs/specs/evidence.md).

A token is an EAT (RFC 9711) in COSE_Sign1; it travels with its certificate chain.
Nothing is verified here. `encode` and `decode` are inverse to the byte.
"""

from dataclasses import dataclass

from strongroom.core.codec import cbor
from strongroom.core.codec.record import Record
from strongroom.core.crypto import suite
from strongroom.core.rats import Event, PlatformFacts, Register
from strongroom.core.rats.eat import (
    CONTENT_CBOR,
    ClaimsSet,
    Label,
    dbgstat,
    media_type,
)
from strongroom.errors import Malformed

KIND = "simulated"
PROFILE = "urn:x-strongroom:eat:simulated:1"
TYPE = media_type(PROFILE)

_UEID_RAND = b"\x01"
_OEMID = b"strongroom-simul"
_HWMODEL = b"simulated"

_LABELS = frozenset(
    {
        Label.EAT_PROFILE,
        Label.EAT_NONCE,
        Label.IAT,
        Label.UEID,
        Label.OEMID,
        Label.HWMODEL,
        Label.DBGSTAT,
        Label.BOOTCOUNT,
        Label.MEASUREMENTS,
        Label.SUITE,
        Label.FIRMWARE_SVN,
        Label.LOCKS,
        Label.MONITOR_KEY,
    }
)


@dataclass(frozen=True)
class SimulatedEvidence(Record):
    """The bytes of `Evidence.platform`: chain (leaf first) and token, UNVERIFIED."""

    TYPE = "strongroom/simulated-evidence/v1"

    chain: tuple[bytes, ...]
    token: bytes


def subject(device_id: bytes) -> str:
    """Return the subject of a device's attestation certificate."""
    return f"simulated device {device_id.hex()}"


def encode(facts: PlatformFacts) -> bytes:
    """Return the claims set of `facts`.

    Raises:
        Malformed: facts of another kind of platform.
    """
    if facts.kind != KIND:
        message = f"this profile is for platforms of kind {KIND}"
        raise Malformed(message)
    return cbor.encode(
        {
            Label.EAT_PROFILE.value: PROFILE,
            Label.EAT_NONCE.value: facts.nonce,
            Label.IAT.value: facts.issued_at,
            Label.UEID.value: _UEID_RAND + facts.device_id,
            Label.OEMID.value: _OEMID,
            Label.HWMODEL.value: _HWMODEL,
            Label.DBGSTAT.value: dbgstat(debug=facts.debug),
            Label.BOOTCOUNT.value: facts.boot_count,
            Label.MEASUREMENTS.value: _encode_registers(facts.registers),
            Label.SUITE.value: facts.suite_id,
            Label.FIRMWARE_SVN.value: facts.firmware_svn,
            Label.LOCKS.value: list(facts.locks),
            Label.MONITOR_KEY.value: facts.monitor_key.raw,
        }
    )


def decode(data: bytes) -> PlatformFacts:
    """Return the facts that `data` is the claims set of.

    Raises:
        Malformed: any bytes that `encode` does not write.
    """
    claims = ClaimsSet(data, _LABELS)
    suite_id = claims.take(Label.SUITE, str)
    facts = PlatformFacts(
        kind=KIND,
        suite_id=suite_id,
        device_id=claims.take(Label.UEID, bytes)[len(_UEID_RAND) :],
        firmware_svn=claims.take(Label.FIRMWARE_SVN, int),
        boot_count=claims.take(Label.BOOTCOUNT, int),
        debug=claims.debug(),
        registers=_decode_registers(claims.take(Label.MEASUREMENTS, list)),
        monitor_key=suite(suite_id).verifying_key(
            claims.take(Label.MONITOR_KEY, bytes)
        ),
        nonce=claims.take(Label.EAT_NONCE, bytes),
        issued_at=claims.take(Label.IAT, int),
        locks=claims.texts(Label.LOCKS),
    )
    if encode(facts) != data:
        message = "the claims are of another EAT profile or another model"
        raise Malformed(message)
    return facts


def _encode_registers(registers: tuple[Register, ...]) -> list[object]:
    rows = [
        [each.index, each.name, each.value, [[e.name, e.digest] for e in each.events]]
        for each in registers
    ]
    return [[CONTENT_CBOR, cbor.encode(rows)]]


def _decode_registers(measurements: list[object]) -> tuple[Register, ...]:
    match measurements:
        case [[int(), bytes() as content]]:
            rows = cbor.decode(content)
            if isinstance(rows, list):
                return tuple(_decode_register(row) for row in rows)
        case _:
            pass
    message = "the measurements claim is not one list of registers"
    raise Malformed(message)


def _decode_register(row: object) -> Register:
    match row:
        case [
            int() as index,
            str() as name,
            bytes() as value,
            list() as events,
        ] if not isinstance(index, bool):
            return Register(index, name, value, tuple(map(_decode_event, events)))
        case _:
            pass
    message = "a register is [index, name, value, events]"
    raise Malformed(message)


def _decode_event(row: object) -> Event:
    match row:
        case [str() as name, bytes() as digest]:
            return Event(name, digest)
        case _:
            pass
    message = "an event is [name, digest]"
    raise Malformed(message)
