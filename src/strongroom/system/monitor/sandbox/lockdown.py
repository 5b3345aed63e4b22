# SPDX-License-Identifier: Apache-2.0
"""Locks a forked process down, in order, and asks the kernel which locks hold.

No lock is believed because a call returned: each is looked up afterwards. A lock that
does not hold stops the start, unless it was waived by name; then evidence lacks it.
"""

import contextlib
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats import LOCKS
from strongroom.errors import Misconfigured
from strongroom.system.monitor.sandbox import landlock, limits, namespaces, root, seccomp
from strongroom.system.monitor.sandbox.syscalls import (
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    prctl,
)

_SEES_ITSELF = ("/proc", "/dev")
_DEVICES = ("/dev/null", "/dev/zero")


@dataclass(frozen=True)
class Spec:
    """What one lock-down needs to know.

    `memory_bytes` limits private memory and each writable place; `waived` are locks
    that may be missing, each by name.
    """

    memory_bytes: int
    readable: tuple[str, ...]
    waived: tuple[str, ...] = ()


def leave_host(spec: Spec) -> dict[str, str]:
    """Take the first step, in the process that will fork the enclave's first one.

    Returns:
        The namespaces of the host, to compare with.

    Raises:
        Misconfigured: the kernel has no namespaces for this user.
    """
    before = namespaces.identify()
    try:
        namespaces.unshare()
    except OSError as error:
        if not set(namespaces.FLAGS) <= set(spec.waived):
            raise _missing({lock: str(error) for lock in namespaces.FLAGS}) from error
    prctl(PR_SET_DUMPABLE, 0)
    return before


def lock_down(spec: Spec, before: dict[str, str]) -> tuple[str, ...]:
    """Lock this process down for good; it is the first of its pid namespace.

    Returns:
        The locks that hold, in the order of `LOCKS`.

    Raises:
        Misconfigured: names every lock that does not hold and was not waived.
    """
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("private-root", lambda: root.enter_private_root(spec.readable, spec.memory_bytes)),
        ("no-capabilities", limits.drop_capabilities),
        ("no-new-privs", lambda: _ignore(prctl(PR_SET_NO_NEW_PRIVS, 1))),
        (
            "landlock",
            lambda: landlock.restrict(
                (*spec.readable, *_SEES_ITSELF), (*root.WRITABLE, *_DEVICES)
            ),
        ),
        ("not-dumpable", lambda: _ignore(prctl(PR_SET_DUMPABLE, 0))),
        ("limits", lambda: limits.limit(spec.memory_bytes)),
        ("seccomp", seccomp.restrict),
    )
    failed: dict[str, str] = {}
    for name, step in steps:
        try:
            step()
        except OSError as error:
            failed[name] = str(error)
    held = _held(before)
    missing = {n: failed.get(n, "does not hold") for n in LOCKS if n not in held}
    if set(missing) - set(spec.waived):
        raise _missing(missing)
    return held


def _held(before: dict[str, str]) -> tuple[str, ...]:
    """Return the locks that the kernel says hold."""
    status = _status()
    no_capabilities = all(
        int(status[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")
    )
    core = resource.getrlimit(resource.RLIMIT_CORE)
    data = resource.getrlimit(resource.RLIMIT_DATA)
    facts = {
        "private-root": _root_is_private(),
        "no-new-privs": status["NoNewPrivs"] == "1",
        "no-capabilities": no_capabilities,
        "landlock": _is_denied("/"),
        "seccomp": status["Seccomp"] == "2",
        "limits": core == (0, 0) and resource.RLIM_INFINITY not in data,
        "not-dumpable": prctl(PR_GET_DUMPABLE) == 0,
        "secret-memory": SecretBuffer.supported(),
    }
    facts |= _namespaces_left(before)
    return tuple(name for name in LOCKS if facts[name])


def _namespaces_left(before: dict[str, str]) -> dict[str, bool]:
    try:
        now = namespaces.identify()
    except OSError:
        return dict.fromkeys(before, False)
    return {name: now[name] != host for name, host in before.items()}


def _root_is_private() -> bool:
    return bool(os.statvfs("/").f_flag & os.ST_RDONLY) and not os.path.lexists("/old")


def _is_denied(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        return True
    return False


def _status() -> dict[str, str]:
    with open("/proc/self/status", encoding="ascii") as file:
        return {name: rest.strip() for name, _, rest in (line.partition(":") for line in file)}


def close_descriptors(keep: frozenset[int]) -> None:
    """Close every descriptor but these, and point the standard three at nothing."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        if standard not in keep:
            os.dup2(nothing, standard)
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in keep:  # noqa: PLR2004 - the standard three
            with contextlib.suppress(OSError):
                os.close(fd)


def _ignore(_: int) -> None:
    """Let a call that returns a number stand among those that return nothing."""


def _missing(reasons: dict[str, str]) -> Misconfigured:
    shown = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
    return Misconfigured(f"an enclave could not be locked down: {shown}")
