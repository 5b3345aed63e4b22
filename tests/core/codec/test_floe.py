# SPDX-License-Identifier: Apache-2.0
"""FLOE against the known answers of its authors, and against an attacker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec.floe import (
    HEADER_BYTES,
    MAX_SEGMENTS,
    OVERHEAD_BYTES,
    Header,
    Opener,
    Sealer,
    segment_count,
)
from strongroom.core.crypto import SUITES, suite
from strongroom.errors import LimitReached, Malformed, Tampered

SUITE_IDS = sorted(SUITES)
SEGMENT = 64
TEXT = SEGMENT - OVERHEAD_BYTES
VECTORS = 17


def counting_bytes() -> Iterator[int]:
    """Yield a new number for each request of randomness."""
    yield from range(1, 1 << 16)


def key_of(suite_id: str) -> bytes:
    return bytes(range(suite(suite_id).aead_key_bytes))


def seal(
    suite_id: str, text: bytes, aad: bytes = b"aad", *, start: int = 0, bits: int = 20
) -> bytes:
    numbers = (start + number for number in counting_bytes())
    sealer = Sealer(
        suite(suite_id),
        key_of(suite_id),
        aad,
        segment_bytes=SEGMENT,
        random=lambda count: next(numbers).to_bytes(count, "big"),
        rotation_bits=bits,
    )
    parts = [text[at : at + TEXT] for at in range(0, len(text), TEXT)] or [b""]
    sealed = [
        bytes(sealer.seal_segment(place, part, final=place == len(parts) - 1))
        for place, part in enumerate(parts)
    ]
    return sealer.header + b"".join(sealed)


def open_all(
    suite_id: str, data: bytes, aad: bytes = b"aad", *, bits: int = 20
) -> bytes:
    opener = Opener(
        suite(suite_id), key_of(suite_id), aad, data[:HEADER_BYTES], rotation_bits=bits
    )
    return b"".join(open_each(opener, data))


def open_each(opener: Opener, data: bytes) -> Iterator[bytes]:
    count = opener.segment_count(len(data))
    for place in range(count):
        start, end = opener.segment_span(place)
        out = memoryview(bytearray(opener.plaintext_bytes))
        segment = data[start:end]
        length = opener.open_segment(place, segment, out, final=place == count - 1)
        yield bytes(out[:length])


def test_known_answers_of_the_specification_open(shared: Path) -> None:
    folder = shared / "vectors" / "floe"
    names = sorted(path.name[:-7] for path in folder.glob("*_ct.txt"))
    assert len(names) == VECTORS
    for name in names:
        data = bytes.fromhex((folder / f"{name}_ct.txt").read_text())
        text = bytes.fromhex((folder / f"{name}_pt.txt").read_text())
        bits = 2 if "rotation" in name else 20
        opener = Opener(
            suite("intl"),
            bytes(32),
            b"This is AAD",
            data[:HEADER_BYTES],
            rotation_bits=bits,
        )
        assert b"".join(open_each(opener, data)) == text, name
        assert opener.plaintext_length(len(data)) == len(text)


def test_known_answers_seal_to_the_same_bytes(shared: Path) -> None:
    """The IV and nonces of a vector, given as randomness, give its ciphertext."""
    folder = shared / "vectors" / "floe"
    data = bytes.fromhex((folder / "rust_rotation_ct.txt").read_text())
    text = bytes.fromhex((folder / "rust_rotation_pt.txt").read_text())
    size = Header.parse(data[:HEADER_BYTES]).segment_bytes
    segments = [data[at : at + size] for at in range(HEADER_BYTES, len(data), size)]
    draws = iter([data[10:42], *(segment[4:16] for segment in segments)])
    sealer = Sealer(
        suite("intl"),
        bytes(32),
        b"This is AAD",
        segment_bytes=size,
        random=lambda _: next(draws),
        rotation_bits=2,
    )
    assert sealer.header == data[:HEADER_BYTES]
    step = sealer.plaintext_bytes
    for place, segment in enumerate(segments):
        part = text[place * step : (place + 1) * step]
        last = place == len(segments) - 1
        assert sealer.seal_segment(place, part, final=last) == segment


@pytest.mark.parametrize("suite_id", SUITE_IDS)
@given(text=st.binary(max_size=5 * TEXT), aad=st.binary(max_size=40))
def test_what_was_sealed_opens(suite_id: str, text: bytes, aad: bytes) -> None:
    data = seal(suite_id, text, aad)
    assert open_all(suite_id, data, aad) == text


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_every_truncation_is_refused(suite_id: str) -> None:
    data = seal(suite_id, bytes(4 * TEXT))
    for length in range(len(data)):
        with pytest.raises(Tampered) as caught:
            open_all(suite_id, data[:length])
        assert caught.value.findings[0].rule in {"floe.header", "floe.truncated"}


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_every_bit_counts(suite_id: str) -> None:
    data = seal(suite_id, bytes(TEXT + 3))
    for place in range(len(data)):
        for bit in (1, 0x80):
            wrong = bytearray(data)
            wrong[place] ^= bit
            with pytest.raises(Tampered):
                open_all(suite_id, bytes(wrong))


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_moved_repeated_and_foreign_segments_are_refused(suite_id: str) -> None:
    data, other = (
        seal(suite_id, bytes(4 * TEXT)),
        seal(suite_id, bytes(4 * TEXT), start=99),
    )
    head = data[:HEADER_BYTES]
    one, two, three, last = (
        data[at : at + SEGMENT] for at in range(HEADER_BYTES, len(data), SEGMENT)
    )
    foreign = other[HEADER_BYTES : HEADER_BYTES + SEGMENT]
    for body in (
        (two, one, three, last),
        (one, one, three, last),
        (one, two, two, three, last),
        (one, two, three, last, last),
        (last, one, two, three),
        (one, three, last),
        (foreign, two, three, last),
    ):
        with pytest.raises(Tampered, match=r"floe\.(segment|truncated)"):
            open_all(suite_id, head + b"".join(body))
    with pytest.raises(Tampered, match=r"floe\.truncated"):
        open_all(suite_id, data + b"more")


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_a_refused_segment_leaves_no_text(suite_id: str) -> None:
    data = bytearray(seal(suite_id, b"secret" * 5))
    data[-1] ^= 1
    opener = Opener(
        suite(suite_id), key_of(suite_id), b"aad", bytes(data[:HEADER_BYTES])
    )
    out = bytearray(TEXT)
    with pytest.raises(Tampered, match=r"floe\.segment"):
        opener.open_segment(0, data[HEADER_BYTES:], memoryview(out), final=True)
    assert not any(out)


@pytest.mark.parametrize("suite_id", SUITE_IDS)
def test_wrong_key_description_or_suite_is_refused_at_the_header(suite_id: str) -> None:
    data = seal(suite_id, b"text")
    head = data[:HEADER_BYTES]
    rules = suite(suite_id)
    with pytest.raises(Tampered, match=r"floe\.header"):
        Opener(rules, bytes(rules.aead_key_bytes), b"aad", head)
    with pytest.raises(Tampered, match=r"floe\.header"):
        Opener(rules, key_of(suite_id), b"other", head)
    other = next(row for row in SUITES.values() if row.id != suite_id)
    with pytest.raises(Tampered, match=r"floe\.header"):
        Opener(other, key_of(other.id), b"aad", head)
    with pytest.raises(Malformed):
        Opener(rules, b"short", b"aad", head)


@given(st.binary(max_size=HEADER_BYTES + 2))
def test_header_parsing_is_total(data: bytes) -> None:
    with pytest.raises(Tampered):
        Header.parse(data)


def test_headers_out_of_bounds_are_refused() -> None:
    rest = bytes(64)
    for params in ("0000 00000020 00000020", "0000 04000001 00000020"):
        with pytest.raises(Tampered, match=r"floe\.header"):
            Header.parse(bytes.fromhex(params) + rest)
    with pytest.raises(Tampered, match="known parameters"):
        Header.parse(bytes.fromhex("0000 00100000 00000010") + rest)
    parsed = Header.parse(bytes.fromhex("0000 00100000 00000020") + rest)
    assert (parsed.suite_id, parsed.segment_bytes) == ("intl", 1 << 20)


def test_sealer_takes_whole_segments_only() -> None:
    sealer = Sealer(suite("intl"), bytes(32), b"", segment_bytes=SEGMENT, random=bytes)
    with pytest.raises(Malformed):
        sealer.seal_segment(0, bytes(TEXT - 1), final=False)
    with pytest.raises(Malformed):
        sealer.seal_segment(0, bytes(TEXT + 1), final=True)
    with pytest.raises(LimitReached):
        sealer.seal_segment(MAX_SEGMENTS, b"", final=True)


def test_data_keys_rotate() -> None:
    text = bytes(9 * TEXT)
    data = seal("intl", text, bits=2)
    assert open_all("intl", data, bits=2) == text
    with pytest.raises(Tampered, match="segment 4"):
        open_all("intl", data, bits=20)


def test_lengths() -> None:
    assert segment_count(SEGMENT, HEADER_BYTES + OVERHEAD_BYTES) == 1
    assert segment_count(SEGMENT, HEADER_BYTES + SEGMENT) == 1
    assert segment_count(SEGMENT, HEADER_BYTES + SEGMENT + OVERHEAD_BYTES) == 2
    for length in (0, HEADER_BYTES, HEADER_BYTES + SEGMENT + 1):
        with pytest.raises(Tampered, match=r"floe\.truncated"):
            segment_count(SEGMENT, length)


def test_frames_are_checked_before_keys_are_used() -> None:
    data = seal("intl", bytes(2 * TEXT))
    opener = Opener(suite("intl"), key_of("intl"), b"aad", data[:HEADER_BYTES])
    room = memoryview(bytearray(SEGMENT))
    first = data[HEADER_BYTES : HEADER_BYTES + SEGMENT]
    for segment in (b"", first + b"\0", first[:-1]):
        with pytest.raises(Tampered, match=r"floe\.truncated"):
            opener.open_segment(0, segment, room, final=False)
