# SPDX-License-Identifier: Apache-2.0
"""Keeps the broker's enclave running and passes its calls through the gate.

The broker's state rests in its journal, so an enclave that ends is started again
and replays it; a call that was cut short may be asked again (DESIGN 2).
"""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.application.broker import Method
from strongroom.core.codec import cbor
from strongroom.errors import (
    AppFailed,
    Conflict,
    LimitReached,
    Malformed,
    Unavailable,
)
from strongroom.services.isolation import Enclave, Isolation


class BrokerHost:
    """One broker in its enclave, on a monitor's socket."""

    def __init__(
        self,
        isolation: Isolation,
        bundle: bytes,
        config: bytes,
        journal: Path,
        launch_policy: Callable[[], bytes],
    ) -> None:
        self._isolation = isolation
        self._bundle = bundle
        self._config = config
        self._journal = journal
        self._launch_policy = launch_policy
        self._enclave: Enclave | None = None
        self._lock = threading.Lock()

    def call(self, method: Method, value: dict[str, object]) -> dict[str, object]:
        """Ask the broker; starts its enclave first where none is running.

        Raises:
            Unavailable: the enclave ended during the call; ask again.
            StrongroomError: what the broker answered.
        """
        with self._lock:
            if self._enclave is None:
                self._enclave = self._start()
            try:
                return _ask(self._enclave, method, value)
            except (Unavailable, AppFailed, LimitReached, Conflict) as error:
                if not isinstance(error, Unavailable) and self._lives(self._enclave):
                    raise  # the broker's own answer
                self._enclave.close()
                self._enclave = None
                message = "the broker's enclave ended; it starts again: ask once more"
                raise Unavailable(message) from error

    def _lives(self, enclave: Enclave) -> bool:
        try:
            living = self._isolation.status().enclaves
        except Unavailable:
            return False
        return any(row.enclave_id == enclave.enclave_id for row in living)

    def platform_evidence(self, nonce: bytes) -> bytes:
        """Return fresh platform evidence of the machine under the broker."""
        return self._isolation.evidence(nonce)

    def sign_log(self) -> None:
        """Have the monitor sign all that it wrote down up to now.

        Raises:
            Conflict: it keeps its log in memory only.
            Unavailable: the disk does not take it.
        """
        self._isolation.log_head()

    def report(self, enclave_id: bytes | None, nonce: bytes) -> bytes:
        """Return the monitor's report about an enclave, without its help (RA-2).

        Args:
            enclave_id: of an enclave on this machine; None for the broker's.
            nonce: the challenge.

        Raises:
            NotFound: no such enclave.
            Unavailable: the broker's is not running.
        """
        if enclave_id is None:
            with self._lock:
                if self._enclave is None:
                    message = "the broker's enclave is not running: ask it something"
                    raise Unavailable(message)
                enclave_id = self._enclave.enclave_id
        return self._isolation.report(enclave_id, nonce)

    def close(self) -> None:
        """Destroy the broker's enclave; its state stays in the journal."""
        with self._lock:
            if self._enclave is not None:
                self._enclave.close()
                self._enclave = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self) -> Enclave:
        policy = self._launch_policy()
        try:
            enclave = self._isolation.create(self._bundle, policy, self._config)
        except AppFailed as error:
            raise _cut_short() from error
        try:
            self._open(enclave)
        except (AppFailed, Conflict) as error:
            enclave.close()
            raise _cut_short() from error
        except BaseException:
            enclave.close()
            raise
        return enclave

    def _open(self, enclave: Enclave) -> None:
        journal = os.open(self._journal, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _ask(enclave, Method.OPEN, {}, [journal])
        finally:
            os.close(journal)


def _cut_short() -> Unavailable:
    return Unavailable("the broker's enclave ended while it started: ask once more")


def _ask(
    enclave: Enclave, method: Method, value: dict[str, object], fds: Sequence[int] = ()
) -> dict[str, object]:
    answer = cbor.decode(enclave.call(int(method), cbor.encode(value), fds))
    if not isinstance(answer, dict):
        message = "the broker's answer is not a map"
        raise Malformed(message)
    return answer
