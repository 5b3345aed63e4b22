# SPDX-License-Identifier: Apache-2.0
"""Event logs held to the registers that a TPM quoted."""

from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.core.rats.hardware import LoggedEvent
from strongroom.errors import Finding, Malformed
from strongroom.hardware.refusal import OWNER, refuse
from strongroom.hardware.tcg.algorithms import SIZES, Algorithm
from strongroom.hardware.tcg.event_log import EventLog, parse_event_log, pcr

FIRMWARE = frozenset((*range(10), 14))
"""Registers that nothing extends without writing it into the firmware's log: 0 to 7
(PC Client Platform Firmware Profile 1.06, section 3.3.4), boot loader and kernel (8, 9)
and shim's keys (14). An operating system goes on in others: IMA in 10, systemd in 11
to 13 and 15."""

_RESETTABLE = 16
"""From here on are registers that software can reset (PC Client Platform TPM Profile,
attributes of PCRs)."""


@dataclass(frozen=True)
class MeasuredBoot:
    """Events that lead to quoted registers, and registers that went on afterwards."""

    events: tuple[LoggedEvent, ...]
    went_on: tuple[int, ...]


def read_event_log(kind: str, data: bytes) -> EventLog:
    """Read the event log in evidence of `kind`.

    Raises:
        Malformed: `event_log`, where it is none or was cut.
    """
    try:
        return parse_event_log(data, "event_log")
    except Malformed as error:
        raise _damaged(kind, error) from error


def _damaged(kind: str, error: Malformed) -> Malformed:
    finding = Finding(
        rule=f"{kind}.event_log.format",
        owner=OWNER,
        expected="an event log as firmware writes it, whole",
        got=error.message,
        remedy="Read the log again (binary_bios_measurements or CCEL), to its end.",
    )
    return Malformed(str(finding), [finding])


def check_data(kind: str, contradiction: str) -> None:
    """Refuse a log in which an event cannot be as it stands.

    Args:
        kind: of the evidence, for the rule id.
        contradiction: what `EventLog.contradiction` says, "" for nothing.

    Raises:
        Untrusted: `event_log`.
    """
    if contradiction:
        raise refuse(
            kind,
            "event_log",
            "data",
            expected="events whose data are what their digests are of",
            got=contradiction,
        )


def check_event_log(
    kind: str, log: EventLog, pcrs: Mapping[Algorithm, Mapping[int, bytes]]
) -> MeasuredBoot:
    """Return the events of a log that the quoted registers prove.

    1. The log has digests of a quoted bank, SHA-1 aside.
    2. Every quoted register of `FIRMWARE` holds exactly what its events lead to; one
       without events holds its first value. Nor does another one hold its first value
       that has events, unless it can be reset.
    3. Of other registers those count whose events lead to the quoted value.
    4. No event is in a register that a TPM does not have, nor has other data than
       were measured, where its type says that they were.

    Args:
        kind: of the evidence, for rule ids.
        log: as it was read.
        pcrs: values that a TPM signed, by bank; those of the first are called "pcr.N",
            of others "<bank>.pcr.N".

    Raises:
        Untrusted: `event_log`.
        Malformed: `event_log`, where an event has no digest of the quoted bank.
    """
    # 1
    bank = next((each for each in pcrs if each in log.algorithms), None)
    if bank is None:
        raise refuse(
            kind,
            "event_log",
            "bank",
            expected=f"a log of one of the quoted banks: {', '.join(pcrs) or 'none'}",
            got=f"one of {', '.join(log.algorithms)}",
        )
    # 2
    try:
        quoted, replayed = pcrs[bank], log.replay(bank)
    except Malformed as error:
        raise _damaged(kind, error) from error
    zero = bytes(SIZES[bank])
    begun = {index for index in replayed if index < _RESETTABLE}
    held = FIRMWARE | {index for index in begun if quoted.get(index) == zero}
    for index in sorted(held & quoted.keys()):
        value = replayed.get(index, zero)
        if value != quoted[index]:
            raise refuse(
                kind,
                "event_log",
                f"pcr-{index}",
                expected=f"events that lead to {quoted[index].hex()[:16]}",
                got=f"some that lead to {value.hex()[:16]}",
            )
    # 3
    proven = {index for index, value in quoted.items() if replayed.get(index) == value}
    # 4
    check_data(kind, log.contradiction(bank))
    prefix = "" if bank == next(iter(pcrs)) else f"{bank}."
    events = log.events(
        bank, lambda each: f"{prefix}{pcr(each)}" if each in proven else None
    )
    went_on = tuple(sorted(replayed.keys() & quoted.keys() - proven))
    return MeasuredBoot(events, went_on)
