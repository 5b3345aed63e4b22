# SPDX-License-Identifier: Apache-2.0
"""Rows about sealed data: reading against the raw cipher of the same library."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.rows import Row, ratio, timed
from strongroom.core.codec.floe import HEADER_BYTES, Opener, Sealer
from strongroom.core.codec.sealed import DatasetHeader
from strongroom.core.crypto import Aead, suite
from strongroom.core.crypto.aead import TAG_BYTES
from strongroom.services.sealing import SealedFile, seal_file

BYTES = {"intl": 256 << 20, "sm": 64 << 20}
SEGMENT = 1 << 20


def rows(folder: Path, n: int) -> Iterator[Row]:
    """Measure all rows about sealed data; a ratio is speed over speed."""
    for suite_id in ("intl", "sm"):
        raw = _raw(suite_id)
        from_memory = _from_memory(suite_id)
        name = f"sealed read, {suite_id}, one core"
        yield ratio(
            f"{name}, ciphertext in private memory / raw AEAD",
            ">= 0.9",
            raw,
            from_memory,
            n,
        )
        name = f"sealed read, {suite_id}, from a file"
        raw_file = _raw_from_file(folder, suite_id)
        alone, as_is = (_from_file(folder, suite_id, threads) for threads in (1, 2))
        for title, goal, theirs, ours in (
            ("2 threads as is / raw AEAD in memory, 1 thread", ">= 0.9", raw, as_is),
            ("1 thread / pread and raw AEAD, 1 thread", ">= 0.9", raw_file, alone),
            ("1 thread / raw AEAD in memory, 1 thread", "", raw, alone),
        ):
            yield ratio(f"{name}, {title}", goal, theirs, ours, n)


def _raw(suite_id: str) -> Callable[[], float]:
    """Return the raw cipher over as many bytes, segment by segment, buffers reused."""
    aead, nonce, one = _one_raw_segment(suite_id)
    sealed = [bytearray(one) for _ in range(BYTES[suite_id] // SEGMENT)]
    out = bytearray(SEGMENT - TAG_BYTES)

    def run() -> None:
        for each in sealed:
            aead.decrypt_into(nonce, each, b"", out)

    return lambda: timed(run)


def _raw_from_file(folder: Path, suite_id: str) -> Callable[[], float]:
    """Return the same from a file, read as a sealed one is, to its place in memory."""
    aead, nonce, one = _one_raw_segment(suite_id)
    path, count = folder / f"raw-{suite_id}", BYTES[suite_id] // SEGMENT
    with path.open("wb") as target:
        for _ in range(count):
            target.write(one)
    fd = os.open(path, os.O_RDONLY)
    sealed, step = bytearray(SEGMENT), SEGMENT - TAG_BYTES
    out = memoryview(bytearray(count * step))

    def run() -> None:
        for i in range(count):
            os.preadv(fd, [sealed], i * SEGMENT)
            aead.decrypt_into(nonce, sealed, b"", out[i * step : (i + 1) * step])

    return lambda: timed(run)


def _one_raw_segment(suite_id: str) -> tuple[Aead, bytes, bytes]:
    """Return the cipher, a nonce, and one segment sealed by them alone."""
    row = suite(suite_id)
    aead, nonce = row.aead(bytes(row.aead_key_bytes)), bytes(row.nonce_bytes)
    return aead, nonce, aead.encrypt(nonce, bytes(SEGMENT - TAG_BYTES), b"")


def _from_memory(suite_id: str) -> Callable[[], float]:
    row = suite(suite_id)
    key = bytes(row.aead_key_bytes)
    sealer = Sealer(row, key, b"", segment_bytes=SEGMENT, random=os.urandom)
    count = BYTES[suite_id] // SEGMENT
    text = bytes(sealer.plaintext_bytes)
    sealed = [
        bytearray(sealer.seal_segment(i, text, final=i == count - 1))
        for i in range(count)
    ]
    opener = Opener(row, key, b"", sealer.header)
    out = memoryview(bytearray(SEGMENT))

    def run() -> None:
        for position, segment in enumerate(sealed):
            opener.open_segment(
                position, memoryview(segment), out, final=position == count - 1
            )

    return lambda: timed(run)


def _from_file(folder: Path, suite_id: str, threads: int) -> Callable[[], float]:
    row = suite(suite_id)
    key = os.urandom(row.aead_key_bytes)
    path = folder / f"sealed-{suite_id}-{threads}"
    header = DatasetHeader(
        suite="sm" if suite_id == "sm" else "intl",
        name="bench",
        media_type="application/octet-stream",
        columns=(),
        rows=None,
        owner="0" * 64,
        created_at=0,
    )
    with Path("/dev/zero").open("rb", buffering=0) as zero, path.open("wb") as target:
        seal_file(_Some(zero.fileno(), BYTES[suite_id]), target.fileno(), header, key)
    fd = os.open(path, os.O_RDONLY)
    file = SealedFile(fd, key, threads=threads)
    out = bytearray(file.length)
    return lambda: timed(lambda: file.read_into(out))


class _Some:
    """As many bytes of a descriptor."""

    def __init__(self, fd: int, length: int) -> None:
        self._fd, self._left = fd, length - HEADER_BYTES

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`."""
        count = os.readv(self._fd, [buffer[: self._left]]) if self._left else 0
        self._left -= count
        return count
