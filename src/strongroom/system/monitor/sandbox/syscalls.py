# SPDX-License-Identifier: Apache-2.0
"""The few system calls that Python has no function for, by ctypes on libc.

Every argument of `syscall` is cast to a long: a plain int would be passed as 32 bits.
"""

import ctypes
import functools
import os
import platform
from typing import Final

from strongroom.errors import Misconfigured

_NUMBERS: Final = {
    "x86_64": {
        "pivot_root": 155,
        "unshare": 272,
        "setns": 308,
        "seccomp": 317,
        "capset": 126,
    },
    "aarch64": {
        "pivot_root": 41,
        "unshare": 97,
        "setns": 268,
        "seccomp": 277,
        "capset": 91,
    },
}
_COMMON: Final = {
    "open_tree": 428,
    "move_mount": 429,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 1, 3, 4
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
PR_SET_MM, PR_SET_PTRACER = 35, 0x59616D61
_MNT_DETACH = 2


@functools.cache
def libc() -> ctypes.CDLL:
    """Return the C library of this process."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def machine() -> str:
    """Return the name of this machine's architecture.

    Raises:
        Misconfigured: a machine whose system calls are not known here.
    """
    name = platform.machine()
    if name not in _NUMBERS:
        message = f"enclaves are isolated on x86_64 and aarch64, not on {name}"
        raise Misconfigured(message)
    return name


def syscall(name: str, *arguments: int | bytes | None) -> int:
    """Make a system call; bytes are passed by address.

    Raises:
        OSError: it failed.
    """
    number = (_NUMBERS[machine()] | _COMMON)[name]
    cast = [
        ctypes.c_long(each) if isinstance(each, int) else ctypes.c_char_p(each)
        for each in arguments
    ]
    result: int = libc().syscall(ctypes.c_long(number), *cast)
    if result < 0:
        raise _error(name)
    return result


def prctl(option: int, value: int = 0) -> int:
    """Set or get a property of this process.

    Raises:
        OSError: it failed.
    """
    rest = [ctypes.c_ulong(0)] * 3
    result: int = libc().prctl(ctypes.c_int(option), ctypes.c_ulong(value), *rest)
    if result < 0:
        what = f"prctl {option}"
        raise _error(what)
    return result


def mount(
    source: str | None, target: str, kind: str | None, flags: int, data: str = ""
) -> None:
    """Mount, or change how a mount propagates.

    Raises:
        OSError: it failed.
    """
    names = [None if each is None else each.encode() for each in (source, target, kind)]
    if libc().mount(*names, ctypes.c_ulong(flags), data.encode() or None):
        what = f"mount {target}"
        raise _error(what)


def detach(target: str) -> None:
    """Take a mount out of sight now; it goes when nobody uses it.

    Raises:
        OSError: it failed.
    """
    if libc().umount2(target.encode(), _MNT_DETACH):
        what = f"umount {target}"
        raise _error(what)


def _error(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), what)
