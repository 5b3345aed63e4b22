# SPDX-License-Identifier: Apache-2.0
"""A platform's statement: its facts as an EAT claims set (RFC 9711), by profile.

Every kind of platform states the same claims under a profile of its own. What makes
a statement believable differs: the simulated device signs it; on real hardware the
hardware's evidence binds its digest (`RootedEvidence`). Nothing is verified here;
`encode` and `decode` are inverse to the byte. Specification: docs/specs/evidence.md.
"""

from dataclasses import dataclass

from strongroom.core.codec import cbor
from strongroom.core.codec.record import Record
from strongroom.core.crypto import suite
from strongroom.core.crypto.hashing import SHA256
from strongroom.core.rats.claims import PlatformFacts
from strongroom.core.rats.eat import CONTENT_CBOR, ClaimsSet, Label, dbgstat
from strongroom.core.rats.hardware import HardwareEvidence
from strongroom.core.rats.registers import REGISTERS, Event, Register, replay
from strongroom.errors import Malformed, Untrusted

_OWNER = "attestation"
_UEID_RAND = b"\x01"
_BINDING = b"strongroom/rooted-statement/v1\0"
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
class RootedEvidence(Record):
    """A statement, and evidence of hardware that binds its digest; UNVERIFIED."""

    TYPE = "strongroom/rooted-evidence/v1"

    statement: bytes
    hardware: HardwareEvidence


@dataclass(frozen=True)
class Profile:
    """How platforms of one kind write their statement.

    Attributes:
        kind: of the platform.
        uri: the EAT profile.
        oemid: 16 bytes.
        hwmodel: of every platform of the kind, or None where each names its own.
    """

    kind: str
    uri: str
    oemid: bytes
    hwmodel: bytes | None

    def encode(self, facts: PlatformFacts) -> bytes:
        """Return the claims set of `facts`.

        Raises:
            Malformed: facts of another kind of platform.
        """
        if facts.kind != self.kind or (facts.model and self.hwmodel is not None):
            message = f"this profile is for platforms of kind {self.kind}"
            raise Malformed(message)
        hwmodel = facts.model.encode() if self.hwmodel is None else self.hwmodel
        return cbor.encode(
            {
                Label.EAT_PROFILE.value: self.uri,
                Label.EAT_NONCE.value: facts.nonce,
                Label.IAT.value: facts.issued_at,
                Label.UEID.value: _UEID_RAND + facts.device_id,
                Label.OEMID.value: self.oemid,
                Label.HWMODEL.value: hwmodel,
                Label.DBGSTAT.value: dbgstat(debug=facts.debug),
                Label.BOOTCOUNT.value: facts.boot_count,
                Label.MEASUREMENTS.value: _encode_registers(facts.registers),
                Label.SUITE.value: facts.suite_id,
                Label.FIRMWARE_SVN.value: facts.firmware_svn,
                Label.LOCKS.value: list(facts.locks),
                Label.MONITOR_KEY.value: facts.monitor_key.raw,
            }
        )

    def decode(self, data: bytes) -> PlatformFacts:
        """Return the facts that `data` is the claims set of.

        The claims are deterministic CBOR, exactly these labels, each read by its exact
        type; what is left to differ is compared here.

        Raises:
            Malformed: any bytes that `encode` does not write.
        """
        claims = ClaimsSet(data, _LABELS)
        suite_id = claims.take(Label.SUITE, str)
        hwmodel = claims.take(Label.HWMODEL, bytes)
        ueid, debug = claims.take(Label.UEID, bytes), claims.debug()
        if (
            claims.take(Label.EAT_PROFILE, str) != self.uri
            or claims.take(Label.OEMID, bytes) != self.oemid
            or hwmodel != (hwmodel if self.hwmodel is None else self.hwmodel)
            or ueid[: len(_UEID_RAND)] != _UEID_RAND
            or claims.take(Label.DBGSTAT, int) != dbgstat(debug=debug)
        ):
            message = "the claims are of another EAT profile or another model"
            raise Malformed(message)
        return PlatformFacts(
            kind=self.kind,
            model="" if self.hwmodel is not None else _text(hwmodel),
            suite_id=suite_id,
            device_id=ueid[len(_UEID_RAND) :],
            firmware_svn=claims.take(Label.FIRMWARE_SVN, int),
            boot_count=claims.take(Label.BOOTCOUNT, int),
            debug=debug,
            registers=_decode_registers(claims.take(Label.MEASUREMENTS, list)),
            monitor_key=suite(suite_id).verifying_key(
                claims.take(Label.MONITOR_KEY, bytes)
            ),
            nonce=claims.take(Label.EAT_NONCE, bytes),
            issued_at=claims.take(Label.IAT, int),
            locks=claims.texts(Label.LOCKS),
        )


def binding(statement: bytes) -> bytes:
    """Return what hardware binds for `statement`: SHA-256 under a label, 32 bytes.

    SHA-256 whatever the suite of the statement is: hardware binds at least so much,
    and kinds with 64 bytes of report data fill up with zeros.
    """
    return SHA256.digest(_BINDING, statement)


def require_replay(facts: PlatformFacts) -> None:
    """Hold every register to its event log.

    Raises:
        Untrusted: a register is missing, or its log does not lead to its value.
    """
    for name in REGISTERS:
        register = facts.register(name)
        if register is None:
            raise Untrusted.because(
                rule=f"platform.register.{name}",
                owner=_OWNER,
                expected="every register of the device",
                got=f"no register {name}",
                remedy="Get the evidence again from the device itself.",
            )
        replayed = replay(facts.suite_id, register.events)
        if replayed != register.value:
            raise Untrusted.because(
                rule=f"platform.register.{name}",
                owner=_OWNER,
                expected=f"an event log that leads to {register.value.hex()[:16]}",
                got=f"one that leads to {replayed.hex()[:16]}",
                remedy="The event log was altered; get the evidence again.",
            )


def _text(value: bytes) -> str:
    try:
        return value.decode("ascii")
    except UnicodeDecodeError as error:
        message = "a model is named in ASCII"
        raise Malformed(message) from error


def _encode_registers(registers: tuple[Register, ...]) -> list[object]:
    rows = [
        [each.index, each.name, each.value, [[e.name, e.digest] for e in each.events]]
        for each in registers
    ]
    return [[CONTENT_CBOR, cbor.encode(rows)]]


def _decode_registers(measurements: list[object]) -> tuple[Register, ...]:
    match measurements:
        case [[int(number), bytes() as content]] if number == CONTENT_CBOR:
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
