# SPDX-License-Identifier: Apache-2.0
"""The template: a process that has imported everything and holds no secret.

The monitor starts it afresh, so it shares no memory with the monitor's keys. It forks
an enclave in milliseconds, each from a thread of its own, which stays, watches that the
enclave keeps its limits, and tells how it ended: a fork of many pages is the costly
part, so there is one. The child locks itself down and runs the program. It dies with
the template, and that with the monitor. Neither is ever dumpable, so nobody but root
can put code into one before it is locked.

    python -m strongroom.system.monitor.template CONTROL-FD PROGRAM PRELOAD,...

Enclaves of one template share its address layout and its hash seed.
"""

import contextlib
import gc
import importlib
import itertools
import os
import random
import resource
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from types import ModuleType
from typing import NoReturn

from strongroom.core.crypto import prepare, reuse_freed_memory
from strongroom.errors import Malformed, StrongroomError
from strongroom.system.monitor import enclave, pools
from strongroom.system.monitor.gate import ERROR, Frame, recv_frame, send_frame
from strongroom.system.monitor.sandbox import (
    Limits,
    Spec,
    become_template,
    close_descriptors,
    die_with_parent,
    fork_first,
    lock_down,
    readable_paths,
)
from strongroom.system.monitor.sandbox.syscalls import libc
from strongroom.system.monitor.watch import Watch

READY, SPAWN, STARTED, ENDED = 50, 51, 52, 53
MEMORY_ERROR, FAILED = enclave.EXIT_MEMORY, enclave.EXIT_FAILED
_SEED_WORDS = 8
_STACK_BYTES = 8 << 20  # of an app's first thread, as a process has it elsewhere
_ENVIRONMENT = {"HOME": "/scratch", "TMPDIR": "/tmp"}  # noqa: S108 - its own root


@dataclass(frozen=True)
class Birth:
    """What the making of one enclave needs.

    Attributes:
        spec: of its lock-down, with the socket to its watcher.
        watcher: the watcher's end of that.
        gate: descriptor of its end of the gate.
        status: where to say how it goes.
        began: when, in monotonic seconds.
        turn: how many were made before.
    """

    spec: Spec
    watcher: socket.socket
    gate: int
    status: socket.socket
    began: float
    turn: int


@dataclass(frozen=True)
class Nursery:
    """What all enclaves of a template have in common.

    Attributes:
        before: the host's namespaces.
        program: the module whose `main(gate, bundle)` they run.
        alive: both ends of a pipe; nobody but the template keeps the second.
        openmp: sets the threads of each OpenMP library.
    """

    before: dict[str, str]
    program: ModuleType
    alive: tuple[int, int]
    openmp: tuple[pools.Setter, ...]


def main(control_fd: int, program: str, preload: tuple[str, ...]) -> None:
    """Import, say so, and fork an enclave for every SPAWN until the monitor goes."""
    before = become_template()
    _set_up()
    control = socket.socket(fileno=control_fd)
    for name in preload:
        importlib.import_module(name)
    module = importlib.import_module(program)
    pools.shrink()
    nursery = Nursery(before, module, os.pipe(), pools.find_openmp())
    prepare()
    readable = readable_paths()
    gc.collect()
    gc.freeze()  # children then need not copy these pages to collect their own
    libc().malloc_trim(0)
    send_frame(control, READY, 0, {"modules": _modules()})
    turns = itertools.count()
    while (frame := recv_frame(control)) is not None:
        began = time.monotonic()
        forked = threading.Event()
        try:
            limits, waived, gate, status = _parse(frame)
        except StrongroomError:
            frame.close()
            continue
        ours, theirs = socket.socketpair()
        spec = Spec(limits, readable, waived, theirs.detach())
        link = socket.socket(fileno=status)
        birth = Birth(spec, ours, gate, link, began, next(turns))
        threading.Thread(
            target=_shepherd, args=(nursery, birth, forked), daemon=True
        ).start()
        forked.wait()  # so that no thread is busy while another one forks


def _set_up() -> None:
    die_with_parent()
    reuse_freed_memory()  # and so in every enclave that is forked from here
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.stack_size(_STACK_BYTES)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # three an enclave


def _modules() -> dict[str, object]:
    """Return every loaded module and the file it is from; "" if built in."""
    return {
        name: str(getattr(module, "__file__", None) or "")
        for name, module in sorted(sys.modules.items())
        if name != "__main__" and isinstance(module, ModuleType)
    }


def _parse(frame: Frame) -> tuple[Limits, tuple[str, ...], int, int]:
    match frame:
        case Frame(
            fields={
                "memory_bytes": int() as memory_bytes,
                "threads": int() as threads,
                "processes": int() as processes,
                "cpu_seconds": int() as cpu_seconds,
                "apart": bool() as apart,
                "waived": list() as waived,
            },
            fds=(int() as gate, int() as status),
        ) if frame.number == SPAWN:
            limits = Limits(memory_bytes, threads, processes, cpu_seconds, apart)
            return limits, tuple(map(str, waived)), gate, status
        case _:
            message = "the template was sent something other than SPAWN"
            raise Malformed(message)


def _shepherd(nursery: Nursery, birth: Birth, forked: threading.Event) -> None:
    """Fork the enclave's first process, watch it, and tell how it ended."""
    try:
        first = fork_first()
        if first == 0:
            _enclave(nursery, birth)
        send_frame(birth.status, STARTED, 0, {"pid": first})
    except (StrongroomError, OSError):
        first = 0
    finally:
        os.close(birth.gate)
        os.close(birth.spec.watcher)
        forked.set()
    with birth.status, contextlib.suppress(StrongroomError, OSError):
        if first:
            limit = _watch(first, birth)
            _, code = os.waitpid(first, 0)
            send_frame(birth.status, ENDED, 0, {"status": code, "limit": limit})


def _watch(first: int, birth: Birth) -> str:
    """Watch an enclave until it ends; return the limit that it was ended for, or ""."""
    with birth.watcher:
        _, fds, _, _ = socket.recv_fds(birth.watcher, 1, 1)
    listener = fds[0] if fds else -1
    try:
        return Watch(first, listener, birth.spec.limits).run()
    except BaseException:
        os.kill(first, signal.SIGKILL)  # unwatched, it must not go on
        raise
    finally:
        if fds:
            os.close(listener)


def _enclave(nursery: Nursery, birth: Birth) -> NoReturn:
    """Lock down, report which locks hold, run the program."""
    code, status = FAILED, birth.status
    try:
        _die_with_template(nursery.alive)
        watcher = birth.spec.watcher
        close_descriptors(frozenset({birth.gate, status.fileno(), watcher}))
        locks = lock_down(birth.spec, nursery.before)
        os.close(watcher)
        _make_own()
        pools.fit(nursery.openmp, birth.spec.limits.threads, birth.turn)
        took_us = int((time.monotonic() - birth.began) * 1e6)
        send_frame(status, READY, 0, {"locks": list(locks), "took_us": took_us})
        status.close()
        gate = socket.socket(fileno=birth.gate)  # open to the end, which closes it
        code = enclave.run(gate, nursery.program.main)
    except StrongroomError as error:
        with contextlib.suppress(StrongroomError, OSError):
            send_frame(status, ERROR, 0, error.to_value())
    except MemoryError:
        code = MEMORY_ERROR
    finally:
        os._exit(code)


def _die_with_template(alive: tuple[int, int]) -> None:
    """End with the template, also if it ended before the kernel was asked to see to it.

    In a pid namespace of one's own the parent's number is 0, alive or not; the end of
    a pipe tells.
    """
    die_with_parent()
    ours, templates = alive
    os.close(templates)
    if select.select([ours], [], [], 0)[0]:
        os._exit(FAILED)


def _make_own() -> None:
    """Give this fork its own random numbers, in every generator that is loaded."""
    random.seed(os.urandom(32))
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        words = memoryview(os.urandom(4 * _SEED_WORDS)).cast("I").tolist()
        numpy_random.seed(words)
    tempfile.tempdir = None
    os.environ.update(_ENVIRONMENT)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], tuple(filter(None, sys.argv[3].split(","))))
