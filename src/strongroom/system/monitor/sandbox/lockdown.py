# SPDX-License-Identifier: Apache-2.0
"""Locks a forked process down, in order, and asks the kernel which locks hold.

No lock is believed because a call returned: each is looked up afterwards. A lock that
does not hold stops the start, unless it was waived by name; then evidence lacks it.
"""

import contextlib
import functools
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats import LOCKS
from strongroom.errors import Misconfigured
from strongroom.system.monitor.sandbox import (
    landlock,
    limits,
    namespaces,
    root,
    seccomp,
)
from strongroom.system.monitor.sandbox.limits import Limits
from strongroom.system.monitor.sandbox.syscalls import (
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    prctl,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[], object]

_SEES_ITSELF = ("/proc", "/dev")
_DEVICES = ("/dev/null",)
_HOST_NAME = "enclave"
_OF_THE_ENCLAVE = ("mount-ns", "net-ns", "ipc-ns", "uts-ns", "cgroup-ns")
_CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


@dataclass(frozen=True)
class Spec:
    """What one lock-down needs to know.

    `limits` are the app's; its memory limits all writable places together, too.
    `waived` are locks that may be missing, each by name. `watcher` is the descriptor
    of a socket to whoever will count threads and processes, -1 for nobody.
    """

    limits: Limits
    readable: tuple[str, ...]
    waived: tuple[str, ...] = ()
    watcher: int = -1


def become_template() -> dict[str, str]:
    """Make this process one that enclaves can be forked from; it has one thread yet.

    Returns:
        The namespaces of the host, to compare with.
    """
    before = namespaces.identify()
    prctl(PR_SET_DUMPABLE, 0)
    namespaces.enter_user_namespace()
    return before


def fork_first() -> int:
    """Fork the first process of a new pid namespace, like `os.fork`.

    The thread that calls this can do so once; if the child asked to die with its
    parent, it dies with this thread.
    """
    with contextlib.suppress(OSError):  # the child finds out, and it is its to refuse
        namespaces.unshare("pid-ns")
    return os.fork()


def lock_down(spec: Spec, before: dict[str, str]) -> tuple[str, ...]:
    """Lock this process down for good; it came from `fork_first`.

    Returns:
        The locks that hold, in the order of `LOCKS`.

    Raises:
        Misconfigured: names every lock that does not hold and was not waived.
    """
    failed: dict[str, str] = {}
    for name, step in _steps(spec, before):
        try:
            step()
        except (OSError, ValueError) as error:
            failed[name] = str(error)
    held = _held(before, watched=spec.watcher >= 0)
    missing = {n: failed.get(n, "does not hold") for n in LOCKS if n not in held}
    unmet = {n: why for n, why in missing.items() if n not in spec.waived}
    if unmet:
        shown = "; ".join(f"{name} ({reason})" for name, reason in unmet.items())
        message = f"an enclave could not be locked down: {shown}"
        raise Misconfigured(message)
    return held


def _steps(spec: Spec, before: dict[str, str]) -> "list[tuple[str, Step]]":
    readable = (*spec.readable, *_SEES_ITSELF)
    writable = (*root.WRITABLE, *_DEVICES)
    leave: list[tuple[str, Step]] = [
        (lock, functools.partial(namespaces.unshare, lock)) for lock in _OF_THE_ENCLAVE
    ]
    return [
        *leave,
        ("uts-ns", lambda: _rename_host(before)),
        ("private-root", lambda: _hide_host(spec, before)),
        ("user-ns", lambda: namespaces.unshare("user-ns")),
        ("no-new-privs", lambda: prctl(PR_SET_NO_NEW_PRIVS, 1)),
        ("no-capabilities", limits.drop_capabilities),
        ("landlock", lambda: landlock.restrict(readable, writable)),
        ("not-dumpable", lambda: prctl(PR_SET_DUMPABLE, 0)),
        ("limits", lambda: limits.limit(spec.limits)),
        ("seccomp", seccomp.restrict),
        ("limits", lambda: _be_watched(spec.watcher)),
    ]


def _held(before: dict[str, str], *, watched: bool) -> tuple[str, ...]:
    """Return the locks that the kernel says hold."""
    status = _status()
    facts: dict[str, Callable[[], bool]] = {
        "private-root": root.is_private,
        "no-new-privs": lambda: status["NoNewPrivs"] == "1",
        "no-capabilities": lambda: (
            not any(int(status[n], 16) for n in _CAPABILITY_SETS)
        ),
        "landlock": lambda: _is_denied("/"),
        "seccomp": lambda: status["Seccomp"] == "2" and _has_no_sockets(),
        "limits": lambda: limits.hold() and (not watched or seccomp.is_supervised()),
        "not-dumpable": lambda: prctl(PR_GET_DUMPABLE) == 0,
        "secret-memory": SecretBuffer.supported,
        "pid-ns": lambda: os.getpid() == 1 and _is_new("pid-ns", before),
    }
    return tuple(
        name for name in LOCKS if facts.get(name, lambda n=name: _is_new(n, before))()
    )


def _is_new(lock: str, before: dict[str, str]) -> bool:
    try:
        return namespaces.identify()[lock] != before[lock]
    except OSError:
        return False


def _is_denied(path: str) -> bool:
    """Return whether a folder that its mode lets everyone list cannot be listed."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        return True
    return False


def _has_no_sockets() -> bool:
    try:
        socket.socket(socket.AF_UNIX).close()
    except PermissionError:
        return True
    return False


def _hide_host(spec: Spec, before: dict[str, str]) -> None:
    if not _is_new("mount-ns", before):
        message = "without a mount namespace the host's own root would change"
        raise OSError(message)
    root.enter_private_root(spec.readable, spec.limits.memory_bytes)


def _be_watched(watcher: int) -> None:
    """Hand the listener of new tasks over; a task that is not attended to waits."""
    if watcher < 0:
        return
    listener = seccomp.supervise()
    try:
        with socket.socket(fileno=os.dup(watcher)) as link:
            socket.send_fds(link, [b"1"], [listener])
    finally:
        os.close(listener)


def _rename_host(before: dict[str, str]) -> None:
    if _is_new("uts-ns", before):  # never the host itself
        socket.sethostname(_HOST_NAME)


def _status() -> dict[str, str]:
    with Path("/proc/self/status").open(encoding="ascii") as file:
        rows = (line.partition(":") for line in file)
        return {name: rest.strip() for name, _, rest in rows}


def close_descriptors(keep: frozenset[int]) -> None:
    """Close every descriptor but these, and point the standard three at nothing."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        if standard not in keep:
            os.dup2(nothing, standard)
    first = 3
    for fd in sorted(each for each in keep if each >= first):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
