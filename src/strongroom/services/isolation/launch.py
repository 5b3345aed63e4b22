# SPDX-License-Identifier: Apache-2.0
"""Starts and ends a monitor as a process of its own (ISO-1 a)."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from strongroom.core.codec.keys import PublicKey
from strongroom.errors import (
    Misconfigured,
    StrongroomError,
    Unavailable,
    error_from_value,
)

READY_S = 120.0
_STOP_S = 10.0
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "VIRTUAL_ENV")


@dataclass(frozen=True)
class MonitorProcess:
    """A running monitor; a context manager that ends it and every enclave of it.

    Attributes:
        socket: where its gate is.
        pid: its process id.
    """

    socket: Path
    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def stop(self) -> int:
        """End the monitor and return its exit code; harmless when it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_monitor(  # noqa: PLR0913 - each is an option of the process, by name
    device: Path,
    socket: Path,
    administrator: PublicKey,
    program: str,
    preload: Sequence[str] = (),
    *,
    kind: str = "simulated",
    allow_missing: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> MonitorProcess:
    """Start a monitor and wait until its gate is open.

    It ends when this process does, however that happens: its stdin is its lifeline.

    Args:
        device: the device's folder.
        socket: where to open the gate; its folder must be this user's alone.
        administrator: whose launch policies it will take.
        program: the module whose `main(gate, bundle)` runs in enclaves.
        preload: modules that the template loads beforehand.
        kind: of the device.
        allow_missing: locks that enclaves may start without.
        environment: variables it gets besides the few that it needs.
        log: a folder for the log of gate commands; without one it is in memory.

    Raises:
        Misconfigured: what it lacks on this machine.
        StrongroomError: why else it did not start.
    """
    kept = {n: os.environ[n] for n in _KEPT_VARIABLES if n in os.environ}
    ready, write_end = os.pipe()
    pinned = _readable(administrator.to_bytes())
    with tempfile.TemporaryFile() as errors, os.fdopen(ready, "rb") as pipe:
        arguments = [
            *(sys.executable, "-P", "-m", "strongroom.system.monitor"),
            *("--device", os.fspath(device), "--kind", kind),
            *("--socket", os.fspath(socket)),
            *("--administrator", f"/proc/self/fd/{pinned}"),
            *("--program", program, "--preload", ",".join(preload)),
            *("--ready-fd", str(write_end), "--lifeline"),
            *(part for name in allow_missing for part in ("--allow-missing", name)),
            *(("--log", os.fspath(log)) if log else ()),
        ]
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=(write_end, pinned),
            env={**kept, **(environment or {})},
        )
        os.close(write_end)
        os.close(pinned)
        monitor = MonitorProcess(Path(socket), process)
        if not _is_ready(pipe):
            monitor.stop()
            raise _why(errors, process.returncode)
    return monitor


def _readable(data: bytes) -> int:
    """Return a descriptor of a nameless file that holds `data`."""
    fd = os.memfd_create("strongroom-administrator", os.MFD_CLOEXEC)
    os.write(fd, data)
    return fd


def _is_ready(pipe: IO[bytes]) -> bool:
    readable, _, _ = select.select([pipe], [], [], READY_S)
    return bool(readable) and pipe.read(1) == b"1"


def _why(errors: IO[bytes], code: int | None) -> StrongroomError:
    """Return the error that a monitor left on its last line."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    try:
        value = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        message = f"the monitor ended with exit code {code}: {lines[-1]}"
        return Misconfigured(message)
    if value is None:
        message = f"the monitor did not start (exit code {code})"
        return Unavailable(message)
    return error_from_value(value)
