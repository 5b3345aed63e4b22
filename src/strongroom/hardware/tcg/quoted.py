# SPDX-License-Identifier: Apache-2.0
"""What several kinds of evidence have in common: a quote with what belongs to it.

quote, signature, signature_format      the TPM's own word
pcrs, or pcr_blob and pcr_blob_format   values of the registers that it quotes
event_log                               what led to them
"""

from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.core.rats import HardwareEvidence
from strongroom.core.rats.hardware import Field, LoggedEvent
from strongroom.errors import Malformed
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tcg.algorithms import Algorithm
from strongroom.hardware.tcg.event_log import EventLog
from strongroom.hardware.tcg.measured_boot import check_event_log, read_event_log
from strongroom.hardware.tcg.pcrs import read_json, read_serialized
from strongroom.hardware.tcg.public import Key
from strongroom.hardware.tcg.quote import Attest, Pcrs, check_banks, check_pcrs
from strongroom.hardware.tcg.signature import (
    TPMT_SIGNATURE,
    Signature,
    verify_quote_signature,
)

_SERIALIZED = (
    "serialized",
    "tpm2-tools TPML_PCR_SELECTION + TPML_DIGEST, little-endian struct dump",
)
_MAX_SHOWN = 64

_WENT_ON = (
    "what was measured into PCR {} after its event log ends: the log leads elsewhere"
)
_NO_VALUES = "the value of any register: the quote came without them"
_CLOCK = "that the TPM's clock has not gone back: it says that it is not safe"


@dataclass(frozen=True)
class Roles:
    """What the parts of a quote are called among the parts of one kind of evidence."""

    quote: str = "quote"
    signature: str = "signature"
    signature_format: str = "signature_format"


@dataclass(frozen=True)
class Quoted:
    """A quote with what came beside it, as it was read: UNVERIFIED."""

    attest: Attest
    signature: Signature
    pcrs: Pcrs | None
    log: EventLog | None
    what: str

    @classmethod
    def read(cls, evidence: HardwareEvidence, roles: Roles) -> "Quoted":
        """Read the parts.

        Raises:
            Malformed: one that must be there is not, or is not what it should be.
        """
        signature_format = evidence.parts.get(roles.signature_format)
        log = evidence.parts.get("event_log")
        return cls(
            attest=Attest.parse(evidence.part(roles.quote), roles.quote),
            signature=Signature.parse(
                evidence.part(roles.signature),
                _text(signature_format) if signature_format else TPMT_SIGNATURE,
                roles.signature,
            ),
            pcrs=_read_pcrs(evidence),
            log=None if log is None else read_event_log(evidence.kind, log),
            what=roles.quote,
        )


@dataclass(frozen=True)
class VerifiedQuote:
    """A quote that a key signed, with the registers and events that it proves.

    Attributes:
        key: which signed it.
        attest: the quote.
        bank: which `measurements` calls "pcr.N", or "" where it quotes nothing.
        measurements: `pcr_digest`; "pcr.N" of `bank`, "<bank>.pcr.N" of other banks.
        events: what the event log proves, in order.
        not_proven: what this quote leaves open.
    """

    key: Key
    attest: Attest
    bank: str
    values: Mapping[int, bytes]
    measurements: Mapping[str, bytes]
    events: tuple[LoggedEvent, ...]
    not_proven: tuple[str, ...]

    def pcr_fields(self) -> dict[str, Field]:
        """Return the fields of the registers: bank, and values by index."""
        if not self.values:
            return {}
        values: dict[str, Field] = {
            str(index): value.hex() for index, value in self.values.items()
        }
        return {"pcr_bank": self.bank, "pcrs": values}


def verify_quoted(kind: str, quoted: Quoted, keys: tuple[Key, ...]) -> VerifiedQuote:
    """Return what a quote says, known to be the word of who holds one of `keys`.

    1. One of the keys signed it, with SHA-256 or better.
    2. It quotes no bank of SHA-1 alone.
    3. The values of registers, where given, hash to the quoted digest.
    4. The event log, where given, leads to them.

    Not checked: whose the keys are, the nonce, what the registers should hold.

    Args:
        kind: of the evidence, for rule ids.
        quoted: as it was read.
        keys: attestation keys.

    Raises:
        Untrusted: `signature`, `weak_algorithm`, `measurement`, `event_log`.
        Malformed: a quote over a bank that is not known.
    """
    # 1
    attest, signature = quoted.attest, quoted.signature
    key = verify_quote_signature(kind, quoted.what, keys, attest.raw, signature)
    # 2
    strong = check_banks(kind, attest)
    # 3
    values: dict[Algorithm, dict[int, bytes]] = {}
    if quoted.pcrs is not None:
        checked = check_pcrs(kind, attest, signature.algorithm, quoted.pcrs)
        values = {bank: checked[bank] for bank in strong}
    # 4
    bank = strong[0] if strong else ""
    events: tuple[LoggedEvent, ...] = ()
    open_questions = [] if attest.safe else [_CLOCK]
    if quoted.pcrs is None:
        open_questions.append(_NO_VALUES)
    if quoted.log is not None:
        _require_values(kind, values)
        boot = check_event_log(kind, quoted.log, values)
        events = boot.events
        open_questions += [_WENT_ON.format(index) for index in boot.went_on]
    return VerifiedQuote(
        key=key,
        attest=attest,
        bank=bank,
        values=next((values[each] for each in values if each == bank), {}),
        measurements=_measurements(attest, bank, values),
        events=events,
        not_proven=tuple(open_questions),
    )


def _require_values(kind: str, values: Mapping[Algorithm, object]) -> None:
    if not values:
        raise refuse(
            kind,
            "event_log",
            "pcrs",
            expected="values of quoted registers beside an event log",
            got="none",
        )


def _measurements(
    attest: Attest, bank: str, values: Mapping[Algorithm, Mapping[int, bytes]]
) -> dict[str, bytes]:
    found = {"pcr_digest": attest.pcr_digest}
    for each, registers in values.items():
        prefix = "" if each == bank else f"{each}."
        for index, value in registers.items():
            found[f"{prefix}pcr.{index}"] = value
    return found


def _read_pcrs(evidence: HardwareEvidence) -> Pcrs | None:
    listed, blob = evidence.parts.get("pcrs"), evidence.parts.get("pcr_blob")
    if listed is not None and blob is not None:
        message = "values of registers twice: pcrs and pcr_blob"
        raise Malformed(message)
    if listed is not None:
        return read_json(listed, "pcrs")
    if blob is None:
        return None
    blob_format = _text(evidence.parts.get("pcr_blob_format", b"serialized"))
    if blob_format not in _SERIALIZED:
        message = f"pcr_blob: format {blob_format[:_MAX_SHOWN]!r} is not known"
        raise Malformed(message)
    return read_serialized(blob, "pcr_blob")


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError as error:
        message = "the name of a format is not ASCII"
        raise Malformed(message) from error
