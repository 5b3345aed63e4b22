# SPDX-License-Identifier: Apache-2.0
"""A cursor over bytes: takes what is there, refuses what is not, and counts to the end.

Every parser of a foreign binary format reads with it, so that none reads past the end
and none leaves bytes unread that nobody looked at.
"""

from strongroom.errors import Malformed


class Cursor:
    """Reads `data` from the beginning; `what` names the format in errors."""

    __slots__ = ("_data", "_end", "_position", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._what = data, what
        self._position, self._end = 0, len(data)

    @property
    def position(self) -> int:
        """How many bytes have been taken."""
        return self._position

    @property
    def left(self) -> int:
        """How many bytes have not been taken yet."""
        return self._end - self._position

    def take(self, n: int) -> bytes:
        """Return the next `n` bytes.

        Raises:
            Malformed: there are fewer, or `n` is negative.
        """
        begin = self._position
        end = begin + n
        if not begin <= end <= self._end:
            message = f"{self._what}: {n} bytes wanted at {begin}, {self.left} left"
            raise Malformed(message)
        self._position = end
        return self._data[begin:end]

    def little(self, n: int) -> int:
        """Return the next `n` bytes as a little-endian number."""
        return int.from_bytes(self.take(n), "little")

    def big(self, n: int) -> int:
        """Return the next `n` bytes as a big-endian number."""
        return int.from_bytes(self.take(n), "big")

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(self.left)

    def end(self) -> None:
        """Refuse bytes that nobody took.

        Raises:
            Malformed: some are left.
        """
        if self.left:
            message = f"{self._what}: {self.left} bytes too many"
            raise Malformed(message)
