# SPDX-License-Identifier: Apache-2.0
"""Namespaces: the enclave sees no user, mount, process, net or host name but its own.

No program is executed afterwards: an exec would make the memory readable to the same
user by ptrace again. So the order is fork, unshare, fork, lock.
"""

import contextlib
import os
import signal

from strongroom.system.monitor.sandbox.syscalls import (
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    prctl,
    syscall,
)

FLAGS = {
    "user-ns": 0x10000000,
    "mount-ns": 0x00020000,
    "pid-ns": 0x20000000,
    "net-ns": 0x40000000,
    "ipc-ns": 0x08000000,
    "uts-ns": 0x04000000,
    "cgroup-ns": 0x02000000,
}
_FILES = {lock: lock.removesuffix("-ns").replace("mount", "mnt") for lock in FLAGS}


def unshare(locks: tuple[str, ...] = tuple(FLAGS)) -> None:
    """Leave the host's namespaces; a new pid namespace holds only later children.

    The caller is a freshly forked, single-threaded process.

    Raises:
        OSError: the kernel refuses one.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = 0
    for lock in locks:
        flags |= FLAGS[lock]
    syscall("unshare", flags)
    if "user-ns" in locks:
        try:
            _map_ids(uid, gid)
        except PermissionError:  # not root, and not dumpable: the maps are not ours
            prctl(PR_SET_DUMPABLE, 1)
            _map_ids(uid, gid)
            prctl(PR_SET_DUMPABLE, 0)


def _map_ids(uid: int, gid: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def identify() -> dict[str, str]:
    """Return which namespaces this process is in, by lock name.

    For a forked child's own pid namespace read it after the fork.
    """
    return {lock: os.readlink(f"/proc/self/ns/{name}") for lock, name in _FILES.items()}


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
