# SPDX-License-Identifier: Apache-2.0
"""The template, started again when it dies, if it is still as it was measured."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from strongroom.errors import Misconfigured, Unavailable
from strongroom.system.monitor.enclaves import EnclaveProcess
from strongroom.system.monitor.measure import modules_digest
from strongroom.system.monitor.sandbox import Limits
from strongroom.system.monitor.starter import Template


class _Watched(Template):
    """A template that can be asked whether it still runs."""

    def is_running(self) -> bool:
        """Return whether its process has not ended."""
        return self._process.poll() is None


class MeasuredTemplate:
    """Keeps one template running; implements `Starter`.

    A template ends with the thread that started it (PR_SET_PDEATHSIG), so one
    thread that stays starts them all.
    """

    def __init__(
        self, program: str, preload: Sequence[str], waived: Sequence[str]
    ) -> None:
        """Start the template.

        Raises:
            Misconfigured: it ended while it was importing.
        """
        self._program = program
        self._preload, self._waived = tuple(preload), tuple(waived)
        self._suite_id, self._digest = "", b""
        self._thread = ThreadPoolExecutor(1, "template")
        self._template = self._thread.submit(self._spawn).result()

    @property
    def modules(self) -> dict[str, str]:
        """What the template has loaded, and from where."""
        return self._template.modules

    def pin(self, suite_id: str, modules_digest: bytes) -> None:
        """Say what was measured: every later template must have the same digest."""
        self._suite_id, self._digest = suite_id, modules_digest

    def start(self, limits: Limits) -> EnclaveProcess:
        """Return a locked-down process that waits for its START.

        Raises:
            Misconfigured: a lock does not hold, or a new template is not as measured.
            Unavailable: no template can be had.
        """
        try:
            return self._template.start(limits)
        except Unavailable:
            self._thread.submit(self._replace).result()
            return self._template.start(limits)

    def close(self) -> None:
        """End the template, and with it every enclave."""
        self._template.close()
        self._thread.shutdown()

    def _spawn(self) -> _Watched:
        return _Watched(self._program, self._preload, self._waived)

    def _replace(self) -> None:
        if self._template.is_running():
            return
        self._template.close()
        fresh = self._spawn()
        if modules_digest(self._suite_id, fresh.modules) != self._digest:
            fresh.close()
            message = "the template has changed since the monitor measured it: restart"
            raise Misconfigured(message)
        self._template = fresh
