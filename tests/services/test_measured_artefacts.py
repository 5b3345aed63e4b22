# SPDX-License-Identifier: Apache-2.0
"""Measurement values from artefacts, against the rules written out once more here."""

import hashlib
from dataclasses import replace
from functools import reduce
from struct import pack_into

import pytest
from hypothesis import given, strategies as st

from strongroom.errors import Malformed
from strongroom.hardware.tcg.algorithms import Algorithm
from strongroom.services.attestation.measured_artefacts import (
    PHASES,
    measure_bundle,
    measure_uki,
)
from strongroom.services.attestation.pe import PeImage
from tests.services.pe_builder import PE_AT, Pe

KERNEL = Pe({".text": b"kernel code" * 50})
UKI = Pe(
    {
        ".text": b"stub" * 300,
        ".sbat": b"sbat,1\n",
        ".osrel": b"ID=test\n",
        ".cmdline": b"quiet",
        ".initrd": b"initrd" * 200,
        ".pcrsig": b"{}",
        ".pcrpkey": b"-----BEGIN PUBLIC KEY-----",
        ".uname": b"6.12",
        ".linux": KERNEL.build(),
    }
)
ORDER = (".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat", ".pcrpkey")


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def extend(*digests: bytes) -> bytes:
    return reduce(lambda old, new: sha(old + new), digests, bytes(32))


def digest_of(image: Pe) -> bytes:
    """Return the image's digest: all but the checksum, the entry and the table."""
    data = bytearray(replace(image, certificate=b"").build())
    at = image.certificate_entry
    del data[at : at + 8]
    del data[PE_AT + 24 + 64 : PE_AT + 24 + 68]
    return sha(bytes(data))


BOOT = [sha(b"Calling EFI Application from Boot Option"), sha(bytes(4))]


@pytest.mark.parametrize(
    "image",
    [
        UKI,
        replace(UKI, plus=False),
        replace(UKI, trailing=b"more than the sections"),
        replace(UKI, checksum=7),
        replace(UKI, certificate=b"signature" * 20),
        replace(UKI, certificate=b"signature" * 20, trailing=b"padding", checksum=9),
        replace(UKI, sections={**UKI.sections, ".bss": b""}),
    ],
    ids=["plain", "pe32", "trailing", "checksum", "signed", "padded", "bss"],
)
def test_the_digest_that_firmware_measures(image: Pe) -> None:
    assert PeImage.parse(image.build()).authenticode(sha) == digest_of(image)


def test_sections_are_hashed_by_their_place_in_the_file() -> None:
    """Only the section table differs, so the digest is of the same order of data."""
    turned = replace(UKI, reverse_table=True)
    assert PeImage.parse(turned.build()).authenticode(sha) == digest_of(turned)


def test_signing_and_its_checksum_change_nothing() -> None:
    signed = replace(UKI, certificate=b"x" * 64, checksum=1234)
    assert measure_uki(signed.build()).registers == measure_uki(UKI.build()).registers


def test_pcr_4_is_action_separator_and_application() -> None:
    found = measure_uki(UKI.build())
    assert found.registers["pcr.4"] == extend(*BOOT, digest_of(UKI))
    assert [each.event for each in found.events if each.register == "pcr.4"] == [
        "EV_EFI_ACTION",
        "EV_SEPARATOR",
        "EV_EFI_BOOT_SERVICES_APPLICATION",
    ]


def test_pcr_4_has_loaders_before_and_the_kernel_after() -> None:
    shim = Pe({".text": b"shim"})
    found = measure_uki(UKI.build(), before=[shim.build()], inner_kernel=True)
    images = [digest_of(each) for each in (shim, UKI, KERNEL)]
    assert found.registers["pcr.4"] == extend(*BOOT, *images)


def test_pcr_11_is_names_and_sections_in_order_and_phases() -> None:
    pairs = [
        part
        for name in ORDER
        for part in (sha(name.encode() + b"\0"), sha(UKI.sections[name]))
    ]
    assert measure_uki(UKI.build()).registers["pcr.11"] == extend(*pairs)
    for count in range(len(PHASES) + 1):
        phases = PHASES[:count]
        found = measure_uki(UKI.build(), phases=phases).registers["pcr.11"]
        assert found == extend(*pairs, *(sha(each.encode()) for each in phases))


def test_the_signature_of_pcr_11_is_not_part_of_it() -> None:
    other = replace(UKI, sections={**UKI.sections, ".pcrsig": b"another"})
    one, two = measure_uki(UKI.build()), measure_uki(other.build())
    assert one.registers["pcr.11"] == two.registers["pcr.11"]
    assert one.registers["pcr.4"] != two.registers["pcr.4"]


def test_a_section_longer_than_what_is_stored_ends_in_zeros() -> None:
    image = PeImage.parse(Pe({".x": b"1234"}).build())
    longer = replace(image.sections[0], virtual_size=600)
    assert replace(image, sections=(longer,)).section(".x") == b"1234".ljust(600, b"\0")
    assert image.section(".y") is None


@pytest.mark.parametrize(
    ("bank", "size"),
    [("sha1", 20), ("sha256", 32), ("sha384", 48), ("sha512", 64), ("sm3", 32)],
)
def test_every_bank(bank: Algorithm, size: int) -> None:
    found = measure_uki(UKI.build(), bank=bank)
    lengths = {len(value) for value in found.registers.values()}
    lengths |= {len(each.digest) for each in found.events}
    assert (found.bank, lengths) == (bank, {size})


@pytest.mark.parametrize("name", [".profile", ".dtbauto", ".efifw", ".hwids"])
def test_an_image_with_several_values_is_refused(name: str) -> None:
    image = replace(UKI, sections={**UKI.sections, name: b"x"})
    with pytest.raises(Malformed, match=name):
        measure_uki(image.build())


def test_what_is_no_unified_kernel_image() -> None:
    with pytest.raises(Malformed, match=r"no \.linux"):
        measure_uki(Pe({".text": b"x"}).build())
    with pytest.raises(Malformed, match="phases"):
        measure_uki(UKI.build(), phases=("sysinit",))
    with pytest.raises(Malformed, match="not a PE image"):
        measure_uki(Pe({".linux": b"a raw kernel"}).build(), inner_kernel=True)
    with pytest.raises(Malformed):
        measure_bundle(b"no bundle")


def test_an_image_that_contradicts_itself() -> None:
    data = UKI.build()
    table = PE_AT + 24 + 240
    for at, form, value in [
        (0, "<H", 0),
        (0x3C, "<I", len(data)),
        (PE_AT, "<I", 0),
        (PE_AT + 6, "<H", 97),
        (PE_AT + 20, "<H", 112),
        (PE_AT + 24, "<H", 0x107),
        (PE_AT + 24 + 60, "<I", 1 << 30),
        (PE_AT + 24 + 60, "<I", 100),
        (PE_AT + 24 + 108, "<I", 4),
        (UKI.certificate_entry + 4, "<I", 8),
        (table + 20, "<I", 0),
        (table + 16, "<I", 1 << 30),
        (table + 8, "<I", 1 << 31),
        (table + 60, "<I", 1024),
    ]:
        damaged = bytearray(data)
        pack_into(form, damaged, at, value)
        with pytest.raises(Malformed):
            measure_uki(bytes(damaged))
    twice = data.replace(b".osrel\0\0", b".linux\0\0", 1)
    with pytest.raises(Malformed, match="two sections"):
        measure_uki(twice)


def test_an_image_cut_anywhere_is_refused() -> None:
    data = UKI.build()
    for end in [*range(0, 1100, 7), *range(1100, len(data) - 512, 211)]:
        with pytest.raises(Malformed):
            measure_uki(data[:end])


@given(st.binary(max_size=64), st.integers(0, 1023))
def test_headers_of_any_bytes_are_read_or_refused(patch: bytes, at: int) -> None:
    data = bytearray(UKI.build())
    data[at : at + len(patch)] = patch
    try:
        found = measure_uki(bytes(data))
    except Malformed:
        return
    assert set(found.registers) == {"pcr.4", "pcr.11"}
