# SPDX-License-Identifier: Apache-2.0
"""Finds out which locks this machine has, by really locking a child down."""

import contextlib
import os
import socket
from typing import NoReturn

from strongroom.core.codec import cbor
from strongroom.core.rats import LOCKS
from strongroom.errors import StrongroomError
from strongroom.system.monitor.sandbox.limits import Limits
from strongroom.system.monitor.sandbox.lockdown import (
    Spec,
    become_template,
    close_descriptors,
    fork_first,
    lock_down,
)
from strongroom.system.monitor.sandbox.root import readable_paths

_PROBE_MEMORY_BYTES = 64 << 20
_NAMESPACES = (
    "enable user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
    "user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0"
)
REMEDIES = {
    **{name: _NAMESPACES for name in LOCKS if name.endswith("-ns")},
    "private-root": f"use Linux 5.12 or newer; {_NAMESPACES}; in a container let /proc "
    "be mounted (nothing masked in it)",
    "no-new-privs": "use Linux 3.5 or newer",
    "no-capabilities": _NAMESPACES,
    "landlock": "use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, booted with "
    "landlock among its lsm= parameter",
    "seccomp": "use a kernel with CONFIG_SECCOMP_FILTER",
    "limits": "allow this process to set its resource limits; use Linux 5.5 or newer "
    "with CONFIG_SECCOMP_FILTER, in a container whose runtime does not itself listen "
    "for seccomp notifications",
    "not-dumpable": "use a kernel that lets a process become non-dumpable",
    "secret-memory": "use Linux 5.14 or newer with CONFIG_SECRETMEM, booted with "
    "secretmem.enable=1 before 6.5; allow locked memory (ulimit -l)",
}
"""How to get each lock; a test holds the names against `LOCKS`."""


def probe() -> dict[str, str | None]:
    """Return for every lock None if it holds here, else how to enable it."""
    held = _try_all()
    return {name: None if name in held else REMEDIES[name] for name in LOCKS}


def _try_all() -> tuple[str, ...]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _attempt(write)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        data = answer.read()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    held = cbor.decode(data) if data else []
    return tuple(str(name) for name in held) if isinstance(held, list) else ()


def _attempt(write: int) -> NoReturn:
    """Lock this child's child down, write what holds, and end."""
    try:
        watcher, watched = socket.socketpair()
        limits = Limits(_PROBE_MEMORY_BYTES)
        spec = Spec(limits, readable_paths(), LOCKS, watched.fileno())
        before = become_template()
        inner = fork_first()
        if inner == 0:
            close_descriptors(frozenset({write, watcher.fileno(), watched.fileno()}))
            os.write(write, cbor.encode(list(lock_down(spec, before))))
        else:
            os.waitpid(inner, 0)
    except (OSError, StrongroomError):
        pass
    finally:
        os._exit(0)
