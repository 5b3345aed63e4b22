# SPDX-License-Identifier: Apache-2.0
"""Logs of measured boot: their three forms, and what they lead to."""

from collections.abc import Callable
from struct import pack

import pytest

from strongroom.errors import Malformed
from strongroom.hardware.tcg.algorithms import Algorithm
from strongroom.hardware.tcg.event_log import EventLog, parse_event_log, pcr, rtmr
from tests.hardware.tcg.forge import (
    ACTION,
    BOOT,
    IPL,
    NO_ACTION,
    SEPARATOR,
    Event,
    Log,
    digest,
    sha1_event,
)

LOG = Log()


def read(data: bytes) -> EventLog:
    return parse_event_log(data, "log")


def without_zeros(values: dict[int, bytes]) -> dict[int, bytes]:
    return {index: value for index, value in values.items() if any(value)}


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512", "sm3"])
def test_a_log_leads_to_its_registers(algorithm: Algorithm) -> None:
    log = LOG.with_(algorithms=("sha1", "sha256", "sha384", "sha512", "sm3"))
    replayed = read(log.agile()).replay(algorithm)

    assert replayed == without_zeros(log.registers(algorithm))


def test_an_older_log_has_sha_1_alone() -> None:
    for data in (LOG.legacy(), old_header(b"00") + LOG.legacy()):
        log = read(data)
        assert log.algorithms == ("sha1",)
        assert log.replay("sha1") == without_zeros(LOG.registers("sha1"))
        with pytest.raises(Malformed):
            log.replay("sha256")


def old_header(version: bytes) -> bytes:
    said = b"Spec ID Event" + version + b"\0" + bytes(9)
    return sha1_event(0, NO_ACTION, said)


def test_a_version_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Malformed):
        read(old_header(b"04") + LOG.legacy())


def test_registers_of_a_confidential_vm_are_called_as_in_its_quote() -> None:
    events = tuple(Event(index, SEPARATOR, bytes(4)) for index in (1, 2, 3, 4, 5))
    log = read(LOG.with_(events=events, algorithms=("sha384",)).agile())

    names = [each.register for each in log.events("sha384", rtmr)]
    assert names == ["rt_mr0", "rt_mr1", "rt_mr2", "rt_mr3"]
    assert rtmr(0) is None


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_firmware_fills_the_rest_of_its_buffer(fill: bytes) -> None:
    whole = LOG.agile()
    padded = read(whole + fill * 5000)

    assert padded == read(whole)
    for rest in (fill * 5000 + b"\1", fill * 12 + b"\x10" * 50):
        with pytest.raises(Malformed):
            read(whole + rest)


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_a_long_rest_is_looked_at_to_its_end(fill: bytes) -> None:
    whole, rest = LOG.agile(), bytearray(fill * 70_000)
    assert read(whole + rest) == read(whole)
    for at in (16_383, 16_384, 16_385, 65_535, 65_536, 69_999):
        rest[at] ^= 1
        with pytest.raises(Malformed):
            read(whole + rest)
        rest[at] ^= 1


def test_a_locality_begins_register_0() -> None:
    log = LOG.with_(locality=4)
    only = LOG.with_(locality=3, events=())

    assert read(log.agile()).replay("sha256")[0] == log.registers()[0]
    assert read(only.agile()).replay("sha256") == {0: bytes(31) + b"\3"}


@pytest.mark.parametrize(
    "events",
    [
        (Event(0, ACTION, b"first"), Event(0, NO_ACTION, b"StartupLocality\0\3")),
        (Event(0, NO_ACTION, b"StartupLocality\0\3"),) * 2,
        (Event(0, NO_ACTION, b"StartupLocality\0"),),
        (Event(0, NO_ACTION, b"StartupLocality\0\3\0"),),
    ],
    ids=["late", "twice", "none", "long"],
)
def test_a_locality_is_said_once_and_first(events: tuple[Event, ...]) -> None:
    with pytest.raises(Malformed):
        read(LOG.with_(events=events).agile())


def test_what_is_not_extended_is_no_event() -> None:
    said = Event(0, NO_ACTION, b"anything")
    log = LOG.with_(events=(said, *BOOT, said))

    assert read(log.agile()).events("sha256") == read(LOG.agile()).events("sha256")
    assert read(log.agile()).replay("sha256") == read(LOG.agile()).replay("sha256")


def test_a_log_that_is_cut_says_less_or_nothing() -> None:
    whole = LOG.agile()
    complete = read(whole).replay("sha256")
    for cut in range(len(whole)):
        try:
            replayed = read(whole[:cut]).replay("sha256")
        except Malformed:
            continue
        assert replayed != complete


def test_hashes_that_nobody_knows_are_read_over() -> None:
    header = LOG.spec_id()[:24] + pack("<IHHHHB", 2, 0x27, 32, 0x0B, 32, 0)
    digests = pack("<H", 0x27) + bytes(32) + pack("<H", 0x0B) + digest("sha256", b"x")
    event = pack("<III", 4, ACTION, 2) + digests + pack("<I", 1) + b"x"
    log = read(sha1_event(0, NO_ACTION, header) + event)

    assert log.algorithms == ("sha256",)
    assert log.replay("sha256")[4] == digest(
        "sha256", bytes(32) + digest("sha256", b"x")
    )


def agile(header: bytes, event: bytes = b"") -> bytes:
    return sha1_event(0, NO_ACTION, header) + event


def listed(*pairs: tuple[int, int], vendor: bytes = b"\0") -> bytes:
    count = pack("<I", len(pairs))
    sizes = b"".join(pack("<HH", *pair) for pair in pairs)
    return LOG.spec_id()[:24] + count + sizes + vendor


ONE = listed((0x0B, 32))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        agile(listed()),
        agile(listed(*((n, 32) for n in range(9)))),
        agile(listed((0x0B, 20))),
        agile(listed((0x0B, 32), (0x0B, 32))),
        agile(listed((0x0B, 32), vendor=b"\2a")),
        agile(listed((0x0B, 32)) + b"more"),
        agile(ONE, pack("<III", 4, ACTION, 0) + pack("<I", 0)),
        agile(ONE, pack("<III", 4, ACTION, 2) + bytes(100)),
        agile(ONE, pack("<IIIH", 4, ACTION, 1, 0x0C) + bytes(100)),
        agile(
            listed((0x0B, 32), (0x04, 20)),
            pack("<III", 4, ACTION, 2) + 2 * (pack("<H", 0x0B) + bytes(32)) + bytes(4),
        ),
        agile(ONE, pack("<IIIH", 4, ACTION, 1, 0x0B) + bytes(32) + b"\xff" * 4),
        agile(
            ONE, pack("<IIIH", 4, ACTION, 1, 0x0B) + bytes(32) + pack("<I", 2) + b"1"
        ),
    ],
    ids=[
        "nothing",
        "no algorithms",
        "many algorithms",
        "size",
        "algorithm twice",
        "vendor",
        "after the header",
        "no digest",
        "more digests",
        "another digest",
        "digest twice",
        "a huge event",
        "a cut event",
    ],
)
def test_what_is_no_log_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


def test_an_event_without_the_digest_that_is_asked_for_is_refused() -> None:
    event = pack("<IIIH", 4, ACTION, 1, 0x04) + bytes(20) + pack("<I", 0)
    log = read(agile(listed((0x0B, 32), (0x04, 20)), event))

    assert log.replay("sha1")
    with pytest.raises(Malformed):
        log.replay("sha256")


def test_a_log_is_no_longer_than_anyones_boot() -> None:
    with pytest.raises(Malformed):
        read(LOG.legacy() + sha1_event(1, ACTION, b"") * 20_000)
    with pytest.raises(Malformed):
        read(bytes(17 << 20))


VARIABLE, GPT, EFI_ACTION, APPLICATION = 0x80000001, 0x80000006, 0x80000007, 0x80000003
NAME = "SecureBoot".encode("utf-16-le")
SECURE = bytes(16) + pack("<QQ", len("SecureBoot"), 1) + NAME + b"\1"


def said(event: Event, name: Callable[[int], str | None] = pcr) -> str:
    log = read(LOG.with_(events=(*LOG.events, event)).agile())
    return log.contradiction("sha384", name)


@pytest.mark.parametrize(
    ("kind", "data"),
    [(VARIABLE, SECURE), (GPT, b"disk"), (EFI_ACTION, b"Exit"), (SEPARATOR, bytes(4))],
)
def test_data_that_were_not_measured_contradict_their_digest(
    kind: int, data: bytes
) -> None:
    assert not said(Event(7, kind, data))
    told = Event(7, kind, data[:-1] + b"!", data)
    assert said(told).startswith("EV_")


def test_a_separator_may_say_what_failed() -> None:
    assert not said(Event(0, SEPARATOR, b"no dice", b"\1\0\0\0"))
    assert said(Event(0, EFI_ACTION, b"no dice", b"\1\0\0\0"))


def test_of_other_types_the_data_need_not_be_what_was_measured() -> None:
    assert not said(Event(4, APPLICATION, b"where it lay", b"an image"))
    assert not said(Event(9, IPL, b"/initrd", b"a file"))


@pytest.mark.parametrize(
    "text", [b"grub_cmd: linux /vmlinuz", b"kernel_cmdline: /vmlinuz root=/dev/sda1"]
)
def test_what_grub_did_is_what_was_measured(text: bytes) -> None:
    measured = text.partition(b": ")[2]
    assert not said(Event(8, IPL, text + b"\0", measured))
    assert said(Event(8, IPL, text + b" init=/bin/sh\0", measured)).startswith("EV_IPL")


@pytest.mark.parametrize("index", [32, 0xFFFFFFFF])
def test_an_event_of_a_register_that_no_tpm_has(index: int) -> None:
    assert said(Event(index, ACTION, b"x")).endswith(f"register {index}")
    assert not said(Event(index, NO_ACTION, b"x"))
    assert not said(Event(31, ACTION, b"x"))


@pytest.mark.parametrize("index", [0, 5])
def test_an_event_of_a_register_that_no_td_has(index: int) -> None:
    events = (Event(1, ACTION, b"x"), Event(index, ACTION, b"x"))
    log = read(LOG.with_(events=events).agile())
    assert log.contradiction("sha384", rtmr).endswith(f"register {index}")
