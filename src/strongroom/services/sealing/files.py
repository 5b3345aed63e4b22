# SPDX-License-Identifier: Apache-2.0
"""Sealing a file and reading a sealed one, over descriptors, in constant memory.

A sealed file lies on the host, which may change it while it is read. So every
segment is first read into private memory and opened from there, and the length is
asked once: what does not fit it then is refused. Nothing here owns a descriptor.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from strongroom.core.codec.floe import (
    HEADER_BYTES,
    OVERHEAD_BYTES,
    SEGMENT_BYTES,
    TRUNCATED_RULE,
    Header,
    Sealer,
    segment_count,
    tampered,
)
from strongroom.core.codec.sealed import (
    FIXED_BYTES,
    DatasetHeader,
    Prefix,
    dataset_id,
    prefix_length,
)
from strongroom.core.crypto import Buffer, suite
from strongroom.errors import Unavailable


class Reader(Protocol):
    """What a raw or buffered binary file offers."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the start of `buffer`; return how much, 0 at the end."""


@dataclass(frozen=True, slots=True)
class SealedInfo:
    """What a sealed file says of itself; only opening it with its key checks it."""

    header: DatasetHeader
    dataset_id: str
    total_bytes: int
    plaintext_bytes: int


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a sealed file, parsed once from one private copy."""

    info: SealedInfo
    prefix: bytes
    floe_header: bytes


def seal_file(  # noqa: PLR0913 - three of them are optional
    source: int | Reader,
    target: int,
    header: DatasetHeader,
    key: Buffer,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    random: Callable[[int], bytes] = secrets.token_bytes,
    progress: Callable[[int], None] | None = None,
) -> SealedInfo:
    """Seal all that `source` still holds into `target`, in the header's suite.

    Args:
        source: descriptor or binary file, read to its end.
        target: descriptor, written from where it stands. After an error it holds a
            part that no reader accepts; remove it.
        header: the public description.
        key: the data key, aead_key_bytes of the suite.
        segment_bytes: length of a sealed segment; readers decrypt whole segments.
        random: returns n random bytes.
        progress: is told the number of plaintext bytes sealed so far.

    Raises:
        Malformed: the key or the description does not fit.
        Unavailable: reading or writing failed.
    """
    rules = suite(header.suite)
    prefix = Prefix.of(header).raw
    sealer = Sealer(rules, key, prefix, segment_bytes=segment_bytes, random=random)
    text, ahead = (memoryview(bytearray(sealer.plaintext_bytes)) for _ in range(2))
    sealed = memoryview(bytearray(segment_bytes))
    write_all(target, prefix + sealer.header)
    total, position, filled = 0, 0, _fill(source, text)
    while True:
        full = filled == len(text)
        following = _fill(source, ahead) if full else 0
        part = sealer.seal_segment(
            position, text[:filled], final=not following, out=sealed
        )
        write_all(target, part)
        total += filled
        if progress is not None:
            progress(total)
        if not following:
            break
        text, ahead, filled, position = ahead, text, following, position + 1
    head = prefix + sealer.header
    written = len(head) + total + (position + 1) * OVERHEAD_BYTES
    return SealedInfo(header, dataset_id(rules, head, written), written, total)


def describe(fd: int) -> SealedInfo:
    """Return what a sealed file says of itself, without its key, so unchecked.

    Raises:
        Malformed: not a sealed file.
        Tampered: no sealed file has that FLOE header or that length.
        Unavailable: it cannot be read.
    """
    return read_head(fd).info


def read_head(fd: int) -> Head:
    """Read and parse the start of a sealed file; raises as `describe`."""
    try:
        total = os.fstat(fd).st_size
    except OSError as error:
        raise _unavailable(error) from error
    start = _pread(fd, min(FIXED_BYTES, total), 0)
    length = prefix_length(start)
    head = _pread(fd, length + HEADER_BYTES, 0)
    parsed = Prefix.parse(head[:length])
    floe_header = head[length:]
    segment_bytes = Header.parse(floe_header).segment_bytes
    count = segment_count(segment_bytes, total - length)
    text = total - len(head) - count * OVERHEAD_BYTES
    name = dataset_id(suite(parsed.header.suite), head, total)
    return Head(SealedInfo(parsed.header, name, total, text), parsed.raw, floe_header)


def pread_into(fd: int, view: memoryview, offset: int) -> None:
    """Fill `view` from a file.

    Raises:
        Tampered: the file ends before (floe.truncated).
        Unavailable: reading failed.
    """
    done = 0
    while done < len(view):
        try:
            count = os.preadv(fd, [view[done:]], offset + done)
        except OSError as error:
            raise _unavailable(error) from error
        if not count:
            got = f"the end after {offset + done}: the file was cut off"
            raise tampered(TRUNCATED_RULE, f"{offset + len(view)} bytes", got)
        done += count


def write_all(fd: int, data: Buffer) -> None:
    """Write all of `data`.

    Raises:
        Unavailable: writing failed.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except OSError as error:
            raise _unavailable(error) from error


def _pread(fd: int, length: int, offset: int) -> bytes:
    data = bytearray(length)
    pread_into(fd, memoryview(data), offset)
    return bytes(data)


def _fill(source: int | Reader, view: memoryview) -> int:
    """Fill `view` as far as the source goes and return how far."""
    done = 0
    while done < len(view):
        try:
            if isinstance(source, int):
                count: int | None = os.readv(source, [view[done:]])
            else:
                count = source.readinto(view[done:])
        except OSError as error:
            raise _unavailable(error) from error
        if not count:
            break
        done += count
    return done


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(f"the file cannot be read or written: {error.strerror}")
