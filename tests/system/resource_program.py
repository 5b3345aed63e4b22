# SPDX-License-Identifier: Apache-2.0
"""A program for enclaves that uses as much of everything as it is told to."""

import json
import mmap
import os
import signal
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from strongroom.core.rats import Call, EnclaveGate
from strongroom.errors import Malformed, StrongroomError
from tests.system.echo_program import allocate
from tests.system.workloads import in_processes, in_threads, serial


class Use(IntEnum):
    """What the program can use up."""

    THREADS = 1
    PROCESSES = 2
    THREADS_IN_EACH = 3
    THREAD_BOMB = 4
    FORK_BOMB = 5
    SPIN = 6
    SPIN_IN_CHILDREN = 7
    SHARED = 8
    FILES = 9
    MEMORY = 10
    ASK_ALL = 11
    WORK_SERIAL = 12
    WORK_THREADS = 13
    WORK_PROCESSES = 14
    PLANT = 15
    ECHO = 16
    ORPHANS = 17


def main(gate: EnclaveGate, bundle: bytes) -> None:
    """Serve calls until the gate closes."""
    del bundle
    uses: dict[int, Callable[[Call], object]] = {
        Use.THREADS: lambda call: run_threads(int(call.payload)),
        Use.PROCESSES: lambda call: run_processes(int(call.payload)),
        Use.THREADS_IN_EACH: lambda call: threads_in_each(int(call.payload)),
        Use.THREAD_BOMB: lambda _: thread_bomb(),
        Use.FORK_BOMB: lambda _: fork_bomb(),
        Use.SPIN: lambda call: spin(float(call.payload)),
        Use.SPIN_IN_CHILDREN: lambda call: spin_in_children(float(call.payload)),
        Use.SHARED: lambda call: shared_ways(int(call.payload)),
        Use.FILES: lambda call: write_files(int(call.payload)),
        Use.MEMORY: lambda call: allocate(int(call.payload)),
        Use.ASK_ALL: lambda call: ask_all(gate, call.payload.decode()),
        Use.WORK_SERIAL: lambda call: serial(call.payload.decode()),
        Use.WORK_THREADS: lambda call: in_threads(*json.loads(call.payload)),
        Use.WORK_PROCESSES: lambda call: in_processes(*json.loads(call.payload)),
        Use.PLANT: lambda call: plant(gate, call.payload),
        Use.ECHO: lambda call: call.payload.decode(),
        Use.ORPHANS: lambda call: orphans(int(call.payload)),
    }
    while (call := gate.receive()) is not None:
        try:
            gate.reply(json.dumps(uses[call.method](call)).encode())
        except StrongroomError as error:
            gate.fail(error)
        except MemoryError:
            gate.reply(b'"MemoryError"')


def run_threads(n: int) -> int:
    """Have `n` more threads at one time; return how many there were in all."""
    go = threading.Event()
    threads = [threading.Thread(target=go.wait) for _ in range(n)]
    for thread in threads:
        thread.start()
    here = len(list(Path("/proc/self/task").iterdir()))
    go.set()
    for thread in threads:
        thread.join()
    return here


def run_processes(n: int, body: Callable[[], object] = lambda: None) -> int:
    """Have `n` children at one time; return how many processes there were in all."""
    read, write = os.pipe()
    children = []
    for _ in range(n):
        child = os.fork()
        if child == 0:
            os.close(write)
            body()
            os.read(read, 1)
            os._exit(0)
        children.append(child)
    here = sum(entry.name.isdigit() for entry in Path("/proc").iterdir())
    os.close(write)
    os.close(read)
    for child in children:
        os.waitpid(child, 0)
    return here


def threads_in_each(n: int) -> int:
    """Have `n` more threads in this process and in one child."""
    return run_processes(1, lambda: run_threads(n)) + run_threads(n)


def orphans(n: int) -> int:
    """Leave `n` grandchildren to the first process, one after another."""
    for _ in range(n):
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        os.waitpid(child, 0)
    return n


def thread_bomb() -> None:
    """Start threads that never end, for ever, whatever happens."""
    while True:
        try:
            threading.Thread(target=time.sleep, args=(60,)).start()
        except RuntimeError:
            continue


def fork_bomb() -> None:
    """Double for ever, whatever happens."""
    while True:
        try:
            os.fork()
        except OSError:
            continue


def spin(seconds: float) -> None:
    """Use the processor: `seconds` of it, 0 for ever."""
    while not seconds or time.process_time() < seconds:
        pass


def spin_in_children(each: float) -> None:
    """Use it for ever, in short lives that nobody waits for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then adds them nowhere
    while True:
        child = os.fork()
        if child == 0:
            spin(each)
            os._exit(0)
        while True:
            try:
                os.kill(child, 0)
            except ProcessLookupError:
                break
            time.sleep(0.001)


def shared_ways(size: int) -> dict[str, str]:
    """Try every way to memory that processes share and no limit would count."""
    ways: dict[str, Callable[[], object]] = {
        "memfd": lambda: os.memfd_create("x"),
        "anonymous": lambda: mmap.mmap(-1, size),
        "/dev/zero": lambda: os.open("/dev/zero", os.O_RDWR),
        "a file": lambda: fill("/dev/shm/x", size),
    }
    found = {}
    for name, way in ways.items():
        try:
            way()
            found[name] = "ok"
        except OSError as error:
            found[name] = type(error).__name__ if error.errno != 28 else "no space"
    return found


def fill(path: str, size: int) -> None:
    """Make a file of `size` bytes, and every page of it."""
    with Path(path).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def write_files(size: int) -> str:
    """Write into all the places that can be written, `size` bytes each."""
    try:
        for place in ("/tmp", "/scratch", "/dev/shm"):
            fill(f"{place}/file", size)
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "ok"


def ask_all(gate: EnclaveGate, label: str) -> int:
    """Make every request to the monitor, and two that it refuses."""
    gate.report(b"n" * 16, b"")
    gate.sealing_key(label).close()
    gate.increment(label)
    gate.counter(label)
    gate.random(8)
    gate.now()
    for size in (0, 1 << 20):
        try:
            gate.random(size)
        except (Malformed, StrongroomError):
            continue
    return 1


KEPT: list[object] = []


def plant(gate: EnclaveGate, mask: bytes) -> int:
    """Keep what `mask` hides on the heap, and a key that the monitor derived."""
    KEPT.append(bytearray(byte ^ 0x55 for byte in mask))
    KEPT.append(gate.sealing_key("planted"))
    return len(mask)
