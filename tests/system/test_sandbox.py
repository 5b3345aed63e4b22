# SPDX-License-Identifier: Apache-2.0
"""The locks of an enclave, tried from the inside, as root and as an ordinary user."""

import ctypes
import errno
import os
import resource
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.core.codec import cbor
from strongroom.core.rats import LOCKS
from strongroom.errors import Misconfigured, StrongroomError
from strongroom.system.monitor.sandbox import (
    Limits,
    Spec,
    become_template,
    close_descriptors,
    fork_first,
    lock_down,
    namespaces,
    probe,
    readable_paths,
)
from strongroom.system.monitor.sandbox.probe import REMEDIES
from strongroom.system.monitor.sandbox.syscalls import PR_SET_DUMPABLE, libc, prctl

MEMORY_BYTES = 64 << 20
ORDINARY = 12345
SPEC = Spec(Limits(MEMORY_BYTES), readable_paths())
Body = Callable[[tuple[str, ...]], object]

pytestmark = [
    pytest.mark.skipif(
        any(how is not None for how in probe().values()),
        reason="locks are missing here",
    )
]


@pytest.fixture(params=["root", "ordinary"])
def uid(request: pytest.FixtureRequest) -> int:
    """Whose enclave it is."""
    if os.getuid():
        if request.param == "root":
            pytest.skip("not root")
        return os.getuid()
    return 0 if request.param == "root" else ORDINARY


def inside(uid: int, body: Body, spec: Spec = SPEC, *, user_ns: bool = True) -> object:
    """Run `body` in a locked-down process of `uid`; return what it returned."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(uid)
            before = become_template() if user_ns else namespaces.identify()
            prctl(PR_SET_DUMPABLE, 0)
            first = fork_first()
            if first:
                os.waitpid(first, 0)
            else:
                close_descriptors(frozenset({write}))
                os.write(write, cbor.encode(attempt(body, spec, before)))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        value = cbor.decode(pipe.read())
    os.waitpid(child, 0)
    return value


def become(uid: int) -> None:
    """Give up root, which makes this process not dumpable: the trap of the maps."""
    if uid != os.getuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def attempt(body: Body, spec: Spec, before: dict[str, str]) -> object:
    """Lock down and run `body`; an error becomes a value."""
    try:
        return body(lock_down(spec, before))
    except StrongroomError as error:
        return error.to_value()
    except BaseException as error:  # noqa: BLE001 - shown by the test that waits
        return f"{type(error).__name__}: {error}"


def outcome(action: Callable[[], object]) -> str:
    """Return the name of the error that an action ends with, or ok."""
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


def call(name: str, *arguments: int) -> Callable[[], None]:
    """Return a call of a libc function that raises OSError."""

    def action() -> None:
        values = [ctypes.c_long(each) for each in arguments]
        if getattr(libc(), name)(*values) == -1:
            raise OSError(ctypes.get_errno(), name)

    return action


def test_every_lock_holds(uid: int) -> None:
    assert inside(uid, list) == list(LOCKS)


def test_nothing_of_the_host_is_in_sight(uid: int) -> None:
    def look(_: tuple[str, ...]) -> object:
        return {
            "pid": os.getpid(),
            "processes": [e.name for e in Path("/proc").iterdir() if e.name.isdigit()],
            "host": socket.gethostname(),
            "links": Path("/proc/net/dev").read_text().count(":"),
            "passwd": os.path.exists("/etc/passwd"),  # noqa: PTH110 - not permitted: no
            "home": os.path.exists("/root"),  # noqa: PTH110
            "scratch": os.listdir("/scratch"),  # noqa: PTH208
            "mounts": all(
                p not in Path("/proc/self/mountinfo").read_text()
                for p in (" /old", "/home")
            ),
            "fds": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        }

    assert inside(uid, look) == {
        "pid": 1,
        "processes": ["1"],
        "host": "enclave",
        "links": 1,  # lo, and it is down
        "passwd": False,
        "home": False,
        "scratch": [],
        "mounts": True,
        "fds": 5,  # three standard ones, the answer's pipe, this folder's
    }


IN_CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "socket": (lambda: socket.socket(socket.AF_INET), "EPERM"),
    "unix socket": (lambda: socket.socket(socket.AF_UNIX), "EPERM"),
    "exec": (lambda: os.execv("/bin/true", ["true"]), "EPERM"),  # noqa: S606
    "ptrace": (call("ptrace", 0, 0, 0, 0), "EPERM"),
    "process_vm_readv": (call("syscall", 310, 1, 0, 0, 0, 0, 0), "EPERM"),
    "pidfd_open": (lambda: os.pidfd_open(1), "EPERM"),
    "pidfd_getfd": (call("syscall", 438, 0, 0, 0), "EPERM"),
    "io_uring_setup": (call("syscall", 425, 1, 0), "EPERM"),
    "bpf": (call("syscall", 321, 0, 0, 0), "EPERM"),
    "userfaultfd": (call("syscall", 323, 0), "EPERM"),
    "keyctl": (call("syscall", 250, 0, 0, 0), "EPERM"),
    "perf_event_open": (call("syscall", 298, 0, 0, 0, 0, 0), "EPERM"),
    "mount": (call("mount", 0, 0, 0, 0, 0), "EPERM"),
    "umount": (call("umount2", 0, 0), "EPERM"),
    "unshare": (call("unshare", 0x10000000), "EPERM"),
    "setns": (call("setns", 0, 0), "EPERM"),
    "clone into a namespace": (
        call("syscall", 56, 0x10000000 | 17, 0, 0, 0, 0),
        "EPERM",
    ),
    "clone3": (call("syscall", 435, 0, 0), "ENOSYS"),
    "a call of the future": (call("syscall", 600), "ENOSYS"),
    "become dumpable": (lambda: prctl(PR_SET_DUMPABLE, 1), "EPERM"),
    "outlive the parent": (lambda: prctl(1, 0), "EPERM"),
    "let a tracer in": (lambda: prctl(0x59616D61, -1), "EPERM"),
    "list the root": (lambda: os.listdir("/"), "EACCES"),  # noqa: PTH208
    "write to a library": (lambda: Path("/usr/x").touch(), "EROFS"),
    "write to the root": (lambda: Path("/x").touch(), "EROFS"),
    "write to a kernel setting": (
        lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY),
        "EROFS",
    ),
    "make a device": (lambda: os.mknod("/tmp/d", 0o60600, 1), "EPERM"),
    "raise the limit of cores": (
        lambda: resource.prlimit(0, resource.RLIMIT_CORE, (1, 1)),
        "EPERM",
    ),
    "write to nowhere": (lambda: Path("/dev/null").write_text("x"), "ok"),
    "write to memory": (lambda: Path("/scratch/x").write_text("x"), "ok"),
    "read a library": (lambda: Path(os.__file__).read_bytes(), "ok"),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64")
def test_what_is_refused_inside(uid: int) -> None:
    tried = inside(
        uid, lambda _: {name: outcome(do) for name, (do, _) in IN_CALLS.items()}
    )
    assert tried == {name: expected for name, (_, expected) in IN_CALLS.items()}


def test_another_architectures_call_kills(uid: int) -> None:
    def body(_: tuple[str, ...]) -> object:
        child = os.fork()
        if child == 0:
            libc().syscall(ctypes.c_long(0x40000000 | 39))  # x32
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert inside(uid, body) == -31  # SIGSYS


def test_threads_and_processes_work_inside(uid: int) -> None:
    def body(_: tuple[str, ...]) -> object:
        seen: list[int] = []
        threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        child = os.fork()
        if child == 0:
            os._exit(5)
        return [sorted(seen), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]

    assert inside(uid, body) == [[0, 1, 2, 3], 5]


def test_memory_can_be_set(uid: int) -> None:
    def body(_: tuple[str, ...]) -> object:
        block = bytearray(MEMORY_BYTES * 3 // 4)
        del block
        try:
            block = bytearray(MEMORY_BYTES + (1 << 20))
        except MemoryError:
            return "MemoryError"
        return len(block)

    assert inside(uid, body) == "MemoryError"


def test_writable_places_share_one_size(uid: int) -> None:
    half = bytes(MEMORY_BYTES // 2)

    def body(_: tuple[str, ...]) -> object:
        return [
            outcome(lambda path=path: Path(path, "x").write_bytes(half))  # type: ignore[misc]
            for path in ("/tmp", "/scratch", "/dev/shm")
        ]

    small = Spec(Limits(MEMORY_BYTES), SPEC.readable)
    answers = inside(uid, body, small)
    assert answers == ["ok", "ok", "ENOSPC"]


def test_a_missing_lock_stops_the_start_by_name() -> None:
    error = inside(ORDINARY, lambda _: "ran", user_ns=False)
    assert isinstance(error, dict)
    assert error["error"] == Misconfigured.code
    for lock in ("mount-ns", "pid-ns", "net-ns", "private-root"):
        assert lock in error["message"]
    assert "seccomp" not in error["message"]


def test_a_waived_lock_is_not_claimed() -> None:
    waived = (*namespaces.FLAGS, "private-root", "no-capabilities", "landlock")
    spec = Spec(Limits(MEMORY_BYTES), SPEC.readable, waived)
    host = Path("/tmp").stat().st_dev
    held = inside(ORDINARY, list, spec, user_ns=False)
    assert isinstance(held, list)
    assert {"seccomp", "no-new-privs", "limits", "not-dumpable"} <= set(held)
    assert {"mount-ns", "pid-ns", "private-root"}.isdisjoint(held)
    assert Path("/tmp").stat().st_dev == host


def test_the_probe_names_every_lock_and_its_remedy() -> None:
    assert tuple(probe()) == LOCKS
    assert set(REMEDIES) == set(LOCKS)
