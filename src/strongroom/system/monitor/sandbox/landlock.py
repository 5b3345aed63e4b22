# SPDX-License-Identifier: Apache-2.0
"""Landlock: file access by path, and network, denied by the kernel (ABI 1 to 6)."""

import os
import struct
from pathlib import Path

from strongroom.system.monitor.sandbox.syscalls import (
    PR_SET_NO_NEW_PRIVS,
    prctl,
    syscall,
)

_EXECUTE, _WRITE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE | _READ_FILE | _TRUNCATE | _IOCTL
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NEWEST_FS, _NET_ABI, _SCOPE_ABI = 5, 4, 6
_VERSION_FLAG, _PATH_BENEATH = 1, 1


def abi() -> int:
    """Return the kernel's Landlock ABI.

    Raises:
        OSError: the kernel has no Landlock, or it is off.
    """
    return syscall("landlock_create_ruleset", None, 0, _VERSION_FLAG)


def restrict(readable: tuple[str, ...], writable: tuple[str, ...]) -> None:
    """Let this process read and write below these paths only, and use no network.

    Raises:
        OSError: the kernel has no Landlock.
    """
    version = abi()
    handled = (1 << _RIGHTS_BY_ABI[min(version, _NEWEST_FS)]) - 1
    words = [handled]
    if version >= _NET_ABI:
        words.append(0b11)  # bind and connect of TCP
    if version >= _SCOPE_ABI:
        words.append(0b11)  # abstract sockets and signals out of the domain
    attributes = struct.pack(f"{len(words)}Q", *words)
    ruleset = syscall("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(ruleset, path, handled & ~_EXECUTE)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        syscall("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not Path(path).is_dir():
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, fd)
        syscall("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)
