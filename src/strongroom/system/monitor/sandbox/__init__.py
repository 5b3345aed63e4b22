# SPDX-License-Identifier: Apache-2.0
"""Isolation by the kernel: the locks of an enclave (HW-1, grade OS).

namespaces, root      nothing of the host is in sight
landlock, seccomp     nothing out of sight can be reached
limits                memory, files, no core dump, no capability
tasks                 who asks to be born, and who lives: for the watcher outside
lockdown              all of them in order, and which hold
probe                 which of them this machine has
"""

from strongroom.system.monitor.sandbox.limits import MAX_TASKS, Limits, limit_cpu
from strongroom.system.monitor.sandbox.lockdown import (
    Spec,
    become_template,
    close_descriptors,
    fork_first,
    lock_down,
)
from strongroom.system.monitor.sandbox.namespaces import die_with_parent
from strongroom.system.monitor.sandbox.probe import probe
from strongroom.system.monitor.sandbox.root import readable_paths

__all__ = [
    "MAX_TASKS",
    "Limits",
    "Spec",
    "become_template",
    "close_descriptors",
    "die_with_parent",
    "fork_first",
    "limit_cpu",
    "lock_down",
    "probe",
    "readable_paths",
]
