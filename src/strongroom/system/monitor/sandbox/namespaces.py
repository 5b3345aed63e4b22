# SPDX-License-Identifier: Apache-2.0
"""Namespaces: the enclave sees no user, mount, process, net or host name but its own.

No program is executed afterwards: an exec would make the memory readable to the same
user by ptrace again. Nor is a process that becomes an enclave dumpable for one moment,
although writing the maps of a new user namespace needs just that: a helper makes that
namespace and hands over its descriptor, once for a template, which enters. So nobody
can slip code into an enclave while it is being made. What the helper hands over is not
trusted: the map is read back. Each enclave ends in a user namespace of its own below
the template's, without any map and without power over its other namespaces.
"""

import contextlib
import os
import signal
import socket
from pathlib import Path
from typing import NoReturn

from strongroom.errors import Misconfigured
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


def make_user_namespace() -> int:
    """Return the descriptor of a new user namespace, or -1 if there is none."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _make_one(theirs)
    theirs.close()
    with ours:
        fd = _receive(ours)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    return fd


def enter_user_namespace() -> bool:
    """Take this single-threaded process to a new user namespace, with power over it.

    Returns:
        Whether there was one; without it, only root can go on.

    Raises:
        Misconfigured: the namespace maps anything but this user.
    """
    expected = [["0", str(os.getuid()), "1"], ["0", str(os.getgid()), "1"]]
    fd = make_user_namespace()
    if fd < 0:
        return False
    try:
        syscall("setns", fd, FLAGS["user-ns"])
    except OSError:
        return False
    finally:
        os.close(fd)
    if [_read_map("uid"), _read_map("gid")] != expected:
        message = "a user namespace with another map than this user's was offered"
        raise Misconfigured(message)
    return True


def unshare(lock: str) -> None:
    """Leave one namespace; for "pid-ns", have this thread's next child leave it.

    Raises:
        OSError: the kernel refuses.
    """
    syscall("unshare", FLAGS[lock])


def identify() -> dict[str, str]:
    """Return which namespaces this process is in, by lock name."""
    folder = Path("/proc/self/ns")
    return {
        lock: os.fspath((folder / name).readlink()) for lock, name in _FILES.items()
    }


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _make_one(link: socket.socket) -> NoReturn:
    try:
        uid, gid = os.getuid(), os.getgid()
        prctl(PR_SET_DUMPABLE, 1)  # or the maps below would not be ours
        syscall("unshare", FLAGS["user-ns"])
        with contextlib.suppress(FileNotFoundError):
            _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
        fd = os.open("/proc/self/ns/user", os.O_RDONLY)
        socket.send_fds(link, [b"1"], [fd])
    finally:
        os._exit(0)


def _receive(link: socket.socket) -> int:
    data, fds, _, _ = socket.recv_fds(link, 1, 1)
    for fd in fds:
        os.set_inheritable(fd, False)
    return fds[0] if data and fds else -1


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _read_map(kind: str) -> list[str]:
    return Path(f"/proc/self/{kind}_map").read_text("ascii").split()
