# SPDX-License-Identifier: Apache-2.0
"""Seccomp: calls that no app needs and that could open a way out are refused.

Refused with EPERM: sockets, exec, ptrace and reading other processes, mounts and
namespaces, kernel modules, keys, io_uring, clocks; and shared memory that no limit
would count: memfd, System V segments, anonymous shared maps. clone3 answers ENOSYS, so
that libc falls back to clone, whose flags a filter can see; so does every call that is
newer than this table. prctl cannot make the process dumpable again, nor let it outlive
its monitor. Another architecture's calls kill the process.

A second filter holds every new thread and process until whoever watches the enclave
has counted it (`supervise`). A kernel lets a process have one such listener, so an
app cannot put its own in the place of ours.
"""

import ctypes
import errno
import os
import struct

from strongroom.system.monitor.sandbox.syscalls import (
    PR_SET_DUMPABLE,
    PR_SET_MM,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_PTRACER,
    machine,
    prctl,
    syscall,
)

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_ASK = 0x7FC00000
_NUMBER_OFFSET, _ARCH_OFFSET, _FIRST_ARGUMENT_OFFSET = 0, 4, 16
_MMAP_FLAGS_OFFSET = _FIRST_ARGUMENT_OFFSET + 3 * 8
_MAP_SHARED_BIT, _MAP_ANONYMOUS_BIT = 0x01, 0x20
_X32_BIT = 0x40000000
_NEW_NAMESPACE_BITS = 0x7E020000
_SET_MODE_FILTER, _FLAG_TSYNC, _FLAG_LISTENER = 1, 1, 8

_SAME_EVERYWHERE = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "process_mrelease": 448,
    "set_mempolicy_home_node": 450,
    "lsm_set_self_attr": 460,
}
# name: (x86_64, aarch64); None where the architecture has no such call.
_DENIED: dict[str, tuple[int, int | None]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "fanotify_init": (300, 262),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "syslog": (103, 116),
    "personality": (135, 92),
    "quotactl": (179, 60),
    "vhangup": (153, 58),
    "mknodat": (259, 33),
    "mknod": (133, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "nfsservctl": (180, 42),
    "lookup_dcookie": (212, 18),
}
_CLONE3 = 435
_FIRST_UNKNOWN = 467
_DENIED_PRCTL = (PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_MM, PR_SET_PTRACER)
# architecture: column above, audit name, clone, prctl, mmap
_MACHINES = {
    "x86_64": (0, 0xC000003E, 56, 157, 9),
    "aarch64": (1, 0xC00000B7, 220, 167, 222),
}
CLONE = {name: row[2] for name, row in _MACHINES.items()}
"""The number of clone, the one call that makes threads."""
_BIRTHS = {"x86_64": (56, 57, 58), "aarch64": (220,)}  # clone, fork, vfork


def restrict() -> None:
    """Put the filter on this process and on all that it forks.

    Raises:
        OSError: the kernel has no seccomp filters.
        Misconfigured: a machine whose calls are not known here.
    """
    _install(_filter(), _FLAG_TSYNC)


def supervise() -> int:
    """Have each new thread and process of this one wait for leave.

    Returns:
        The descriptor at which they are asked for (`tasks.receive`).

    Raises:
        OSError: the kernel has no user notification (5.5), or another listens.
    """
    lines = [_line(_LOAD, _NUMBER_OFFSET)]
    for number in _BIRTHS[machine()]:
        lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, _ASK)]
    return _install([*lines, _line(_RETURN, _ALLOW)], _FLAG_LISTENER)


def is_supervised() -> bool:
    """Return whether there is a listener, by trying to be a second one."""
    try:
        os.close(_install([_line(_RETURN, _ALLOW)], _FLAG_LISTENER))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _install(lines: list[bytes], flags: int) -> int:
    code = b"".join(lines)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(lines), ctypes.addressof(buffer))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    return syscall("seccomp", _SET_MODE_FILTER, flags, program)


def _filter() -> list[bytes]:
    column, architecture, clone, prctl_number, mmap = _MACHINES[machine()]
    numbers = {row[column] for row in _DENIED.values()} | set(_SAME_EVERYWHERE.values())
    refuse = _line(_RETURN, _ERRNO | errno.EPERM)
    no_such_call = _line(_RETURN, _ERRNO | errno.ENOSYS)
    lines = [
        _line(_LOAD, _ARCH_OFFSET),
        _line(_EQUAL, architecture, 1, 0),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER_OFFSET),
        _line(_AT_LEAST, _X32_BIT, 0, 1),
        _line(_RETURN, _KILL),
        _line(_AT_LEAST, _FIRST_UNKNOWN, 0, 1),
        no_such_call,
        _line(_EQUAL, _CLONE3, 0, 1),
        no_such_call,
    ]
    for denied in sorted(each for each in numbers if each is not None):
        lines += [_line(_EQUAL, denied, 0, 1), refuse]
    options = [
        line
        for option in _DENIED_PRCTL
        for line in (_line(_EQUAL, option, 0, 1), refuse)
    ]
    allow = _line(_RETURN, _ALLOW)
    look = _line(_LOAD, _FIRST_ARGUMENT_OFFSET)
    lines += [_line(_EQUAL, prctl_number, 0, len(options) + 2), look, *options, allow]
    shared = [
        _line(_LOAD, _MMAP_FLAGS_OFFSET),
        _line(_ANY_BIT, _MAP_SHARED_BIT, 0, 2),
        _line(_ANY_BIT, _MAP_ANONYMOUS_BIT, 0, 1),
        refuse,
    ]
    lines += [_line(_EQUAL, mmap, 0, len(shared) + 1), *shared, allow]
    namespaces = [_line(_ANY_BIT, _NEW_NAMESPACE_BITS, 0, 1), refuse]
    lines += [_line(_EQUAL, clone, 0, len(namespaces) + 1), look, *namespaces, allow]
    return lines


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
