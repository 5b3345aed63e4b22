# SPDX-License-Identifier: Apache-2.0
"""The monitor's handle on the template: start an enclave's process, learn its end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict

from strongroom.errors import Malformed, Misconfigured, Unavailable, error_from_value
from strongroom.system.monitor import pools, template
from strongroom.system.monitor.enclaves import Exit
from strongroom.system.monitor.gate import ERROR, Frame, recv_frame, send_frame
from strongroom.system.monitor.sandbox import Limits

START_S = 60.0


class Template:
    """A running template process."""

    def __init__(
        self, program: str, preload: Sequence[str], waived: Sequence[str]
    ) -> None:
        """Start it and wait until everything is imported.

        Raises:
            Misconfigured: it ended before that.
        """
        self._control, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-B",
            "-P",
            "-m",
            "strongroom.system.monitor.template",
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, str(theirs.fileno()), program, ",".join(preload)],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **pools.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._waived = tuple(waived)
        self._guard = threading.Lock()
        self.locks: tuple[str, ...] = ()
        self.modules = self._wait_ready()

    def _wait_ready(self) -> dict[str, str]:
        self._control.settimeout(START_S)
        try:
            frame = recv_frame(self._control)
        except Unavailable:
            frame = None
        self._control.settimeout(None)
        modules = (
            frame.fields.get("modules")
            if frame and frame.number == template.READY
            else None
        )
        if not isinstance(modules, dict):
            message = "the template of the enclaves ended while it was importing"
            raise Misconfigured(message)
        return {str(name): str(path) for name, path in modules.items()}

    def start(self, limits: Limits) -> "EnclaveChild":
        """Return a locked-down process that waits for its START.

        Raises:
            Misconfigured: a lock does not hold and was not waived.
            Unavailable: the template is gone.
        """
        ours, gate = socket.socketpair()
        status, theirs = socket.socketpair()
        fields: dict[str, object] = {
            **asdict(limits),
            "waived": list(self._waived),
        }
        try:
            with self._guard:
                send_frame(
                    self._control,
                    template.SPAWN,
                    0,
                    fields,
                    [gate.fileno(), theirs.fileno()],
                )
        finally:
            gate.close()
            theirs.close()
        child = EnclaveChild(ours, status)
        try:
            child.wait_ready()
        except BaseException:
            ours.close()
            raise
        return child

    def close(self) -> None:
        """End the template, and with it every enclave."""
        self._control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class EnclaveChild:
    """The locked-down process of one enclave; implements `EnclaveProcess`."""

    def __init__(self, link: socket.socket, status: socket.socket) -> None:
        self.link = link
        self._status = status
        self._end: Exit | None = None
        self._guard = threading.Lock()
        self.pid = 0
        self.locks: tuple[str, ...] = ()
        self.took_us = 0

    def wait_ready(self) -> None:
        """Wait until the process says which locks hold.

        Raises:
            Misconfigured: one does not.
            Unavailable: the process ended before.
        """
        self._status.settimeout(START_S)
        while not (self.pid and self.locks):
            frame = self._next()
            match frame.number, frame.fields:
                case template.STARTED, {"pid": int() as pid}:
                    self.pid = pid
                case template.READY, {
                    "locks": list() as locks,
                    "took_us": int() as took_us,
                }:
                    self.locks, self.took_us = tuple(map(str, locks)), took_us
                case _:
                    message = "an enclave's process ended before it was locked down"
                    raise Unavailable(message)
        self._status.settimeout(None)

    def _next(self) -> Frame:
        frame = recv_frame(self._status)
        if frame is None:
            message = "the template of the enclaves is gone"
            raise Unavailable(message)
        if frame.number == ERROR:
            raise error_from_value(frame.fields)
        return frame

    def kill(self) -> None:
        """End it and all it started; harmless when it has ended."""
        with self._guard:
            if self._end is None and self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Exit:
        """Return how it ended, once it has."""
        while True:
            with self._guard:
                if self._end is not None:
                    return self._end
            try:
                frame = self._next()
                end = _describe(frame) if frame.number == template.ENDED else None
            except (Unavailable, Malformed):
                end = Exit("ended with the template", "")
            if end is not None:
                with self._guard:
                    self._end = end
                self._status.close()
                return end


def _describe(frame: Frame) -> Exit:
    """Return how a process ended, and the limit that did it, as the manifest names it.

    Raises:
        Malformed: the template says something else.
    """
    match frame.fields:
        case {"status": int() as status, "limit": str() as limit}:
            pass
        case _:
            message = "the template tells of an end without a status"
            raise Malformed(message)
    if limit:
        return Exit(f"ended at its limit {limit}", limit)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return Exit(f"killed by {name}", "")
    code = os.waitstatus_to_exitcode(status)
    full = code == template.MEMORY_ERROR
    return Exit(f"exit code {code}", "memory_bytes" if full else "")
