# SPDX-License-Identifier: Apache-2.0
"""Routes to a process by what the kernel shows of it: /proc, namespaces, core files."""

import contextlib
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from strongroom.attack import native
from strongroom.attack.app.victim import masked
from strongroom.attack.calls import created
from strongroom.attack.planted import files
from strongroom.attack.processes import enclaves
from strongroom.attack.route import NO_CAPABILITY, NO_CORE_FILE, OWNER, NotTried
from strongroom.attack.target import Target
from strongroom.errors import AppFailed

_HERE = Path("/proc")
_CORE_PATTERN = _HERE / "sys/kernel/core_pattern"


def opened(name: str) -> Callable[[Target], bool]:
    """Return an attempt to open one of the enclave's files under /proc."""
    return lambda at: bool((_HERE / str(at.enclave) / name).read_bytes())


def in_environment(at: Target) -> bool:
    """Look for a secret in the environment and arguments of every process."""
    return any(
        secret in data or secret.hex().encode() in data
        for data in _told(at)
        for secret in (*at.planted, at.device)
    )


def _told(at: Target) -> Iterator[bytes]:
    """Yield what can be read; arguments are everybody's to see."""
    for pid in at.processes:
        for name in ("cmdline", "environ"):
            try:
                yield (_HERE / str(pid) / name).read_bytes()
            except OSError as error:
                if error.errno not in OWNER or name == "cmdline":
                    raise


def private_files(at: Target) -> bool:
    """Search the files that the enclave alone has, by its root under /proc."""
    root = _HERE / str(at.enclave) / "root"
    return any(
        at.filed in path.read_bytes()
        for place in ("tmp", "scratch", "dev/shm")
        for path in files(root / place)
    )


def network(at: Target) -> bool:
    """Join the enclave's network namespace, and come back."""
    theirs = os.open(_HERE / str(at.enclave) / "ns/net", os.O_RDONLY)
    mine = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        native.enter_network(theirs)
        native.enter_network(mine)
    finally:
        os.close(theirs)
        os.close(mine)
    return True


def raised_limits(at: Target) -> bool:
    """Give the enclave more memory than its manifest says, by prlimit."""
    if os.geteuid() == 0 and not _may_set_limits():
        raise NotTried(NO_CAPABILITY)
    _, hard = resource.prlimit(at.enclave, resource.RLIMIT_DATA)
    resource.prlimit(at.enclave, resource.RLIMIT_DATA, (hard + (1 << 20),) * 2)
    now, _ = resource.prlimit(at.enclave, resource.RLIMIT_DATA)
    resource.prlimit(at.enclave, resource.RLIMIT_DATA, (hard, hard))
    return now > hard


def _may_set_limits() -> bool:
    """Return whether this process has CAP_SYS_RESOURCE."""
    bit = 24
    status = (_HERE / "self/status").read_text("ascii")
    (mask,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(mask.partition(":")[2], 16) >> bit & 1)


def core_of_a_fault(at: Target) -> bool:
    """Let core files be of any size, have an enclave fault, and look for one."""
    pattern = _CORE_PATTERN.read_text("utf-8").strip()
    if pattern.startswith("|"):
        raise NotTried(NO_CORE_FILE)
    before = enclaves(at.monitor)
    with created(at) as mine:
        told = mine.call("plant")
        secret = masked(told["ordinary"]) if isinstance(told, dict) else b""
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        (pid,) = enclaves(at.monitor) - before
        with contextlib.suppress(PermissionError):  # then with the limit that it has
            resource.prlimit(pid, resource.RLIMIT_CORE, unlimited)
        with contextlib.suppress(AppFailed):
            mine.call("fault")
    return any(secret in each.read_bytes() for each in _cores(pattern, at))


def _cores(pattern: str, at: Target) -> Iterator[Path]:
    """Yield the files that can be core files of a process of the room."""
    for place in {Path(pattern).parent, Path(at.folder), Path("/"), Path.cwd()}:
        yield from (each for each in place.glob("*core*") if each.is_file())
