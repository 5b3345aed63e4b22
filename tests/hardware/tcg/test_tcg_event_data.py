# SPDX-License-Identifier: Apache-2.0
"""What events say to people, whatever bytes they hold."""

from struct import pack
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from strongroom.hardware.tcg import events
from strongroom.hardware.tcg.event_data import MAX_TEXT, measured_bytes, text_of
from strongroom.hardware.tcg.events import name_of

GUID = bytes(16)


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def variable(name: str, value: bytes) -> bytes:
    return GUID + pack("<QQ", len(name), len(value)) + wide(name) + value


def image(*names: str) -> bytes:
    nodes = b"".join(
        pack("<BBH", 4, 4, 6 + 2 * len(name)) + wide(name) + b"\0\0" for name in names
    )
    path = pack("<BBH", 2, 1, 12) + bytes(8) + nodes + pack("<BBH", 0x7F, 0xFF, 4)
    return pack("<QQQQ", 0x1000, 4096, 0, len(path)) + path


def partitions(*names: str) -> bytes:
    disk = UUID("2a90a0e9-6ae6-2f4d-9938-d422cd837136").bytes_le
    header = b"EFI PART" + bytes(48) + disk + bytes(20)
    entries = b"".join(bytes(56) + wide(name).ljust(72, b"\0") for name in names)
    return header + pack("<Q", len(names)) + entries


BOOT_OPTION = pack("<IH", 1, 4) + wide("debian\0") + b"\x7f\xff\x04\x00"


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (events.SEPARATOR, bytes(4), "separator"),
        (events.SEPARATOR, b"\xff" * 4, "separator"),
        (events.SEPARATOR, b"\1\0\0\0", "error"),
        (events.SEPARATOR, b"WBCL", "WBCL"),
        (5, b"Booting\0", "Booting"),
        (8, wide("v1.2\0"), "v1.2"),
        (events.IPL, b"line one\n\tline two\0", "line one line two"),
        (events.IPL, b"\x00\x01\x02", "000102"),
        (events.IPL, b"\xff" * 40, "ff" * 24 + "... of 40 bytes"),
        (
            events.VARIABLE_DRIVER_CONFIG,
            variable("SecureBoot", b"\1"),
            "SecureBoot = 01",
        ),
        (events.VARIABLE_DRIVER_CONFIG, variable("PK", b""), "PK = empty"),
        (events.VARIABLE_DRIVER_CONFIG, variable("db", bytes(99)), "db, 99 bytes"),
        (events.VARIABLE_BOOT, variable("BootOrder", b"\1\0"), "BootOrder = 0100"),
        (events.VARIABLE_BOOT2, variable("Boot0001", BOOT_OPTION), "Boot0001 = debian"),
        (events.BOOT_SERVICES_APPLICATION, image("\\EFI\\", "a.efi"), "\\EFI\\a.efi"),
        (events.BOOT_SERVICES_DRIVER, image(), "an image of 4096 bytes"),
        (
            events.GPT_EVENT,
            partitions("EFI", "root"),
            "disk 2a90a0e9-6ae6-2f4d-9938-d422cd837136: EFI, root",
        ),
        (
            events.FIRMWARE_BLOB,
            pack("<QQ", 0xFF000000, 512),
            "512 bytes of firmware at 0xff000000",
        ),
        (
            events.FIRMWARE_BLOB2,
            b"\2FV" + pack("<QQ", 16, 8),
            "FV: 8 bytes of firmware at 0x10",
        ),
    ],
    ids=lambda value: str(value)[:24],
)
def test_an_event_says_what_was_measured(kind: int, data: bytes, text: str) -> None:
    assert text_of(kind, data) == text


KINDS = [*range(20), *range(0x80000000, 0x80000012), *range(0x800000E0, 0x800000E5)]


@given(st.sampled_from(KINDS), st.binary(max_size=400))
def test_any_bytes_give_one_short_line(kind: int, data: bytes) -> None:
    text = text_of(kind, data)

    assert text.isprintable()
    assert len(text) <= MAX_TEXT
    assert data in list(measured_bytes(kind, data))


@pytest.mark.parametrize(
    "whole", [image("a"), partitions("b"), variable("Boot0001", b"")]
)
def test_structures_that_are_cut_are_shown_somehow(whole: bytes) -> None:
    for kind in KINDS:
        for cut in range(len(whole)):
            assert text_of(kind, whole[:cut]).isprintable()


def test_parts_of_an_event_may_be_what_was_hashed() -> None:
    command = b"grub_cmd: linux /vmlinuz\0"
    assert b"linux /vmlinuz" in list(measured_bytes(events.IPL, command))

    tagged = pack("<II", 1, 4) + b"opts"
    assert b"opts" in list(measured_bytes(events.EVENT_TAG, tagged))

    order = variable("BootOrder", b"\1\0")
    assert b"\1\0" in list(measured_bytes(events.VARIABLE_BOOT, order))
    assert list(measured_bytes(5, order)) == [order]


def test_types_have_names_or_numbers() -> None:
    assert name_of(events.SEPARATOR) == "EV_SEPARATOR"
    assert name_of(0x800000E0) == "EV_EFI_VARIABLE_AUTHORITY"
    assert name_of(0xABC) == "0x00000abc"
