# SPDX-License-Identifier: Apache-2.0
"""Logs held to quoted registers: what the digests cannot say is refused too."""

import pytest

from strongroom.errors import Untrusted
from strongroom.hardware.tcg.event_log import parse_event_log
from strongroom.hardware.tcg.measured_boot import MeasuredBoot, check_event_log
from tests.hardware.tcg.forge import BOOT, SEPARATOR, Event, Log

EFI_ACTION = 0x80000007


def check(log: Log) -> MeasuredBoot:
    """Hold a log to the registers that its digests lead to."""
    registers = {**log.registers(), 23: bytes(32)}
    return check_event_log(
        "tpm2", parse_event_log(log.agile(), "log"), {"sha256": registers}
    )


def rule(log: Log) -> str:
    with pytest.raises(Untrusted) as refused:
        check(log)
    return refused.value.findings[0].rule


@pytest.mark.parametrize("index", [5, 7, 12])
def test_data_that_were_not_measured_are_refused(index: int) -> None:
    honest = Event(index, EFI_ACTION, b"Exit Boot Services Invocation")
    told = Event(index, EFI_ACTION, b"nothing", honest.data)
    assert check(Log((*BOOT, honest))).events[-1].rehashed
    assert rule(Log((*BOOT, told))) == "tpm2.event_log.data"


def test_a_separator_that_was_another_is_refused() -> None:
    told = Event(9, SEPARATOR, bytes(4), b"\xff" * 4)
    assert rule(Log((*BOOT, told))) == "tpm2.event_log.data"


def test_the_log_of_an_honest_boot_is_proven() -> None:
    boot = check(Log())
    assert len(boot.events) == len(BOOT)
    assert boot.went_on == ()
