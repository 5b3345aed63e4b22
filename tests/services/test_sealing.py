# SPDX-License-Identifier: Apache-2.0
"""Sealed dataset files: what was sealed is read, what the host altered is refused."""

import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec.sealed import DatasetHeader, Prefix, dataset_id
from strongroom.core.crypto import SUITES, suite
from strongroom.errors import Malformed, StrongroomError, Tampered, Unavailable
from strongroom.services.sealing import SealedFile, SealedInfo, describe, seal_file

SUITE_IDS = sorted(SUITES)
SEGMENT = 96
TEXT = SEGMENT - 32


def header_of(suite_id: str) -> DatasetHeader:
    value = {
        "type": DatasetHeader.TYPE,
        "suite": suite_id,
        "name": "patients",
        "media_type": "text/csv",
        "columns": ["age", "dose"],
        "rows": 3,
        "owner": "ab" * 32,
        "created_at": 1_700_000_000,
    }
    return DatasetHeader.from_value(value)


def key_of(suite_id: str) -> bytes:
    return bytes(range(suite(suite_id).aead_key_bytes))


def seal(suite_id: str, text: bytes, fd: int) -> SealedInfo:
    return seal_file(
        io.BytesIO(text),
        fd,
        header_of(suite_id),
        key_of(suite_id),
        segment_bytes=SEGMENT,
    )


@pytest.fixture
def fd() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


def replace(fd: int, data: bytes) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, data, 0)


def contents(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


@pytest.mark.parametrize("suite_id", SUITE_IDS)
@given(
    text=st.binary(max_size=6 * TEXT),
    offset=st.integers(0, 7 * TEXT),
    count=st.integers(0, 7 * TEXT),
    threads=st.integers(1, 3),
)
def test_any_part_reads_back(
    suite_id: str, text: bytes, offset: int, count: int, threads: int
) -> None:
    with tempfile.TemporaryFile() as file:
        info = seal(suite_id, text, file.fileno())
        sealed = SealedFile(file.fileno(), key_of(suite_id), threads=threads)
        assert sealed.info == describe(file.fileno()) == info
        assert sealed.length == len(text)
        assert sealed.header == header_of(suite_id)
        assert sealed.read(offset, count) == text[offset : offset + count]
        assert sealed.read() == text
        assert b"".join(map(bytes, sealed.stream())) == text


def test_the_example_of_the_specification(fd: int) -> None:
    page = Path(__file__).parents[2] / "docs" / "specs" / "sealed-file.md"
    example = page.read_text().split("```hex\n")[1].split("```")[0]
    lines = (re.split(" {2,}", line)[0] for line in example.splitlines())
    replace(fd, bytes.fromhex("".join(lines)))
    sealed = SealedFile(fd, bytes(range(32)))
    assert sealed.read() == b"age,dose\n41,2\n"
    assert sealed.info.dataset_id in page.read_text()


@pytest.mark.parametrize("length", [0, 1, TEXT - 1, TEXT, TEXT + 1, 3 * TEXT])
def test_lengths_around_a_segment(fd: int, length: int) -> None:
    text = bytes(range(256))[:length]
    info = seal("intl", text, fd)
    assert info.total_bytes == os.fstat(fd).st_size
    assert info.plaintext_bytes == length
    assert SealedFile(fd, key_of("intl")).read() == text


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_truncation_at_every_length_is_refused(suite_id: str, fd: int) -> None:
    seal(suite_id, bytes(3 * TEXT), fd)
    whole = contents(fd)
    for length in reversed(range(len(whole))):
        os.ftruncate(fd, length)
        with pytest.raises((Tampered, Malformed)):
            SealedFile(fd, key_of(suite_id)).read()


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_every_altered_byte_is_refused(suite_id: str, fd: int) -> None:
    seal(suite_id, bytes(TEXT + 5), fd)
    whole = contents(fd)
    for place in range(len(whole)):
        wrong = bytearray(whole)
        wrong[place] ^= 4
        replace(fd, bytes(wrong))
        with pytest.raises(StrongroomError):
            SealedFile(fd, key_of(suite_id)).read()


@pytest.mark.parametrize("threads", [1, 2])
def test_segments_cannot_change_places(fd: int, threads: int) -> None:
    info = seal("intl", bytes(8 * TEXT), fd)
    whole = contents(fd)
    start = info.total_bytes - 8 * SEGMENT
    parts = [whole[at : at + SEGMENT] for at in range(start, len(whole), SEGMENT)]
    parts[2], parts[5] = parts[5], parts[2]
    replace(fd, whole[:start] + b"".join(parts))
    sealed = SealedFile(fd, key_of("intl"), threads=threads)
    with pytest.raises(Tampered, match=r"floe\.segment"):
        sealed.read()
    with pytest.raises(Tampered, match=r"floe\.segment"):
        list(sealed.stream())
    assert sealed.read(0, 2 * TEXT) == bytes(2 * TEXT)


def test_a_file_that_changes_after_opening_is_refused(fd: int) -> None:
    info = seal("intl", bytes(4 * TEXT), fd)
    sealed = SealedFile(fd, key_of("intl"))
    os.ftruncate(fd, info.total_bytes - 2 * SEGMENT)
    assert sealed.read(0, TEXT) == bytes(TEXT)
    with pytest.raises(Tampered, match=r"floe\.truncated"):
        sealed.read()


def test_growing_files_do_not_matter_once_open(fd: int) -> None:
    info = seal("intl", bytes(TEXT), fd)
    sealed = SealedFile(fd, key_of("intl"))
    os.pwrite(fd, b"more", info.total_bytes)
    assert sealed.read() == bytes(TEXT)
    with pytest.raises(Tampered):
        SealedFile(fd, key_of("intl"))


def test_another_key_or_description_is_refused(fd: int) -> None:
    seal("intl", b"text", fd)
    with pytest.raises(Tampered, match=r"floe\.header"):
        SealedFile(fd, bytes(32))
    replace(fd, contents(fd).replace(b"patients", b"patience"))
    assert describe(fd).header.name == "patience"
    with pytest.raises(Tampered, match=r"floe\.header"):
        SealedFile(fd, key_of("intl"))


def test_identity_is_head_and_length(fd: int) -> None:
    first = seal("intl", bytes(TEXT), fd)
    prefix = Prefix.of(first.header).raw
    head = contents(fd)[: len(prefix) + 74]
    rules = suite("intl")
    assert first.dataset_id == dataset_id(rules, head, first.total_bytes)
    assert first.dataset_id != dataset_id(rules, head, first.total_bytes + 1)
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    assert seal("intl", bytes(TEXT), fd).dataset_id != first.dataset_id
    with pytest.raises(Malformed):
        dataset_id(rules, head[:-1], first.total_bytes)


def test_descriptors_and_progress(tmp_path: Path, fd: int) -> None:
    source = tmp_path / "plain"
    source.write_bytes(bytes(2 * TEXT + 1))
    seen: list[int] = []
    with source.open("rb") as file:
        seal_file(
            file.fileno(),
            fd,
            header_of("sm"),
            key_of("sm"),
            segment_bytes=SEGMENT,
            progress=seen.append,
        )
    assert seen == [TEXT, 2 * TEXT, 2 * TEXT + 1]
    assert SealedFile(fd, key_of("sm")).read() == bytes(2 * TEXT + 1)


def test_short_reads_are_gathered(fd: int) -> None:
    class Trickle:
        def __init__(self) -> None:
            self._rest = io.BytesIO(bytes(200))

        def readinto(self, buffer: memoryview, /) -> int:
            return self._rest.readinto(buffer[:7])

    seal_file(Trickle(), fd, header_of("intl"), key_of("intl"), segment_bytes=SEGMENT)
    assert SealedFile(fd, key_of("intl")).read() == bytes(200)


def test_reading_takes_no_negative_numbers(fd: int) -> None:
    seal("intl", b"text", fd)
    sealed = SealedFile(fd, key_of("intl"))
    with pytest.raises(Malformed):
        sealed.read(-1)
    with pytest.raises(Malformed):
        sealed.read(0, -1)
    assert sealed.read_into(bytearray(9), 4) == 0


def test_unusable_descriptors(tmp_path: Path) -> None:
    for action in (describe, lambda fd: seal("intl", b"", fd)):
        with pytest.raises(Unavailable):
            action(1 << 20)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises((Unavailable, Malformed, Tampered)):
            describe(folder)
        with pytest.raises(Unavailable):
            seal_file(folder, 1 << 20, header_of("intl"), key_of("intl"))
    finally:
        os.close(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("columns", ["a", "a"]),
        ("owner", "AB" * 32),
        ("rows", -1),
        ("created_at", -1),
        ("suite", "other"),
    ],
)
def test_descriptions_hold_rules(name: str, value: object) -> None:
    with pytest.raises(Malformed):
        DatasetHeader.from_value({**header_of("sm").to_value(), name: value})


@given(st.binary(max_size=80))
def test_prefix_parsing_is_total(data: bytes) -> None:
    with pytest.raises(Malformed):
        Prefix.parse(data)


def test_prefixes_are_exact() -> None:
    raw = Prefix.of(header_of("sm")).raw
    assert Prefix.parse(raw).header == header_of("sm")
    for wrong in (raw[:-1], raw + b"\0", raw[:21] + b"\xff" * 4 + raw[25:]):
        with pytest.raises(Malformed):
            Prefix.parse(wrong)
    wide = {**header_of("sm").to_value(), "columns": [f"{n:0200}" for n in range(5600)]}
    with pytest.raises(Malformed):
        Prefix.of(DatasetHeader.from_value(wide))
