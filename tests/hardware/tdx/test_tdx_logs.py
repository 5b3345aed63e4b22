# SPDX-License-Identifier: Apache-2.0
"""Event logs of trust domains: they lead to the quoted registers, or are refused."""

import json
from dataclasses import replace
from hashlib import sha384
from struct import pack

import pytest

from strongroom.core.rats import HardwareClaims
from strongroom.errors import Refused
from strongroom.hardware.tdx.verify import verify
from tests.hardware.pki import NOW
from tests.hardware.tcg.forge import Event as Boot
from tests.hardware.tdx.forge import (
    BOOTED,
    CCEL,
    RAN,
    RUN,
    Event,
    Forge,
    boot_registers,
    run_registers,
    runtime_log,
)


def run(forge: Forge) -> HardwareClaims:
    return verify(*forge.made(), NOW)


def rule(forge: Forge) -> str:
    with pytest.raises(Refused) as refused:
        run(forge)
    return refused.value.findings[0].rule


def ran(log: bytes) -> Forge:
    return RAN.with_(parts={"runtime_event_log": log})


@pytest.mark.parametrize("kind", ["tdx v4", "tdx v5, 1.5", "tdx v5, 1.5 extended"])
def test_a_log_of_the_boot_leads_to_the_registers(kind: str) -> None:
    claims = run(BOOTED.with_(kind=kind))
    assert {each.register for each in claims.events} == {
        f"rt_mr{index}" for index in range(4)
    }
    assert claims.not_proven == run(RAN).not_proven


def test_a_log_of_the_guest_leads_to_the_registers() -> None:
    claims = run(RAN)
    assert [(each.register, each.rehashed) for each in claims.events] == [
        ("rt_mr0", False),
        ("rt_mr3", True),
        ("rt_mr3", True),
    ]
    assert claims.events[1].text == f"app-id {'00' * 20}"


NEW = (RUN[0], *(replace(each, version=2) for each in RUN[1:]))


@pytest.mark.parametrize("events", [RUN, NEW], ids=["version 1", "version 2"])
def test_a_digest_that_can_be_worked_out_may_be_left_out(
    events: tuple[Event, ...],
) -> None:
    whole = run(RAN.with_(rtmrs=run_registers(events), **ran_parts(events)))
    for shorter in ({"digest": ""}, {"digest": None}):
        rows = [each.row() for each in events]
        rows[1:] = [{**each, **shorter} for each in rows[1:]]
        rows = [{k: v for k, v in each.items() if v is not None} for each in rows]
        log = json.dumps(rows).encode()
        forge = RAN.with_(rtmrs=run_registers(events), parts={"runtime_event_log": log})
        assert run(forge).events == whole.events


def ran_parts(events: tuple[Event, ...]) -> dict[str, object]:
    return {"parts": {"runtime_event_log": runtime_log(events)}}


@pytest.mark.parametrize("kind", [4, 0x80000001, 0x80000007])
def test_data_of_the_firmware_are_what_was_measured_or_left_out(kind: int) -> None:
    digest = sha384(b"data").digest()
    for payload in (b"data", b""):
        events = (Event(0, "", payload, kind=kind, digest=digest),)
        forge = RAN.with_(rtmrs=run_registers(events), **ran_parts(events))
        assert run(forge).events[0].digest == digest
    told = (Event(0, "", b"told", kind=kind, digest=digest),)
    forge = RAN.with_(rtmrs=run_registers(told), **ran_parts(told))
    assert rule(forge) == "tdx.event_log.runtime_log"


def test_a_digest_of_another_version_is_refused() -> None:
    told = replace(NEW[1], digest=RUN[1].measured())
    assert rule(ran(runtime_log((RUN[0], told)))) == "tdx.event_log.runtime_log"


def test_without_a_log_nothing_is_said_of_registers() -> None:
    claims = run(RAN.with_(parts={}))
    assert claims.events == ()
    assert any("RTMR" in each for each in claims.not_proven)


@pytest.mark.parametrize("index", range(4))
def test_a_log_of_the_boot_that_leads_elsewhere_is_refused(index: int) -> None:
    events = tuple(each for each in CCEL.events if each.register != index + 1)
    shorter = CCEL.with_(events=events)
    forge = BOOTED.with_(parts={"event_log": shorter.agile()})
    assert rule(forge) == f"tdx.event_log.rt_mr{index}"


@pytest.mark.parametrize(
    "events",
    [
        RUN[:-1],
        (*RUN, Event(3, "more")),
        (RUN[0], RUN[2], RUN[1]),
        (RUN[0], replace(RUN[1], register=2), RUN[2]),
        (RUN[0], replace(RUN[1], payload=bytes(19)), RUN[2]),
    ],
    ids=["fewer", "more", "order", "register", "payload"],
)
def test_a_log_of_the_guest_that_leads_elsewhere_is_refused(
    events: tuple[Event, ...],
) -> None:
    assert rule(ran(runtime_log(events))).startswith("tdx.event_log.rt_mr")


def test_a_payload_that_was_not_measured_is_refused() -> None:
    told = replace(RUN[1], payload=b"another", digest=RUN[1].measured())
    log = runtime_log((RUN[0], told, RUN[2]))
    assert rule(ran(log)) == "tdx.event_log.runtime_log"


def test_a_short_digest_is_filled_up() -> None:
    events = (Event(1, "", kind=4, digest=b"\x11" * 32),)
    forge = RAN.with_(rtmrs=run_registers(events))
    log = {"runtime_event_log": runtime_log(events)}
    assert run(forge.with_(parts=log)).events[0].digest == b"\x11" * 32 + bytes(16)


@pytest.mark.parametrize(
    "changed",
    [
        {"imr": 4},
        {"imr": -1},
        {"imr": True},
        {"event_type": 1 << 32},
        {"digest": "00" * 49},
        {"digest": "no"},
        {"event": 1},
        {"event_payload": None},
        {"digest": ""},
        {"version": 3, "event_type": 0x08000001},
        {"version": True, "event_type": 0x08000001},
        {"version": [], "event_type": 0x08000001},
    ],
    ids=str,
)
def test_a_row_of_another_form_is_refused(changed: dict[str, object]) -> None:
    rows = [{**RUN[0].row(), **changed}]
    log = json.dumps(rows).encode()
    assert rule(ran(log)) == "tdx.event_log.runtime_log"


@pytest.mark.parametrize(
    "log",
    [
        b"",
        b"{}",
        b"[1]",
        b"[[]]",
        b"[" * 100_000,
        b"\xff",
        json.dumps([RUN[0].row()] * 4097).encode(),
        b" " * ((4 << 20) + 1),
    ],
    ids=["nothing", "map", "number", "list", "deep", "bytes", "many", "long"],
)
def test_what_is_no_log_is_refused(log: bytes) -> None:
    assert rule(ran(log)) == "tdx.event_log.runtime_log"


def test_both_logs_must_lead_to_the_registers() -> None:
    both = {**BOOTED.parts, **RAN.parts}
    assert rule(RAN.with_(parts=both)).startswith("tdx.event_log.rt_mr")
    assert rule(BOOTED.with_(parts=both)).startswith("tdx.event_log.rt_mr")


@pytest.mark.parametrize("cut", [1, 40, 100])
def test_a_cut_log_of_the_boot_is_refused(cut: int) -> None:
    forge = BOOTED.with_(parts={"event_log": CCEL.agile()[:-cut]})
    assert rule(forge) == "tdx.event_log.log"


@pytest.mark.parametrize(
    "odd",
    [Boot(1, 4, b"\0\0\0\2", bytes(4)), Boot(0, 5, b"x"), Boot(9, 5, b"x")],
    ids=["data", "no register", "another"],
)
def test_a_log_that_contradicts_itself_is_refused(odd: Boot) -> None:
    log = CCEL.with_(events=(*CCEL.events, odd))
    led = boot_registers(log) if odd.register in range(1, 5) else boot_registers()
    forge = BOOTED.with_(rtmrs=led, parts={"event_log": log.agile()})
    assert rule(forge) == "tdx.event_log.data"


def table(
    head: bytes = b"CCEL", kind: int = 2, room: int = 1 << 18, more: bytes = b""
) -> bytes:
    """Return the ACPI table that points to a log."""
    size = 56 + len(more)
    said = pack("<4sIBB26xBBHQQ", head, size, 1, 0, kind, 0, 0, room, 1 << 32) + more
    return said[:9] + bytes([-sum(said) & 0xFF]) + said[10:]


def pointed(acpi: bytes) -> Forge:
    return BOOTED.with_(parts={**BOOTED.parts, "event_log_acpi_table": acpi})


def test_the_table_that_points_to_the_log_belongs_to_it() -> None:
    assert run(pointed(table())).events == run(BOOTED).events
    assert run(pointed(table(room=len(CCEL.agile())))).events


@pytest.mark.parametrize(
    "acpi",
    [
        b"",
        table()[:-1],
        table(more=b"\0"),
        table(head=b"TPM2"),
        table(kind=1),
        table(room=len(CCEL.agile()) - 1),
        table()[:-1] + b"\1",
    ],
    ids=["nothing", "cut", "longer", "another", "SEV", "no room", "checksum"],
)
def test_a_table_that_does_not_fit_is_refused(acpi: bytes) -> None:
    assert rule(pointed(acpi)) == "tdx.event_log.log"
