# SPDX-License-Identifier: Apache-2.0
"""The manifest's limits hold: N works, N + 1 ends with the limit's name (RES-1)."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import LimitReached, Unavailable
from strongroom.services.isolation import Enclave, Isolation
from strongroom.system.monitor.sandbox import MAX_TASKS, Limits, probe, tasks
from strongroom.system.monitor.sandbox.limits import RUNTIME_THREADS
from tests.system.deployment import (
    Deployment,
    alive,
    children,
    create,
    eventually,
    make_deployment,
    record_of,
    rule_of,
)
from tests.system.resource_program import Use
from tests.system.template_process import MEMORY_BYTES, ORDINARY, Child, Template

PROGRAM = "tests.system.resource_program"
SLACK = 2 << 20

pytestmark = [
    pytest.mark.skipif(
        any(how is not None for how in probe().values()),
        reason="locks are missing here",
    )
]


@pytest.fixture(scope="module", params=["root", "ordinary"])
def template(request: pytest.FixtureRequest) -> Iterator[Template]:
    """A template of root, whom RLIMIT_NPROC does not bind, and of an ordinary user."""
    if os.getuid() and request.param == "root":
        pytest.skip("not root")
    uid = ORDINARY if os.getuid() == 0 and request.param == "ordinary" else os.getuid()
    with Template(uid, PROGRAM) as running:
        yield running


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployment = make_deployment(tmp_path_factory.mktemp("resources") / "d", "intl")
    with deployment.start(program=PROGRAM):
        yield deployment


@pytest.fixture
def isolation(monitored: Deployment) -> Iterator[Isolation]:
    with Isolation.connect(monitored.socket) as connected:
        yield connected


def limits(
    threads: int = 1, processes: int = 0, cpu_seconds: int = 0, *, apart: bool = False
) -> Limits:
    return Limits(MEMORY_BYTES, threads, processes, cpu_seconds, apart)


def limit_of(child: Child, use: Use, payload: bytes = b"") -> str:
    """Return the limit that ends an enclave which uses too much."""
    with pytest.raises(Unavailable):
        child.call(use, payload)
    child.ended()
    return child.limit


@pytest.mark.parametrize("n", [1, 2, 5])
def test_n_threads_run_and_one_more_ends_the_enclave(
    template: Template, n: int
) -> None:
    child = template.spawn(limits(threads=n))
    for _ in range(3):  # threads that have ended do not count
        assert json.loads(child.call(Use.THREADS, b"%d" % (n - 1))) == n
    assert limit_of(child, Use.THREADS, b"%d" % n) == "threads"


@pytest.mark.parametrize("n", [0, 1, 4])
def test_n_children_run_and_one_more_ends_the_enclave(
    template: Template, n: int
) -> None:
    child = template.spawn(limits(processes=n))
    for _ in range(3):
        assert json.loads(child.call(Use.PROCESSES, b"%d" % n)) == n + 1
    assert limit_of(child, Use.PROCESSES, b"%d" % (n + 1)) == "processes"


def test_threads_are_counted_for_each_process(template: Template) -> None:
    child = template.spawn(limits(threads=3, processes=1))
    child.call(Use.THREADS_IN_EACH, b"2")
    assert limit_of(child, Use.THREADS_IN_EACH, b"3") == "threads"


def test_orphans_are_still_counted(template: Template) -> None:
    child = template.spawn(limits(processes=4))
    assert json.loads(child.call(Use.ORPHANS, b"3")) == 3
    assert limit_of(child, Use.ORPHANS, b"2") == "processes"


def test_beside_a_runtime_its_process_and_threads_do_not_count(
    template: Template,
) -> None:
    """This program is then where the runtime is; its child is where the app is."""
    child = template.spawn(Limits(4 * MEMORY_BYTES, 1, 0, apart=True))
    assert json.loads(child.call(Use.THREADS, b"%d" % (RUNTIME_THREADS - 1)))
    assert json.loads(child.call(Use.PROCESSES, b"1")) == 2
    assert limit_of(child, Use.PROCESSES, b"2") == "processes"


@pytest.mark.parametrize(
    ("bomb", "limit"), [(Use.THREAD_BOMB, "threads"), (Use.FORK_BOMB, "processes")]
)
def test_a_bomb_ends_at_once_and_harms_nobody(
    template: Template, bomb: Use, limit: str
) -> None:
    bystander = template.spawn(limits(threads=4, processes=2))
    child = template.spawn(limits(threads=8, processes=8))
    most, stop = 0, threading.Event()

    def look() -> None:
        nonlocal most
        while not stop.wait(0.001):
            here = tasks.processes_of(child.pid)
            most = max(most, sum(len(tasks.threads_of(pid)) for pid in here))

    looker = threading.Thread(target=look)
    looker.start()
    began = time.monotonic()
    assert limit_of(child, bomb) == limit
    took_s = time.monotonic() - began
    stop.set()
    looker.join()
    assert took_s < 2
    assert most <= 2 * 9, "more tasks than may be on their way at one time"
    assert json.loads(bystander.call(Use.THREADS, b"3")) == 4
    assert json.loads(bystander.call(Use.PROCESSES, b"2")) == 3
    assert not alive(child.pid)


def test_enclaves_are_made_while_others_are_watched(template: Template) -> None:
    """The thread that forks is not the only busy one then."""
    busy = [template.spawn(limits(threads=4, processes=2)) for _ in range(2)]
    stop = threading.Event()

    def churn(child: Child) -> None:
        while not stop.is_set():
            child.call(Use.THREADS, b"3")
            child.call(Use.PROCESSES, b"1")

    churning = [threading.Thread(target=churn, args=(child,)) for child in busy]
    for thread in churning:
        thread.start()
    for _ in range(12):
        child = template.spawn(limits(threads=2))
        assert json.loads(child.call(Use.THREADS, b"1")) == 2
        child.close()
    stop.set()
    for thread in churning:
        thread.join()
    assert all(json.loads(child.call(Use.THREADS, b"0")) == 1 for child in busy)


def test_an_endless_loop_ends_at_its_cpu_seconds(template: Template) -> None:
    child = template.spawn(limits(cpu_seconds=1))
    child.call(Use.SPIN, b"0.4")
    began = time.monotonic()
    assert limit_of(child, Use.SPIN, b"0") == "cpu_seconds"
    assert time.monotonic() - began < 4


def test_children_whom_nobody_waits_for_use_it_up_too(template: Template) -> None:
    child = template.spawn(limits(processes=1, cpu_seconds=1))
    began = time.monotonic()
    assert limit_of(child, Use.SPIN_IN_CHILDREN, b"0.3") == "cpu_seconds"
    assert time.monotonic() - began < 6


def test_beside_a_runtime_only_the_app_uses_it_up(template: Template) -> None:
    child = template.spawn(limits(cpu_seconds=1, apart=True))
    child.call(Use.SPIN, b"1.5")
    assert limit_of(child, Use.SPIN_IN_CHILDREN, b"0.3") == "cpu_seconds"


def test_both_ways_to_find_processes_find_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_kernel = set(tasks.processes_of(os.getpid()))
    monkeypatch.setattr(tasks, "_kernel_lists_children", lambda: False)
    assert set(tasks.processes_of(os.getpid())) == by_kernel >= {os.getpid()}


def refused(enclave: Enclave, use: Use, payload: bytes = b"") -> LimitReached:
    with pytest.raises(LimitReached) as failure:
        enclave.call(use, payload)
    return failure.value


@pytest.mark.parametrize(
    ("use", "name", "value"),
    [
        (Use.THREAD_BOMB, "threads", 2),
        (Use.FORK_BOMB, "processes", 1),
        (Use.SPIN, "cpu_seconds", 1),
    ],
)
def test_the_error_the_record_and_the_log_name_the_limit(
    monitored: Deployment, isolation: Isolation, use: Use, name: str, value: int
) -> None:
    declared = {"threads": 2, "processes": 1, "cpu_seconds": 1}
    with create(monitored, isolation, **declared) as enclave:
        error = refused(enclave, use, b"0")
        assert f"{name}: {value}" in error.message
        assert rule_of(error) == f"resource.{name}"
        assert refused(enclave, Use.ECHO, b"x").message == error.message
        record = record_of(monitored, isolation, enclave.destroy())
    assert (record.reason, record.exit) == ("limit", f"ended at its limit {name}")
    isolation.log_head()
    end = [each for each in monitored.records() if each.action == "gate.end"][-1]
    assert end.subject == record.enclave_id.hex()
    assert end.detail["error"] == "limit-reached"
    assert end.detail["rule"] == f"resource.{name}"


def test_more_than_an_enclave_may_have_is_not_even_started(
    monitored: Deployment, isolation: Isolation
) -> None:
    with pytest.raises(LimitReached, match="processes"):
        create(monitored, isolation, threads=2, processes=MAX_TASKS)
    create(monitored, isolation, threads=2, processes=MAX_TASKS // 2 - 1).close()


def test_memory_that_is_shared_counts_or_is_refused(
    monitored: Deployment, isolation: Isolation
) -> None:
    with create(monitored, isolation) as enclave:
        ways = json.loads(enclave.call(Use.SHARED, b"%d" % (MEMORY_BYTES - SLACK)))
        assert ways == {
            "memfd": "PermissionError",
            "anonymous": "PermissionError",
            "/dev/zero": "FileNotFoundError",
            "a file": "ok",
        }
        ways = json.loads(enclave.call(Use.SHARED, b"%d" % (MEMORY_BYTES + 1)))
        assert ways["a file"] == "no space"


def test_all_files_together_have_the_memory_of_the_enclave(
    monitored: Deployment, isolation: Isolation
) -> None:
    third = (MEMORY_BYTES - SLACK) // 3
    with create(monitored, isolation) as enclave:
        assert json.loads(enclave.call(Use.FILES, b"%d" % third)) == "ok"
        more = b"%d" % (third + SLACK)
        assert json.loads(enclave.call(Use.FILES, more)) == "No space left on device"


def test_what_an_enclave_asks_for_is_logged_without_its_secrets(
    monitored: Deployment, isolation: Isolation
) -> None:
    label = "patient-17"
    with create(monitored, isolation) as enclave:
        enclave.call(Use.ASK_ALL, label.encode())
        record = record_of(monitored, isolation, enclave.destroy())
    isolation.log_head()
    me = record.enclave_id.hex()
    entries = [each for each in monitored.records() if each.subject == me]
    assert [(each.action, each.detail.get("error", "ok")) for each in entries] == [
        ("gate.report", "ok"),
        ("gate.sealing-key", "ok"),
        ("gate.increment", "ok"),
        ("gate.counter", "ok"),
        ("gate.random", "ok"),
        ("gate.now", "ok"),
        ("gate.random", "malformed"),
        ("gate.random", "limit-reached"),
        ("gate.end", "ok"),
    ]
    assert all(each.detail["app"] == record.measurement.hex() for each in entries)
    files = [each for each in monitored.log.rglob("*") if each.is_file()]
    assert not any(label.encode() in each.read_bytes() for each in files)


def memory_holds(pid: int, wanted: bytes) -> bool:
    """Return whether any readable memory of a process holds these bytes."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, mode, *_ = line.split()
        start, end = (int(part, 16) for part in span.split("-"))
        if not mode.startswith("r"):
            continue
        try:
            with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
                if wanted in os.pread(memory.fileno(), end - start, start):
                    return True
        except (OSError, OverflowError):
            continue
    return False


@pytest.mark.skipif(os.getuid() != 0, reason="only root can look")
def test_after_destroy_nothing_of_an_enclave_is_left_in_any_process(
    deployment: Deployment,
) -> None:
    """IF-2: what can be shown; the kernel zeroes pages before it gives them on."""
    planted = os.urandom(48)
    masked = bytes(byte ^ 0x55 for byte in planted)  # so it is in the enclave only
    with (
        deployment.start(program=PROGRAM) as monitor,
        Isolation.connect(monitor.socket) as isolation,
    ):
        below = set(children(monitor.pid))
        enclave = create(deployment, isolation)
        enclave.call(Use.PLANT, masked)
        inside = set(children(monitor.pid)) - below
        assert any(memory_holds(pid, planted) for pid in inside), "the search works"
        assert not any(memory_holds(pid, planted) for pid in {monitor.pid, *below})
        enclave.destroy()
        eventually(lambda: not any(alive(pid) for pid in inside))
        left = {monitor.pid, *children(monitor.pid)}
        assert left == {monitor.pid, *below}
        assert not any(memory_holds(pid, planted) for pid in left)
