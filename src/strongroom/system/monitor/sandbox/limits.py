# SPDX-License-Identifier: Apache-2.0
"""Limits: memory of an enclave can be set (HW-5), core dumps cannot happen.

RLIMIT_DATA is the measure: it counts private writable memory and not what libraries
merely reserve. Going over it is a MemoryError in the app, not a killed process.
"""

import ctypes
import resource
import struct

from strongroom.system.monitor.sandbox.syscalls import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAPBSET_DROP,
    prctl,
    syscall,
)

MAX_FILES = 512
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63


def limit(memory_bytes: int) -> None:
    """Set the limits: `memory_bytes` over what this process has already."""
    most = _data_bytes() + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_FILES, MAX_FILES))


def _data_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last one that this kernel knows
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION, 0))
    syscall("capset", header, bytes(24))
