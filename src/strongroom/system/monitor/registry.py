# SPDX-License-Identifier: Apache-2.0
"""Whose enclave is whose: handles, owners and permissions (SYS-1)."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.rats.destruction import Reason
from strongroom.errors import LimitReached, Refused
from strongroom.system.monitor.birth import Birth
from strongroom.system.monitor.enclaves import Enclave

MAX_ENCLAVES = 1024


@dataclass(frozen=True, eq=False)
class Caller:
    """Whoever is at the other end of a host connection, by the kernel's word."""

    uid: int
    pid: int
    connection: socket.socket


class Registry:
    """Every enclave of this monitor by its handle, until its connection closes."""

    def __init__(self) -> None:
        self._enclaves: dict[bytes, tuple[Enclave, Caller]] = {}
        self._guard = threading.Lock()

    def keep(self, enclave: Enclave, caller: Caller) -> None:
        """Make an enclave callable; forgets the oldest ended one where it must.

        Raises:
            LimitReached: as many live as may.
        """
        with self._guard:
            if len(self._enclaves) >= MAX_ENCLAVES:
                ended = (h for h, (e, _) in self._enclaves.items() if e.record)
                oldest = next(ended, None)
                if oldest is None:
                    message = f"this monitor runs {MAX_ENCLAVES} enclaves and no more"
                    raise LimitReached(message)
                del self._enclaves[oldest]
            self._enclaves[enclave.birth.handle] = (enclave, caller)

    def forget(self, enclave: Enclave) -> None:
        """Take an enclave off; its handle is worth nothing then."""
        with self._guard:
            self._enclaves.pop(enclave.birth.handle, None)

    def find(self, handle: object) -> Enclave | None:
        """Return the enclave of a handle, whoever asks."""
        with self._guard:
            found = self._enclaves.get(handle) if isinstance(handle, bytes) else None
        return found[0] if found else None

    def owned(self, handle: bytes, caller: Caller) -> Enclave:
        """Return the enclave of a handle for the one who created it.

        Raises:
            Refused: another user's, or nobody's; the answer is the same.
        """
        enclave = self.find(handle)
        if enclave is None or enclave.birth.owner_uid != caller.uid:
            raise Refused.because(
                rule="gate.owner",
                owner="monitor",
                expected="the handle of an enclave that the caller created",
                got=f"another handle, from uid {caller.uid}",
                remedy="Create an enclave and use the handle that CREATE returns.",
            )
        return enclave

    def callable(self, handle: bytes, method: int, caller: Caller) -> Enclave:
        """Return the enclave of a handle, if `method` was allowed at its creation.

        Raises:
            Refused: not the owner, or a method that was not allowed.
        """
        enclave = self.owned(handle, caller)
        allowed = enclave.birth.methods
        if allowed and method not in allowed:
            raise Refused.because(
                rule="gate.permission",
                owner="owner of the enclave",
                expected=f"one of the methods {', '.join(map(str, sorted(allowed)))}",
                got=f"method {method}",
                remedy="Create the enclave with this method among those allowed.",
            )
        return enclave

    def living(self) -> tuple[Birth, ...]:
        """Return what is known of every enclave that has not ended."""
        with self._guard:
            enclaves = [enclave for enclave, _ in self._enclaves.values()]
        return tuple(enclave.birth for enclave in enclaves if enclave.lives)

    def release(self, caller: Caller) -> None:
        """End and forget every enclave of a connection that has closed."""
        self._end("owner-gone", lambda owner: owner is caller)

    def close(self) -> None:
        """End and forget every enclave."""
        self._end("requested", lambda _: True)

    def _end(self, reason: Reason, chosen: Callable[[Caller], bool]) -> None:
        with self._guard:
            gone = [e for e, owner in self._enclaves.values() if chosen(owner)]
            for enclave in gone:
                del self._enclaves[enclave.birth.handle]
        for enclave in gone:
            enclave.end(reason)
