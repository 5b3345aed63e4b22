# SPDX-License-Identifier: Apache-2.0
"""The routes that the machine itself offers: memory, processes, files (FACTS 1)."""

from collections.abc import Mapping
from typing import Final

from strongroom.attack import debugger, memory, planted, process
from strongroom.attack.route import PAGES, Actor, Known, Route

_MEMORY, _SECRET, _PROCESS, _FILES = (
    "ordinary memory",
    "secret memory",
    "process",
    "files",
)
_DENIED, _NOTHING = Known("denied"), Known("nothing found")
_ROOT = "root may look into every process of its machine"
_INJECTED = (
    "code inside the enclave reads what the enclave reads; root can put it there"
)
_NAMED = "root may enter every namespace of its machine"
_OWNER = "the simulated device's fuse is a file of the user who runs it"
_SWAP = "ordinary memory is not locked; turn swap off, or encrypt it"


def _known(root: Known, same: Known = _DENIED) -> Mapping[Actor, Known]:
    return {"same user": same, "another user": _DENIED, "root": root}


_READ = _known(Known("read", _ROOT))
_WHO = {"enclave": lambda at: (at.enclave,), "monitor": lambda at: (at.monitor,)}

MACHINE: Final[tuple[Route, ...]] = (
    Route(
        name="memory by /proc/PID/mem",
        family=_MEMORY,
        attempt=memory.heap(memory.proc_mem),
        known=_READ,
        grade="OS",
    ),
    Route(
        name="memory by process_vm_readv",
        family=_MEMORY,
        attempt=memory.heap(memory.process_vm),
        known=_READ,
        grade="OS",
    ),
    Route(
        name="memory by ptrace",
        family=_MEMORY,
        attempt=memory.heap(memory.ptrace),
        known=_READ,
        grade="OS",
    ),
    Route(
        name="memory by a core file (gcore)",
        family=_MEMORY,
        attempt=debugger.core_of(lambda at: at.ordinary),
        known=_READ,
        grade="OS",
    ),
    Route(
        name="memory searched from end to end",
        family=_MEMORY,
        attempt=memory.search(_WHO["enclave"], lambda at: at.ordinary),
        known=_READ,
        grade="OS",
    ),
    Route(
        name="memory altered by process_vm_writev",
        family=_MEMORY,
        attempt=memory.overwrite,
        known=_known(Known("done", "root may write into every process of its machine")),
        grade="OS",
        gain="done",
    ),
    Route(
        name="memory driven out to swap",
        family=_MEMORY,
        attempt=memory.swapped(lambda at: at.heap),
        known=_known(Known("read", _SWAP)),
        grade="OS",
    ),
    Route(
        name="secret memory by /proc/PID/mem",
        family=_SECRET,
        attempt=memory.hidden(memory.proc_mem),
        known=_known(_DENIED),
        grade="OS",
        denials=PAGES,
    ),
    Route(
        name="secret memory by process_vm_readv",
        family=_SECRET,
        attempt=memory.hidden(memory.process_vm),
        known=_known(_DENIED),
        grade="OS",
        denials=PAGES,
    ),
    Route(
        name="secret memory by ptrace",
        family=_SECRET,
        attempt=memory.hidden(memory.ptrace),
        known=_known(_DENIED),
        grade="OS",
        denials=PAGES,
    ),
    Route(
        name="secret memory by a core file (gcore)",
        family=_SECRET,
        attempt=debugger.core_of(lambda at: at.hidden),
        known=_known(_NOTHING),
        grade="OS",
    ),
    Route(
        name="secret memory by a stolen descriptor (pidfd_getfd)",
        family=_SECRET,
        attempt=memory.stolen_descriptors,
        known=_known(_NOTHING),
        grade="OS",
    ),
    Route(
        name="secret memory driven out to swap",
        family=_SECRET,
        attempt=memory.swapped(lambda at: at.secret),
        known=_known(_DENIED),
        grade="OS",
        denials=PAGES,
    ),
    Route(
        name="secret memory by a copy in ordinary memory",
        family=_SECRET,
        attempt=memory.search(lambda at: at.processes, lambda at: at.hidden),
        known=_known(_NOTHING),
        grade="OS",
    ),
    Route(
        name="device key by a copy in ordinary memory",
        family=_SECRET,
        attempt=memory.search(lambda at: at.processes, lambda at: at.device),
        known=_known(_NOTHING),
        grade="OS",
    ),
    Route(
        name="secret memory by injected code (gdb)",
        family=_SECRET,
        attempt=debugger.inject,
        known=_known(Known("read", _INJECTED)),
        grade="OS",
    ),
    Route(
        name="memory map of the enclave",
        family=_PROCESS,
        attempt=process.opened("maps"),
        known=_READ,
        grade="OS",
    ),
    Route(
        name="environment of the enclave",
        family=_PROCESS,
        attempt=process.opened("environ"),
        known=_READ,
        grade="OS",
    ),
    Route(
        name="secrets in environments and arguments",
        family=_PROCESS,
        attempt=process.in_environment,
        known=dict.fromkeys(("same user", "another user", "root"), _NOTHING),
        grade="OS",
    ),
    Route(
        name="files that the enclave alone has",
        family=_PROCESS,
        attempt=process.private_files,
        known=_READ,
        grade="OS",
    ),
    Route(
        name="network namespace of the enclave",
        family=_PROCESS,
        attempt=process.network,
        known=_known(Known("done", _NAMED)),
        grade="OS",
        gain="done",
    ),
    Route(
        name="limits of the enclave raised (prlimit)",
        family=_PROCESS,
        attempt=process.raised_limits,
        known=_known(Known("done", "root may set the limits of every process")),
        grade="OS",
        gain="done",
    ),
    Route(
        name="core file of an enclave that faults",
        family=_PROCESS,
        attempt=process.core_of_a_fault,
        known=_known(_NOTHING, _NOTHING),
        grade="OS",
    ),
    Route(
        name="device key in the device file",
        family=_FILES,
        attempt=planted.fuse,
        known=_known(Known("read", _OWNER), Known("read", _OWNER)),
        grade="SIM",
    ),
    Route(
        name="planted secrets in any file of the room",
        family=_FILES,
        attempt=planted.anywhere(lambda at: at.planted),
        known=_known(_NOTHING, _NOTHING),
        grade="OS",
    ),
    Route(
        name="device key in any other file of the room",
        family=_FILES,
        attempt=planted.anywhere(lambda at: (at.device,)),
        known=_known(_NOTHING, _NOTHING),
        grade="OS",
    ),
)
