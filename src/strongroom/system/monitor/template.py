# SPDX-License-Identifier: Apache-2.0
"""The template: a process that has imported everything and holds no secret.

The monitor starts it afresh, so it shares no memory with the monitor's keys. It forks
an enclave in milliseconds: a shepherd leaves the host's namespaces and forks the first
process of the new ones, which locks itself down and runs the program. Shepherd and
enclave die with the template, and the template with the monitor.

    python -m strongroom.system.monitor.template CONTROL-FD PROGRAM PRELOAD,...
"""

import contextlib
import importlib
import os
import random
import signal
import socket
import sys
import time
from types import ModuleType

from strongroom.core.crypto import prepare
from strongroom.errors import Malformed, StrongroomError
from strongroom.system.monitor.enclave import InsideGate
from strongroom.system.monitor.gate import ERROR, Frame, recv_frame, send_frame
from strongroom.system.monitor.sandbox import (
    Spec,
    close_descriptors,
    die_with_parent,
    leave_host,
    lock_down,
    readable_paths,
)
from strongroom.system.monitor.sandbox.syscalls import PR_SET_DUMPABLE, prctl

READY, SPAWN, STARTED, ENDED = 50, 51, 52, 53
MEMORY_ERROR, FAILED = 71, 70


def main(control_fd: int, program: str, preload: tuple[str, ...]) -> None:
    """Import, say so, and fork an enclave for every SPAWN until the monitor goes."""
    die_with_parent()
    prctl(PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    for name in preload:
        importlib.import_module(name)
    module = importlib.import_module(program)
    prepare()
    readable = readable_paths()
    send_frame(control, READY, 0, {"modules": _modules()})
    while (frame := recv_frame(control)) is not None:
        gate, status = frame.fds
        if os.fork() == 0:
            control.close()
            _shepherd(frame, readable, module, gate, status)
        frame.close()


def _modules() -> dict[str, object]:
    """Return every loaded module and the file it is from; "" if built in."""
    return {
        name: str(getattr(module, "__file__", None) or "")
        for name, module in sorted(sys.modules.items())
        if name != "__main__" and isinstance(module, ModuleType)
    }


def _shepherd(
    frame: Frame, readable: tuple[str, ...], module: ModuleType, gate: int, status: int
) -> None:
    """Leave the host, fork the enclave's first process, tell how it ended; never return."""
    began = time.monotonic()
    link = socket.socket(fileno=status)
    try:
        die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        close_descriptors(frozenset({gate, status}))
        spec = _spec(frame, readable)
        before = leave_host(spec)
        enclave = os.fork()
        if enclave == 0:
            _enclave(spec, before, module, gate, link, began)
        os.close(gate)
        send_frame(link, STARTED, 0, {"pid": enclave})
        _, code = os.waitpid(enclave, 0)
        send_frame(link, ENDED, 0, {"status": code})
    except StrongroomError as error:
        with contextlib.suppress(StrongroomError):
            send_frame(link, ERROR, 0, error.to_value())
    finally:
        os._exit(0)


def _spec(frame: Frame, readable: tuple[str, ...]) -> Spec:
    match frame.fields:
        case {"memory_bytes": int() as memory_bytes, "waived": list() as waived}:
            return Spec(memory_bytes, readable, tuple(map(str, waived)))
    message = "the template was sent something other than SPAWN"
    raise Malformed(message)


def _enclave(  # noqa: PLR0913 - one call site, just above
    spec: Spec,
    before: dict[str, str],
    module: ModuleType,
    gate: int,
    link: socket.socket,
    began: float,
) -> None:
    """Lock down, report which locks hold, run the program; never return."""
    code = FAILED
    try:
        die_with_parent()
        locks = lock_down(spec, before)
        _reseed()
        took_us = int((time.monotonic() - began) * 1e6)
        send_frame(link, READY, 0, {"locks": list(locks), "took_us": took_us})
        link.close()
        inside = InsideGate(socket.socket(fileno=gate))
        module.main(inside, inside.start())
        code = 0
    except StrongroomError as error:
        with contextlib.suppress(StrongroomError, OSError):
            send_frame(link, ERROR, 0, error.to_value())
    except MemoryError:
        code = MEMORY_ERROR
    finally:
        os._exit(code)


def _reseed() -> None:
    """Give this fork random numbers of its own, in every generator that is loaded."""
    random.seed(os.urandom(32))
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(int.from_bytes(os.urandom(4), "big"))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], tuple(filter(None, sys.argv[3].split(","))))
