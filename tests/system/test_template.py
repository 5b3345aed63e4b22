# SPDX-License-Identifier: Apache-2.0
"""The template and its enclaves: start, end, and attacks from outside (HW-1, APP-1).

This file is also the program that the enclaves of its templates run.
"""

import contextlib
import ctypes
import json
import os
import random
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats import LOCKS, EnclaveGate
from strongroom.errors import Unavailable
from strongroom.system.monitor.gate import (
    send_frame,
)
from strongroom.system.monitor.sandbox import probe
from strongroom.system.monitor.sandbox.syscalls import libc
from strongroom.system.monitor.template import MEMORY_ERROR, SPAWN, STARTED
from tests.system.template_process import MEMORY_BYTES, ORDINARY, Template

PROGRAM = "tests.system.test_template"
STRANGER = 12346
HEAP = b"HEAP-SECRET-"
ADDRESSES, RANDOM, LEAVE, EAT, SPIN = 1, 2, 3, 4, 5
kept: list[object] = []

pytestmark = [
    pytest.mark.skipif(
        any(how is not None for how in probe().values()),
        reason="locks are missing here",
    )
]
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="attacks from other users")


def main(gate: EnclaveGate, bundle: bytes) -> None:
    """Be the program of an enclave."""
    while (call := gate.receive()) is not None:
        match call.method:
            case 1:
                gate.reply(json.dumps(plant(bundle)).encode())
            case 2:
                gate.reply(b"%d" % random.getrandbits(64))
            case 3:
                os._exit(9)
            case 4:
                kept.append(bytearray(2 * MEMORY_BYTES))
            case _:
                time.sleep(100)


def plant(bundle: bytes) -> list[int]:
    """Put a secret on the heap and one in secret memory; return where."""
    heap = ctypes.create_string_buffer(HEAP + bundle, 64)
    secret = SecretBuffer(64)
    secret.view[: len(HEAP)] = HEAP
    kept.extend((heap, secret))
    inner = (ctypes.c_char * 64).from_buffer(secret.view)
    return [ctypes.addressof(heap), ctypes.addressof(inner)]


@pytest.fixture(scope="module", params=["root", "ordinary"])
def template(request: pytest.FixtureRequest) -> Iterator[Template]:
    """A template of root, and one of an ordinary user."""
    if os.getuid() and request.param == "root":
        pytest.skip("not root")
    uid = ORDINARY if os.getuid() == 0 and request.param == "ordinary" else os.getuid()
    with Template(uid, PROGRAM) as running:
        yield running


def gone(pid: int) -> bool:
    """Wait until a process is gone."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 10)[0])
    finally:
        os.close(fd)


def test_an_enclave_starts_with_every_lock(template: Template) -> None:
    child = template.spawn()
    assert child.locks == LOCKS
    assert child.call(RANDOM)


def test_enclaves_draw_different_numbers(template: Template) -> None:
    drawn = [template.spawn().call(RANDOM) for _ in range(3)]
    assert len(set(drawn)) == 3


def test_how_an_enclave_ends_is_told(template: Template) -> None:
    closed, left, full, killed = (template.spawn() for _ in range(4))
    closed.link.close()
    for child, method in ((left, LEAVE), (full, EAT)):
        with pytest.raises(Unavailable):
            child.call(method)
    os.kill(killed.pid, signal.SIGKILL)
    codes = [child.ended() for child in (closed, left, full, killed)]
    assert codes == [0, 9, MEMORY_ERROR, -signal.SIGKILL]


def test_a_template_survives_what_it_does_not_understand(template: Template) -> None:
    send_frame(template.control, SPAWN, 0, {"memory_bytes": "much"})
    send_frame(template.control, STARTED, 0, {})
    assert template.spawn().call(RANDOM)


@pytest.mark.parametrize("how", ["template killed", "monitor gone"])
def test_enclaves_end_with_the_template(how: str) -> None:
    with Template(os.getuid(), PROGRAM) as template:
        children = [template.spawn() for _ in range(2)]
        fields = {"method": SPIN, "payload": b""}
        send_frame(children[0].link, 17, 9, fields)  # busy: it does not read its gate
        if how == "template killed":
            template.process.kill()
        else:
            template.control.close()
        assert all(gone(child.pid) for child in children)


def as_user(uid: int, body: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Run `body` in a fresh process of a user and return what it found."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if uid != os.getuid():
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            os.write(write, json.dumps(body()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        found: dict[str, str] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return found


class _Span(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))  # type: ignore[mutable-override]


def checked(result: int) -> int:
    """Return what a libc call returned, or raise its OSError."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "libc")
    return result


def read_mem(pid: int, address: int) -> bytes:
    """Read another process by its mem file."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        return os.pread(file.fileno(), len(HEAP), address)


def read_vm(pid: int, address: int) -> bytes:
    """Read another process by process_vm_readv."""
    data = ctypes.create_string_buffer(len(HEAP))
    here = _Span(ctypes.addressof(data), len(HEAP))
    there = _Span(address, len(HEAP))
    one = ctypes.c_ulong(1)
    spans = (ctypes.byref(here), one, ctypes.byref(there), one)
    checked(libc().process_vm_readv(pid, *spans, ctypes.c_ulong(0)))
    return data.raw


def attacks(pid: int, heap: int, secret: int) -> dict[str, Callable[[], object]]:
    """Return ways into another process."""
    attach, detach = 16, 17

    def trace() -> None:
        checked(libc().ptrace(ctypes.c_long(attach), pid, None, None))
        os.waitpid(pid, 0x40000000)
        libc().ptrace(ctypes.c_long(detach), pid, None, None)

    def steal() -> None:
        pidfd = os.pidfd_open(pid)
        for fd in range(16):
            with contextlib.suppress(OSError):
                checked(libc().syscall(ctypes.c_long(438), pidfd, fd, 0))
                return
        raise PermissionError

    return {
        "mem heap": lambda: read_mem(pid, heap),
        "mem secret": lambda: read_mem(pid, secret),
        "vm heap": lambda: read_vm(pid, heap),
        "vm secret": lambda: read_vm(pid, secret),
        "write": lambda: Path(f"/proc/{pid}/mem").open("r+b").close(),
        "trace": trace,
        "steal a descriptor": steal,
        "maps": lambda: Path(f"/proc/{pid}/maps").read_bytes(),
        "environment": lambda: Path(f"/proc/{pid}/environ").read_bytes(),
        "root": lambda: list(Path(f"/proc/{pid}/root").iterdir()),
        "enter": lambda: checked(libc().setns(os.pidfd_open(pid), 0x20000)),
    }


def try_all(ways: dict[str, Callable[[], object]]) -> dict[str, str]:
    """Try each and return "in", "read" with the secret, or "denied"."""
    found = {}
    for name, way in ways.items():
        try:
            data = way()
            found[name] = "read" if data == HEAP else "in"
        except OSError:
            found[name] = "denied"
    return found


@needs_root
@pytest.mark.parametrize("attacker", [ORDINARY, STRANGER])
def test_no_user_gets_in_not_even_the_same(template: Template, attacker: int) -> None:
    child = template.spawn()
    heap, secret = json.loads(child.call(ADDRESSES))
    ways = attacks(child.pid, heap, secret)
    found = as_user(attacker, lambda: try_all(ways))
    assert found == dict.fromkeys(ways, "denied")


@needs_root
def test_root_reads_ordinary_memory_but_not_secret_memory(template: Template) -> None:
    """Honestly: against root this raises the cost, and no more."""
    child = template.spawn()
    heap, secret = json.loads(child.call(ADDRESSES))
    found = as_user(0, lambda: try_all(attacks(child.pid, heap, secret)))
    assert found["mem heap"] == found["vm heap"] == "read"
    assert found["mem secret"] == found["vm secret"] == "denied"
    assert found["trace"] == "in"


@needs_root
def test_there_is_no_moment_in_which_an_enclave_can_be_entered() -> None:
    """The same user looks for a dumpable process while enclaves are being made."""
    with Template(ORDINARY, PROGRAM) as template:
        folder = Path(f"/proc/{template.process.pid}/task")
        stop, go = os.pipe()

        def hunt() -> dict[str, str]:
            os.close(go)
            looks, caught = 0, ""
            while not select.select([stop], [], [], 0)[0] and not caught:
                for task in folder.iterdir():
                    with contextlib.suppress(OSError):
                        for pid in (task / "children").read_text().split():
                            looks += 1
                            with contextlib.suppress(PermissionError):
                                os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
                                caught = pid
            return {"caught": caught, "looked": str(looks > 0)}

        found: dict[str, str] = {}
        hunter = threading.Thread(target=lambda: found.update(as_user(ORDINARY, hunt)))
        hunter.start()
        for _ in range(10):
            template.spawn().close()
        os.close(go)
        hunter.join()
        os.close(stop)
    assert found == {"caught": "", "looked": "True"}
