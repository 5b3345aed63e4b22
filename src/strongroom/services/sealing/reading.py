# SPDX-License-Identifier: Apache-2.0
"""Random access to a sealed file: every byte that leaves here was authenticated."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from strongroom.core.codec.floe import Opener
from strongroom.core.codec.sealed import DatasetHeader
from strongroom.core.crypto import Buffer, suite
from strongroom.errors import Malformed
from strongroom.services.sealing.files import SealedInfo, pread_into, read_head


class SealedFile:
    """A sealed file under its key; not for use by several threads at once.

    It keeps buffers of one segment for each of its threads and no more, whatever the
    length of the file.
    """

    def __init__(self, fd: int, key: Buffer, *, threads: int = 2) -> None:
        """Open a file; header and last segment, so its length, are checked now.

        Every other segment is checked when it is read.

        Args:
            fd: its descriptor, which stays the caller's and must stay open.
            key: the data key.
            threads: how many segments to open at a time. Reading and decryption
                let go of the interpreter: the second thread hides the copy out of
                the file, which takes about as long as AES-GCM does.

        Raises:
            Malformed: not a sealed file.
            Tampered: a wrong key, an altered description, or a length that no
                sealed file has.
            Unavailable: the file cannot be read.
        """
        head = read_head(fd)
        self._fd = fd
        self._info = head.info
        self._base = len(head.prefix)
        self._opener = Opener(
            suite(head.info.header.suite), key, head.prefix, head.floe_header
        )
        body = head.info.total_bytes - self._base
        self._count = self._opener.segment_count(body)
        self._text = self._opener.plaintext_bytes
        self._sealed = [self._buffer(body) for _ in range(max(1, threads))]
        self._plain = self._buffer(body)
        self._kept: tuple[int, int] | None = None
        self._segment(self._count - 1)

    def _buffer(self, most: int) -> memoryview:
        return memoryview(bytearray(min(self._opener.segment_bytes, most)))

    @property
    def info(self) -> SealedInfo:
        """Description, id and lengths; the key's holder made them."""
        return self._info

    @property
    def header(self) -> DatasetHeader:
        """The description; the key's holder made it."""
        return self._info.header

    @property
    def length(self) -> int:
        """The number of plaintext bytes."""
        return self._info.plaintext_bytes

    def read(self, offset: int = 0, count: int | None = None) -> bytes:
        """Return up to `count` bytes from `offset`; fewer only at the end.

        Raises:
            Malformed: a negative number.
            Tampered: the file was altered there.
            Unavailable: the file cannot be read.
        """
        rest = max(0, self.length - max(0, offset))
        wanted = rest if count is None else min(count, rest)
        if wanted < 0:
            message = "a count of bytes is not negative"
            raise Malformed(message)
        out = bytearray(wanted)
        self.read_into(out, offset)
        return bytes(out)

    def read_into(self, buffer: bytearray | memoryview, offset: int = 0) -> int:
        """Fill `buffer` from `offset` and return how much of it was filled.

        Whole segments are decrypted in place, so `buffer` must be memory that
        nobody else reads. After an error its content is of no use.

        Raises:
            Malformed: a negative offset.
            Tampered: the file was altered there.
            Unavailable: the file cannot be read.
        """
        if offset < 0:
            message = "an offset is not negative"
            raise Malformed(message)
        room = memoryview(buffer).cast("B")
        end = min(offset + len(room), self.length)
        if end <= offset:
            return 0
        stop = self._count if end == self.length else end // self._text
        if self._kept is not None and self._kept[0] == stop - 1:
            stop -= 1
        whole = range(-(-offset // self._text), stop)
        for position in {offset // self._text, (end - 1) // self._text}:
            if position not in whole:
                start = position * self._text
                low, high = max(offset, start), min(end, start + self._text)
                part = self._segment(position)[low - start : high - start]
                room[low - offset : high - offset] = part
        self._open_whole(whole, room, offset)
        return end - offset

    def stream(self) -> Iterator[memoryview]:
        """Yield the text segment by segment, the next ones opened meanwhile.

        A yielded view is valid until the next one is asked for.

        Raises:
            Tampered: the file was altered there.
            Unavailable: the file cannot be read.
        """
        lanes = len(self._sealed)
        scratch, plain = (
            [self._buffer(self._info.total_bytes) for _ in range(lanes + 1)]
            for _ in range(2)
        )

        def run(position: int) -> memoryview:
            lane = position % (lanes + 1)
            length = self._open(position, scratch[lane], plain[lane])
            return plain[lane][:length].toreadonly()

        if lanes == 1:
            yield from map(run, range(self._count))
            return
        with ThreadPoolExecutor(lanes) as pool:
            ahead = deque(pool.submit(run, n) for n in range(min(lanes, self._count)))
            for following in range(lanes, self._count + lanes):
                ready = ahead.popleft().result()
                if following < self._count:
                    ahead.append(pool.submit(run, following))
                yield ready

    def _segment(self, position: int) -> memoryview:
        """Return the text of one segment; the last one asked for is kept."""
        if self._kept is None or self._kept[0] != position:
            self._kept = None
            length = self._open(position, self._sealed[0], self._plain)
            self._kept = (position, length)
        return self._plain[: self._kept[1]]

    def _open(self, position: int, scratch: memoryview, out: memoryview) -> int:
        """Read one segment into private memory, then open it from there."""
        start, end = self._opener.segment_span(position)
        final = position == self._count - 1
        if final:
            end = self._info.total_bytes - self._base
        sealed = scratch[: end - start]
        pread_into(self._fd, sealed, self._base + start)
        return self._opener.open_segment(position, sealed, out, final=final)

    def _open_whole(self, whole: range, room: memoryview, offset: int) -> None:
        """Open whole segments to their places in `room`, on all lanes."""

        def run(scratch: memoryview, part: range) -> None:
            for position in part:
                self._open(position, scratch, room[position * self._text - offset :])

        lanes = len(self._sealed)
        if lanes == 1 or len(whole) < 2 * lanes:
            run(self._sealed[0], whole)
            return
        parts = [whole[lane::lanes] for lane in range(lanes)]
        with ThreadPoolExecutor(lanes - 1) as pool:
            others = zip(self._sealed[1:], parts[1:], strict=True)
            tasks = [pool.submit(run, scratch, part) for scratch, part in others]
            run(self._sealed[0], parts[0])
            for task in tasks:
                task.result()
