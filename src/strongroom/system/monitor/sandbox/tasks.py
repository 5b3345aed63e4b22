# SPDX-License-Identifier: Apache-2.0
"""The tasks of an enclave as the kernel shows them to its watcher outside.

A task that is about to make another waits in the kernel (seccomp_unotify(2)) until it
gets leave. Its flags are in a register, which nobody can change meanwhile, so what is
looked at is what is done. Everything here is the kernel's word; none is the app's.
"""

import contextlib
import errno
import fcntl
import functools
import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom.system.monitor.sandbox.seccomp import CLONE
from strongroom.system.monitor.sandbox.syscalls import machine

_CLONE_THREAD = 0x00010000
_REQUEST = struct.Struct("=QIIiIQQ40x")  # struct seccomp_notif, first argument only
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_RECEIVE, _SEND, _GO_ON = 0xC0502100, 0xC0182101, 1
_TICKS = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True)
class Request:
    """A task (by its number outside) that asks for a new thread or process."""

    id: int
    task: int
    thread: bool


@dataclass(frozen=True)
class Usage:
    """Processor seconds of one process, and of its children that it waited for."""

    pid: int
    started: int
    own_s: float
    waited_s: float


def receive(listener: int) -> Request | None:
    """Return who asks; None if it is gone already."""
    data = bytearray(_REQUEST.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, data)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    number, task, _, call, _, _, flags = _REQUEST.unpack(data)
    thread = call == CLONE[machine()] and bool(flags & _CLONE_THREAD)
    return Request(number, task, thread)


def let(listener: int, request: Request) -> None:
    """Let the kernel go on with what was asked for."""
    with contextlib.suppress(FileNotFoundError):
        fcntl.ioctl(listener, _SEND, _ANSWER.pack(request.id, 0, 0, _GO_ON))


def threads_of(task: int) -> tuple[int, ...]:
    """Return the threads of the process that a task belongs to; empty if it is gone."""
    with contextlib.suppress(*_GONE):
        return tuple(map(int, os.listdir(f"/proc/{task}/task")))  # noqa: PTH208 - fast
    return ()


def processes_of(first: int) -> tuple[int, ...]:
    """Return a process and all below it, zombies included.

    All of a pid namespace is below its first process, orphans too.
    """
    below = _children_by_parent() if not _kernel_lists_children() else None
    found = [first]
    for pid in found:
        found += _children(pid) if below is None else below.get(pid, [])
    return tuple(found)


def usage_of(pid: int) -> Usage | None:
    """Return what a process has used so far; None if it is gone."""
    fields = _stat(pid)
    if not fields:
        return None
    ticks = [int(fields[at]) for at in (11, 12, 13, 14)]
    own, waited = sum(ticks[:2]), sum(ticks[2:])
    return Usage(pid, int(fields[19]), own / _TICKS, waited / _TICKS)


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's stat behind its name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except _GONE:
        return []


@functools.cache
def _kernel_lists_children() -> bool:
    """Return whether this kernel was built with CONFIG_PROC_CHILDREN."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()


def _children(pid: int) -> Iterator[int]:
    for thread in threads_of(pid):
        with contextlib.suppress(*_GONE):
            path = Path(f"/proc/{pid}/task/{thread}/children")
            yield from map(int, path.read_text("ascii").split())


def _children_by_parent() -> dict[int, list[int]]:
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - fast
        if name.isdigit() and (fields := _stat(int(name))):
            below.setdefault(int(fields[1]), []).append(int(name))
    return below
