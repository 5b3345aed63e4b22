# SPDX-License-Identifier: Apache-2.0
"""The template, started again when it dies, if it is still the one that was measured."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from strongroom.core.codec.bundle import VerifiedBundle
from strongroom.errors import Misconfigured, Unavailable
from strongroom.system.monitor.enclaves import EnclaveProcess
from strongroom.system.monitor.measure import template_events
from strongroom.system.monitor.starter import Template


class MeasuredTemplate:
    """Keeps one template running; implements `Starter`.

    A template ends with the thread that started it (PR_SET_PDEATHSIG), so one
    thread that stays starts them all.
    """

    def __init__(
        self,
        suite_id: str,
        program: str,
        preload: Sequence[str],
        waived: Sequence[str],
    ) -> None:
        """Start the template and measure it.

        Raises:
            Misconfigured: it ended while it was importing.
        """
        self._suite_id, self._program = suite_id, program
        self._preload, self._waived = tuple(preload), tuple(waived)
        self._thread = ThreadPoolExecutor(1, "template")
        self._template = self._thread.submit(self._spawn).result()
        self.events = self._measure(self._template)

    def start(self, bundle: VerifiedBundle, memory_bytes: int) -> EnclaveProcess:
        """Return a locked-down process that waits for its START.

        Raises:
            Misconfigured: a lock does not hold, or a new template is not as measured.
            Unavailable: no template can be had.
        """
        try:
            return self._template.start(bundle, memory_bytes)
        except Unavailable:
            self._thread.submit(self._replace).result()
            return self._template.start(bundle, memory_bytes)

    def close(self) -> None:
        """End the template, and with it every enclave."""
        self._template.close()
        self._thread.shutdown()

    def _spawn(self) -> Template:
        return Template(self._program, self._preload, self._waived)

    def _measure(self, template: Template) -> list[tuple[str, bytes]]:
        return template_events(self._suite_id, self._preload, template.modules)

    def _replace(self) -> None:
        if self._template.alive():
            return
        self._template.close()
        fresh = self._spawn()
        if self._measure(fresh) != self.events:
            fresh.close()
            message = "the template has changed since the monitor measured it: restart"
            raise Misconfigured(message)
        self._template = fresh
