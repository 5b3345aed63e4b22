# SPDX-License-Identifier: Apache-2.0
"""A private root: the interpreter and its libraries read-only, and nothing else.

What an enclave writes goes to tmpfs, which is memory. Sources are opened before the
new root hides them and are bound through their descriptors.
"""

import os
import struct
import sys
from pathlib import Path

from strongroom.system.monitor.sandbox.syscalls import mount, syscall, umount_lazily

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_DEVICES = ("null", "zero", "urandom", "random")
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/openssl.cnf",
    "/opt",
    "/sys/kernel/mm",
    "/sys/devices/system/cpu",
)
WRITABLE = ("/tmp", "/scratch", "/dev/shm")  # noqa: S108 - of the enclave's own root


def readable_paths() -> tuple[str, ...]:
    """Return what an enclave may read: system libraries, Python, installed packages."""
    packages = {str(Path(entry).resolve()) for entry in sys.path if Path(entry).is_dir()}
    python = {sys.base_prefix, sys.prefix}
    found: list[str] = []
    for path in sorted({*_SYSTEM, *python, *packages}):
        under = any(path.startswith(f"{other}/") for other in found)
        if path != "/" and not under and os.path.lexists(path):
            found.append(path)
    return tuple(found)


def enter_private_root(readable: tuple[str, ...], size_bytes: int) -> None:
    """Make the new root and leave the old one for good.

    Args:
        readable: absolute paths to bind read-only.
        size_bytes: the most that each writable place may hold.

    Raises:
        OSError: the kernel refuses a step.
    """
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    sources = [(path, os.open(path, os.O_PATH | os.O_NOFOLLOW)) for path in readable]
    devices = [(f"/dev/{name}", os.open(f"/dev/{name}", os.O_PATH)) for name in _DEVICES]
    root = "/tmp"  # noqa: S108 - a mount point that every system has
    options = f"size={size_bytes},mode=755"
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for path in WRITABLE:  # first, so that what lies below /tmp can be bound into it
        Path(root + path).mkdir(parents=True)
        flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
        mount("tmpfs", root + path, "tmpfs", flags, options)
    for path, fd in sources:
        _bind_read_only(path, fd, root)
    for path, fd in devices:
        _bind(path, fd, root)
    for path, fd in (*sources, *devices):
        os.close(fd)
    for path in ("/old", "/proc"):
        Path(root + path).mkdir()
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    syscall("pivot_root", root.encode(), f"{root}/old".encode())
    os.chdir("/")
    umount_lazily("/old")
    Path("/old").rmdir()
    mount(None, "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _bind_read_only(path: str, fd: int, root: str) -> None:
    if Path(f"/proc/self/fd/{fd}").is_symlink() and os.path.islink(path):
        Path(root + path).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(os.readlink(path), root + path)
        return
    _bind(path, fd, root)
    attributes = struct.pack("QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    target = (root + path).encode()
    syscall("mount_setattr", _AT_FDCWD, target, _AT_RECURSIVE, attributes, len(attributes))


def _bind(path: str, fd: int, root: str) -> None:
    source, target = f"/proc/self/fd/{fd}", Path(root + path)
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(source, str(target), None, MS_BIND | MS_REC)
