# SPDX-License-Identifier: Apache-2.0
"""Tries to read another process by every route that an ordinary machine offers.

    python -m tests.attack.attacker TARGET.json   (as whoever is to attack)

Prints one JSON map: attack to "read", "denied" or "nothing found".
"""

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

READ, DENIED, NOTHING = "read", "denied", "nothing found"
SIZE = 32
_PTRACE_ATTACH, _PTRACE_PEEKDATA, _PTRACE_DETACH = 16, 2, 17
_PROCESS_VM_READV, _PIDFD_OPEN, _PIDFD_GETFD = 310, 434, 438
_CLONE_NEWNET = 0x40000000
_MOST_FDS = 64
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))  # type: ignore[mutable-override]


def _call(*arguments: object) -> int:
    cast = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    _LIBC.syscall.restype = ctypes.c_long
    result: int = _LIBC.syscall(*cast)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def proc_mem(pid: int, address: int) -> bytes:
    """Read through /proc/PID/mem."""
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        return os.pread(fd, SIZE, address)
    finally:
        os.close(fd)


def process_vm(pid: int, address: int) -> bytes:
    """Read by process_vm_readv."""
    buffer = ctypes.create_string_buffer(SIZE)
    local = _Vector(ctypes.addressof(buffer), SIZE)
    remote = _Vector(address, SIZE)
    _call(_PROCESS_VM_READV, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    return buffer.raw


def ptrace(pid: int, address: int) -> bytes:
    """Attach as a debugger and peek word by word."""
    _LIBC.ptrace.restype = ctypes.c_long
    long, pointer = ctypes.c_long, ctypes.c_void_p
    if _LIBC.ptrace(long(_PTRACE_ATTACH), long(pid), pointer(0), pointer(0)):
        raise OSError(ctypes.get_errno(), "ptrace")
    try:
        os.waitpid(pid, 0x40000000)
        data = b""
        for offset in range(0, SIZE, 8):
            ctypes.set_errno(0)
            word = _LIBC.ptrace(
                long(_PTRACE_PEEKDATA), long(pid), pointer(address + offset), pointer(0)
            )
            if ctypes.get_errno():
                raise OSError(ctypes.get_errno(), "peek")
            data += word.to_bytes(8, "little", signed=True)
        return data
    finally:
        _LIBC.ptrace(long(_PTRACE_DETACH), long(pid), pointer(0), pointer(0))


def gdb_inject(pid: int, address: int, scratch: int) -> bytes:
    """Have a debugger call memcpy in the process, then read the copy."""
    command = (
        f"call (void*)memcpy((void*){scratch}, (void*){address}, {SIZE})",
        f"x/{SIZE}xb {scratch}",
    )
    return _gdb(pid, command)


def _gdb(pid: int, commands: tuple[str, ...]) -> bytes:
    asked = [part for command in commands for part in ("-ex", command)]
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(pid), *asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.findall(r"\t0x([0-9a-f]{2})", done.stdout)
    if len(found) < SIZE:
        raise PermissionError(done.stderr[-100:])
    return bytes(int(byte, 16) for byte in found[-SIZE:])


def core_file(pid: int, needle: bytes) -> bytes:
    """Have gdb write a core file and search it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["gcore", "-o", f"{folder}/core", str(pid)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        files = list(Path(folder).iterdir())
        if not files:
            raise PermissionError
        return needle if needle in files[0].read_bytes() else b""


def steal_descriptors(pid: int, needle: bytes) -> bytes:
    """Take every descriptor by pidfd_getfd and look for memory behind one."""
    handle = _call(_PIDFD_OPEN, pid, 0)
    taken = 0
    for number in range(_MOST_FDS):
        try:
            fd = _call(_PIDFD_GETFD, handle, number, 0)
        except PermissionError:
            continue
        except OSError:
            continue
        taken += 1
        if "secretmem" in str(Path(f"/proc/self/fd/{fd}").readlink()):
            return needle
        os.close(fd)
    if not taken:
        raise PermissionError
    return b""


def look(pid: int, name: str) -> bytes:
    """Open one of the process's files under /proc."""
    path = f"/proc/{pid}/{name}"
    if name == "root":
        return os.fsencode(" ".join(map(str, Path(path).iterdir())))
    return Path(path).read_bytes()[:1] + b"."


def enter_namespace(pid: int) -> bytes:
    """Join the process's network namespace."""
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if _LIBC.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    return b"."


def whole_memory(pid: int, needle: bytes) -> bytes:
    """Search all readable memory of a process."""
    with Path(f"/proc/{pid}/maps").open() as maps:
        spans = [line.split()[:2] for line in maps]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for span, mode in spans:
            start, end = (int(part, 16) for part in span.split("-"))
            if not mode.startswith("r"):
                continue
            try:
                memory.seek(start)
                if needle in (memory.read(end - start) or b""):
                    return needle
            except (OSError, ValueError, OverflowError):
                continue
    return b""


def files_below(folder: Path, needles: list[bytes]) -> bytes:
    """Search every file that can be opened below a folder."""
    opened = 0
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            opened += 1
            for needle in needles:
                if needle in data or needle.hex().encode() in data:
                    return needle
    if not opened:
        raise PermissionError
    return b""


def attacks(target: dict[str, str]) -> dict[str, Callable[[], bytes]]:
    """Return every attack by the name it has in docs/threat-model.md."""
    pid, monitor = int(target["enclave"]), int(target["monitor"])
    heap, secret, scratch = (int(target[n]) for n in ("heap", "secret", "scratch"))
    planted, hidden = (bytes.fromhex(target[n]) for n in ("planted", "hidden"))
    device = bytes.fromhex(target["device"])
    folder = Path(target["folder"])
    return {
        "memory by /proc/PID/mem": lambda: proc_mem(pid, heap),
        "memory by process_vm_readv": lambda: process_vm(pid, heap),
        "memory by ptrace": lambda: ptrace(pid, heap),
        "memory by a core file (gcore)": lambda: core_file(pid, planted),
        "secret memory by /proc/PID/mem": lambda: proc_mem(pid, secret),
        "secret memory by process_vm_readv": lambda: process_vm(pid, secret),
        "secret memory by ptrace": lambda: ptrace(pid, secret),
        "secret memory by a core file (gcore)": lambda: core_file(pid, hidden),
        "secret memory by a stolen descriptor": lambda: steal_descriptors(pid, hidden),
        "secret memory by injected code (gdb)": lambda: gdb_inject(
            pid, secret, scratch
        ),
        "memory map of the enclave": lambda: look(pid, "maps"),
        "environment of the enclave": lambda: look(pid, "environ"),
        "files that the enclave sees": lambda: look(pid, "root"),
        "network namespace of the enclave": lambda: enter_namespace(pid),
        "device key in the monitor's memory": lambda: whole_memory(monitor, device),
        "device key in the device file": lambda: files_below(
            folder / "device", [device]
        ),
        "planted secrets in any file": lambda: files_below(folder, [planted, hidden]),
    }


def try_all(target: dict[str, str]) -> dict[str, str]:
    """Try every attack and say how each ended."""
    planted = {bytes.fromhex(target[n]) for n in ("planted", "hidden", "device")}
    looks = ("memory map", "environment", "files that", "network")
    outcomes: dict[str, str] = {}
    for name, attack in attacks(target).items():
        try:
            data = attack()
        except (OSError, subprocess.SubprocessError):
            outcomes[name] = DENIED
            continue
        read = bool(data) if name.startswith(looks) else data in planted
        outcomes[name] = READ if read else NOTHING
    return outcomes


if __name__ == "__main__":
    print(json.dumps(try_all(json.loads(Path(sys.argv[1]).read_text()))))  # noqa: T201
