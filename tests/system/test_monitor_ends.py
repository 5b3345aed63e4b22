# SPDX-License-Identifier: Apache-2.0
"""Ends that nobody asked for: every process is killed once, nothing stays behind."""

import contextlib
import ctypes
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from strongroom.errors import (
    AppFailed,
    Conflict,
    Stale,
    Unavailable,
    error_from_value,
)
from strongroom.services.isolation import Isolation
from strongroom.system.monitor.gate import (
    NUMBERS,
    GateConnection,
    recv_frame,
    send_frame,
)
from tests.system.deployment import (
    Deployment,
    alive,
    call_of,
    children,
    create,
    creation,
    eventually,
    in_own_pid_namespace,
    make_deployment,
    record_of,
)
from tests.system.echo_program import Method

SECRET = "planted-secret"


@pytest.mark.parametrize(
    ("method", "how"),
    [
        (Method.EXIT, "exit code 7"),
        (Method.CRASH, "killed by"),
        (Method.RAISE, "exit code"),
    ],
)
def test_the_program_ends_in_a_call(
    running: Deployment, isolation: Isolation, method: Method, how: str
) -> None:
    with create(running, isolation) as enclave:
        with pytest.raises(AppFailed) as failure:
            enclave.call(method, b"")
        assert SECRET not in str(failure.value.to_value())
        with pytest.raises(AppFailed):
            enclave.call(Method.ECHO, b"")
        record = record_of(running, isolation, enclave.destroy())
    assert record.reason == "exited"
    assert how in record.exit
    assert SECRET not in record.exit


def test_the_program_ends_between_calls(
    running: Deployment, isolation: Isolation
) -> None:
    with create(running, isolation, threads=2) as enclave:
        enclave.call(Method.EXIT_LATER, b"0.05")
        eventually(lambda: isolation.status().enclaves == ())
        record = record_of(running, isolation, enclave.destroy())
    assert record.reason == "exited"
    assert record.exit == "exit code 7"


def test_a_caller_who_is_not_the_owner_may_go(
    running: Deployment, gate: GateConnection
) -> None:
    created = gate.call("CREATE", creation(running))
    with socket.socket(socket.AF_UNIX) as second:
        second.connect(os.fspath(running.socket))
        payload = {**call_of(created["handle"], Method.SLEEP), "payload": b"0.2"}
        send_frame(second, NUMBERS["CALL"], 1, payload)
    assert gate.call("CALL", call_of(created["handle"]))["payload"] == b"x"


def test_destroy_during_a_call(running: Deployment, isolation: Isolation) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(running.socket))
        gate = GateConnection(link)
        created = gate.call("CREATE", creation(running))
        payload = {**call_of(created["handle"], Method.SLEEP), "payload": b"60"}
        send_frame(link, NUMBERS["CALL"], 9, payload)
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(os.fspath(running.socket))
            GateConnection(second).call("DESTROY", {"handle": created["handle"]})
        frame = recv_frame(link)
        assert frame is not None
        assert type(error_from_value(frame.fields)) is Conflict
    assert isolation.status().enclaves == ()


@pytest.mark.parametrize("asleep", [False, True], ids=["idle", "in a call"])
def test_the_owner_is_killed(
    running: Deployment, isolation: Isolation, *, asleep: bool
) -> None:
    ready, tell = os.pipe()
    owner = os.fork()
    if owner == 0:
        with contextlib.suppress(BaseException):
            own = Isolation.connect(running.socket)
            enclave = create(running, own)
            os.write(tell, b"1")
            enclave.call(Method.SLEEP, b"60" if asleep else b"0")
            time.sleep(60)
        os._exit(1)
    os.close(tell)
    assert os.read(ready, 1) == b"1"
    os.close(ready)
    assert len(isolation.status().enclaves) == 1
    os.kill(owner, signal.SIGKILL)
    os.waitpid(owner, 0)
    eventually(lambda: isolation.status().enclaves == ())
    create(running, isolation).destroy()


def test_the_enclave_is_killed(deployment: Deployment) -> None:
    with deployment.start() as monitor, Isolation.connect(monitor.socket) as isolation:
        before = set(children(monitor.pid))
        with create(deployment, isolation) as enclave:
            new = set(children(monitor.pid)) - before
            (first,) = (pid for pid in new if in_own_pid_namespace(pid))
            os.kill(first, signal.SIGKILL)
            with pytest.raises(AppFailed):
                enclave.call(Method.ECHO, b"")
            record = record_of(deployment, isolation, enclave.destroy())
            assert record.reason == "exited"
            assert record.exit == "killed by SIGKILL"
        eventually(lambda: not any(alive(pid) for pid in new))
        create(deployment, isolation).destroy()


def test_the_template_is_killed(deployment: Deployment) -> None:
    with deployment.start() as monitor, Isolation.connect(monitor.socket) as isolation:
        template = children(monitor.pid)[0]
        with create(deployment, isolation) as enclave:
            below = children(monitor.pid)
            os.kill(template, signal.SIGKILL)
            eventually(lambda: not any(alive(pid) for pid in below))
            with pytest.raises(AppFailed):
                enclave.call(Method.ECHO, b"")
            assert enclave.destroy()
        with create(deployment, isolation) as enclave:
            assert enclave.call(Method.ECHO, b"x") == b"x"


def test_the_monitor_is_killed(deployment: Deployment) -> None:
    with deployment.start() as monitor:
        isolation = Isolation.connect(monitor.socket)
        enclave = create(deployment, isolation, name="steady")
        digest = enclave.call(Method.SEALING_KEY_DIGEST, b"a")
        assert enclave.call(Method.INCREMENT, b"c") == b"1"
        below = children(monitor.pid)
        assert below
        os.kill(monitor.pid, signal.SIGKILL)
        with pytest.raises(Unavailable):
            enclave.call(Method.ECHO, b"")
        eventually(lambda: not any(alive(pid) for pid in below))
        enclave.close()
        isolation.close()
    with deployment.start() as monitor, Isolation.connect(monitor.socket) as isolation:
        with create(deployment, isolation, name="steady") as enclave:
            assert enclave.call(Method.SEALING_KEY_DIGEST, b"a") == digest
            assert enclave.call(Method.INCREMENT, b"c") == b"2"
        create(deployment, isolation, svn=2).destroy()
    with (
        deployment.start() as monitor,
        Isolation.connect(monitor.socket) as isolation,
        pytest.raises(Stale),
    ):
        create(deployment, isolation, svn=1)


def test_nothing_is_left_after_a_stop(deployment: Deployment) -> None:
    monitor = deployment.start()
    with Isolation.connect(monitor.socket) as isolation:
        enclave = create(deployment, isolation)
        below = children(monitor.pid)
        assert monitor.stop() == 0
        enclave.close()
    assert not deployment.socket.exists()
    eventually(lambda: not any(alive(pid) for pid in below))


def test_the_lifeline(deployment: Deployment) -> None:
    monitor = deployment.start()
    assert monitor.process.stdin is not None
    monitor.process.stdin.close()
    assert monitor.process.wait(10) == 0


def sleeps(pid: int) -> bool:
    return "State:\tS" in Path(f"/proc/{pid}/task/{pid}/status").read_text()


def test_it_ends_on_sigterm_whichever_thread_the_signal_finds(tmp_path: Path) -> None:
    deployment = make_deployment(tmp_path / "d", "intl")
    with deployment.start() as monitor:
        tasks = Path(f"/proc/{monitor.pid}/task")
        first, *others = sorted(int(task.name) for task in tasks.iterdir())
        assert first == monitor.pid
        eventually(lambda: sleeps(first))
        assert ctypes.CDLL(None).tgkill(first, others[0], signal.SIGTERM) == 0
        assert monitor.process.wait(5) == 0
