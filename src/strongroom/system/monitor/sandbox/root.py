# SPDX-License-Identifier: Apache-2.0
"""A private root: the interpreter and its libraries read-only, and nothing else.

What an enclave writes goes to one tmpfs, which is memory, of the enclave's size.
Sources are opened before the new root hides them; a copy of each mount is made
read-only before it is attached, so that there is no moment in which it is not.
"""

import contextlib
import os
import struct
import sys
from pathlib import Path

from strongroom.system.monitor.sandbox.syscalls import detach, mount, syscall

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REC, MS_PRIVATE = 16384, 1 << 18
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_CLONE, _FROM_DESCRIPTOR = 1, 4
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8
_READ_ONLY = _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV
_DEVICE = _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NOEXEC
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random")
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/openssl.cnf",
    "/sys/kernel/mm",  # DuckDB is 10 % slower without
    "/sys/devices/system/cpu",
)
WRITABLE = ("/tmp", "/scratch", "/dev/shm")  # noqa: S108 - of the enclave's own root
_NEW = "/tmp"  # noqa: S108 - a mount point that every system has


def readable_paths() -> tuple[str, ...]:
    """Return what an enclave may read: system libraries, Python, installed packages."""
    packages = {
        str(Path(entry).resolve()) for entry in sys.path if Path(entry).is_dir()
    }
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
        readable: absolute paths to show read-only.
        size_bytes: the most that all writable places together may hold.

    Raises:
        OSError: the kernel refuses a step.
    """
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    links = {
        path: Path(path).readlink() for path in readable if Path(path).is_symlink()
    }
    trees = {
        path: _tree(path, _READ_ONLY, recursive=True)
        for path in readable
        if path not in links
    }
    trees |= {path: _tree(path, _DEVICE) for path in _DEVICES}
    kinds = {path: Path(path).is_dir() for path in trees}
    mount("tmpfs", _NEW, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    _attach_memory(size_bytes)  # first: what lies below /tmp is attached inside it
    for path, tree in trees.items():
        _attach(tree, _NEW + path, folder=kinds[path])
    for path, target in links.items():
        Path(_NEW + path).parent.mkdir(parents=True, exist_ok=True)
        Path(_NEW + path).symlink_to(target)
    Path(f"{_NEW}/proc").mkdir()
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("proc", f"{_NEW}/proc", "proc", flags)
    _switch()


def is_private() -> bool:
    """Return whether every mount but memory and devices is read-only, by the kernel."""
    with Path("/proc/self/mountinfo").open(encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return bool(os.statvfs("/").f_flag & os.ST_RDONLY) and all(
        "ro" in row[5].split(",") or row[4] in WRITABLE for row in rows
    )


def _attach_memory(size_bytes: int) -> None:
    """Make one tmpfs and show a folder of it at each writable place."""
    options = f"size={size_bytes},mode=700"
    hidden = f"{_NEW}/memory"
    Path(hidden).mkdir()
    mount("tmpfs", hidden, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)
    for path in WRITABLE:
        folder = f"{hidden}/{path.replace('/', '-')}"
        Path(folder).mkdir()
        _attach(_tree(folder, 0), _NEW + path, folder=True)
    detach(hidden)
    Path(hidden).rmdir()


def _switch() -> None:
    """Make the new root the root; the old one is out of everyone's reach."""
    os.chdir(_NEW)
    syscall("pivot_root", b".", b".")
    detach(".")
    os.chdir("/")
    tree = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        _set_attributes(tree, _READ_ONLY)
    finally:
        os.close(tree)


def _tree(path: str, attributes: int, *, recursive: bool = False) -> int:
    """Return a descriptor of a detached copy of the mount at `path`."""
    depth = _AT_RECURSIVE if recursive else 0
    flags = _CLONE | os.O_CLOEXEC | depth
    tree = syscall("open_tree", _AT_FDCWD, path.encode(), flags)
    if attributes:
        _set_attributes(tree, attributes, depth)
    return tree


def _set_attributes(tree: int, attributes: int, flags: int = 0) -> None:
    packed = struct.pack("QQQQ", attributes, 0, 0, 0)
    flags |= _AT_EMPTY_PATH
    syscall("mount_setattr", tree, b"", flags, packed, len(packed))


def _attach(tree: int, target: str, *, folder: bool) -> None:
    path = Path(target)
    (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
    if not folder:
        path.touch()
    try:
        syscall("move_mount", tree, b"", _AT_FDCWD, target.encode(), _FROM_DESCRIPTOR)
    finally:
        with contextlib.suppress(OSError):
            os.close(tree)
