# SPDX-License-Identifier: Apache-2.0
"""Limits: memory of an enclave can be set (HW-5), core dumps cannot happen.

RLIMIT_DATA is the measure: it counts private writable memory and not what libraries
merely reserve. Going over it is a MemoryError in the app, not a killed process. It
holds for each process of an enclave. Memory that processes share is files of the
enclave's one tmpfs, which has the same size; every other kind is refused by seccomp.

Threads, processes and processor time are counted from outside (`monitor.watch`),
which also holds the host's root and names the limit; the limits here stand behind
that, should the watcher be late (docs/adr/0016-resource-limits.md).
"""

import gc
import resource
import struct
from dataclasses import dataclass
from pathlib import Path

from strongroom.system.monitor.sandbox.syscalls import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAPBSET_DROP,
    libc,
    prctl,
    syscall,
)

MAX_FILES = 512
MAX_TASKS = 1024
RUNTIME_THREADS = 8
"""Threads that the runtime's own process may have, beside the app's."""
LIBRARY_THREADS = 2
"""Arrow's, by which the runtime reads tables in the app's process."""
_CPU_GRACE_S = 2
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63


@dataclass(frozen=True)
class Limits:
    """What an app declared (RES-1); `apart` if the runtime is a process beside it.

    `threads` of each process of the app, its first one included; `processes` that the
    app's first one may have below it; `cpu_seconds` of all together, 0 for no limit.
    """

    memory_bytes: int
    threads: int = MAX_TASKS
    processes: int = MAX_TASKS
    cpu_seconds: int = 0
    apart: bool = False

    @property
    def threads_each(self) -> int:
        """How many threads one process of the app may have, Arrow's among them."""
        return self.threads + (LIBRARY_THREADS if self.apart else 0)

    @property
    def tasks(self) -> int:
        """How many threads there may be in all, the runtime's among them."""
        runtime = RUNTIME_THREADS if self.apart else 0
        return self.threads_each * (self.processes + 1) + runtime


def limit(limits: Limits) -> None:
    """Set the limits: of memory over what this process has already.

    The limit on tasks (threads and processes) is the user's inside this user
    namespace; the kernel does not hold the host's root to it.
    """
    gc.collect()
    libc().malloc_trim(0)  # or what is free already would come on top
    tighten(limits.memory_bytes)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, MAX_FILES)
    _set(resource.RLIMIT_NPROC, min(limits.tasks, MAX_TASKS))
    _set(resource.RLIMIT_MEMLOCK, limits.memory_bytes)
    if not limits.apart:
        limit_cpu(limits.cpu_seconds)


def limit_cpu(seconds: int) -> None:
    """Have the kernel kill a process of the app, should its watcher be late; 0: never.

    In an app's own process only: what its runtime uses is not the app's.
    """
    if seconds:
        _set(resource.RLIMIT_CPU, seconds + _CPU_GRACE_S)


def tighten(memory_bytes: int) -> None:
    """Lower the limit of memory to `memory_bytes` over what there is now."""
    _set(resource.RLIMIT_DATA, _data_bytes() + memory_bytes)


def hold() -> bool:
    """Return whether the limits are in force, for good."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    return (
        soft == hard != resource.RLIM_INFINITY
        and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        and max(resource.getrlimit(resource.RLIMIT_NOFILE)) <= MAX_FILES
        and max(resource.getrlimit(resource.RLIMIT_NPROC)) <= MAX_TASKS
    )


def _set(what: int, value: int) -> None:
    """Set a limit for good: at most `value`, at most what it is."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY and (
        value > hard or value == resource.RLIM_INFINITY
    ):
        value = hard
    resource.setrlimit(what, (value, value))


def _data_bytes() -> int:
    with Path("/proc/self/status").open(encoding="ascii") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last one that this kernel knows
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    syscall("capset", header, bytes(24))
