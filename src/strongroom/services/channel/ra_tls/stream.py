# SPDX-License-Identifier: Apache-2.0
"""RA-TLS over a connected socket, with the methods of a socket that HTTP uses."""

import io
import socket
from types import TracebackType
from typing import Self

from strongroom.errors import StrongroomError, Unavailable
from strongroom.services.channel.ra_tls.connection import Endpoint, RaTlsConnection

_READ_BYTES = 1 << 17


class RaTlsStream:
    """An open connection whose peer was accepted; use it from one thread at a time."""

    def __init__(self, connected: socket.socket, connection: RaTlsConnection) -> None:
        self._socket, self.connection = connected, connection
        self._ahead = b""

    @classmethod
    def open(cls, connected: socket.socket, endpoint: Endpoint) -> Self:
        """Return a stream once the peer has been accepted; or close the socket.

        Raises:
            Unavailable: the path failed, or its time-out passed.
            StrongroomError: the peer is refused.
        """
        stream = cls(connected, endpoint.connection())
        try:
            stream._until_open()
        except (StrongroomError, OSError) as error:
            stream.drop()
            if isinstance(error, StrongroomError):
                raise
            raise _failed(error) from error
        return stream

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes, or b"" when the peer has closed.

        Raises:
            Tampered: a record does not hold, or the path ended before the peer did.
            Unavailable: the path failed.
        """
        while not self._ahead:
            self._ahead = self.connection.take()
            if not self._ahead and not self._advance():
                return b""
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`.

        Raises:
            Unavailable: the path failed.
        """
        self.connection.send(memoryview(data).cast("B"))
        self._flush()

    def makefile(self, mode: str = "rb", buffering: int = -1) -> io.BufferedReader:
        """Return a reader, as `http.server` wants one."""
        if mode != "rb":
            message = f"a stream is read with rb, not {mode}"
            raise ValueError(message)
        size = buffering if buffering > 0 else io.DEFAULT_BUFFER_SIZE
        return io.BufferedReader(_Reader(self), size)

    def settimeout(self, seconds: float | None) -> None:
        """Set how long a read or write may take."""
        self._socket.settimeout(seconds)

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def getpeername(self) -> object:
        """Return the address of the other end."""
        return self._socket.getpeername()

    def shutdown(self, how: int) -> None:
        """Say to the peer that nothing more comes, then to the socket."""
        try:
            self.connection.close()
            self._flush()
            self._socket.shutdown(how)
        except (Unavailable, OSError):
            return

    def close(self) -> None:
        """End the connection in order."""
        self.shutdown(socket.SHUT_WR)
        self._socket.close()

    def drop(self) -> None:
        """End it without order: what OpenSSL still has to say (an alert) goes out."""
        try:
            self._flush()
        except Unavailable:
            pass
        finally:
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _until_open(self) -> None:
        self.connection.feed(b"")
        self._flush()
        while not self.connection.is_open:
            if not self._advance():
                self.connection.end()
                break

    def _advance(self) -> bool:
        """Feed what comes next; return False when the peer has closed in order."""
        if self.connection.ended:
            return False
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise _failed(error) from error
        if not data:
            self.connection.end()
            return False
        self.connection.feed(data)
        self._flush()
        return True

    def _flush(self) -> None:
        if outgoing := self.connection.outgoing():
            try:
                self._socket.sendall(outgoing)
            except OSError as error:
                raise _failed(error) from error


class _Reader(io.RawIOBase):
    """A stream as a raw file."""

    def __init__(self, stream: RaTlsStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, room: "io.WriteableBuffer") -> int:  # type: ignore[name-defined]
        view = memoryview(room).cast("B")
        data = self._stream.recv(len(view))
        view[: len(data)] = data
        return len(data)


def _failed(error: OSError) -> Unavailable:
    return Unavailable(f"the path of this connection failed: {error}")
