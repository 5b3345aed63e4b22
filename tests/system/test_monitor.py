# SPDX-License-Identifier: Apache-2.0
"""The monitor with real processes: admission, gate, limits, keys, records, crashes."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import Bundle
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.signed import open_record
from strongroom.core.rats import Destruction, Endorsements
from strongroom.errors import (
    AppFailed,
    Conflict,
    LimitReached,
    Malformed,
    Misconfigured,
    Refused,
    Stale,
    StrongroomError,
    Unavailable,
    Untrusted,
    error_from_value,
)
from strongroom.hardware.simulated.verify import verify
from strongroom.services.isolation import Enclave, Isolation
from strongroom.system.monitor.create import Locks
from strongroom.system.monitor.events import EventLog, GateEvent
from strongroom.system.monitor.gate import (
    COMMANDS,
    ERROR,
    MAX_FRAME_BYTES,
    NUMBERS,
    GateConnection,
    recv_frame,
    send_frame,
)
from strongroom.system.monitor.report import verify_app_evidence
from tests.system.deployment import MEMORY_BYTES, Deployment, make_bundle, make_key
from tests.system.echo_program import Method

SECRET = "planted-secret"
SLACK = 2 << 20
"""The heap of a Python process moves by about this much; the limit is over it."""


@pytest.fixture
def isolation(running: Deployment) -> Iterator[Isolation]:
    with Isolation.connect(running.socket) as connected:
        yield connected


@pytest.fixture
def enclave(running: Deployment, isolation: Isolation) -> Iterator[Enclave]:
    with create(running, isolation) as made:
        yield made


@pytest.fixture
def gate(running: Deployment) -> Iterator[GateConnection]:
    """A bare connection, to send what no honest client would."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(running.socket))
        yield GateConnection(link)


def create(deployment: Deployment, isolation: Isolation, **changes: object) -> Enclave:
    bundle = deployment.bundle(**changes).to_bytes()
    return isolation.create(bundle, deployment.policy())


def record_of(deployment: Deployment, isolation: Isolation, data: bytes) -> Destruction:
    key = isolation.status().monitor_key
    assert key.suite == deployment.suite_id
    return open_record(Destruction, data, key.verifying())


def rule_of(error: StrongroomError) -> str:
    return error.findings[0].rule


def children(pid: int) -> list[int]:
    """Return every process below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def in_own_pid_namespace(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return any(
        line.startswith("NSpid:") and len(line.split()) > 2
        for line in status.splitlines()
    )


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something that other processes do has happened."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_create_call_destroy(running: Deployment, isolation: Isolation) -> None:
    bundle = running.bundle()
    enclave = isolation.create(bundle.to_bytes(), running.policy(), b"configuration")
    assert enclave.measurement == bundle.manifest.measurement
    assert enclave.call(Method.ECHO, b"hello") == b"hello"
    assert enclave.call(Method.CONFIG, b"") == b"configuration"
    assert enclave.call(Method.BUNDLE_SIZE, b"") == b"%d" % len(bundle.to_bytes())
    assert [each.enclave_id for each in isolation.status().enclaves] == [
        enclave.enclave_id
    ]
    data = enclave.destroy()
    assert enclave.destroy() == data
    record = record_of(running, isolation, data)
    assert record.reason == "requested"
    assert record.enclave_id == enclave.enclave_id
    assert record.measurement == enclave.measurement
    assert record.memory_bytes == MEMORY_BYTES
    assert isolation.status().enclaves == ()


def test_call_after_destroy(enclave: Enclave) -> None:
    enclave.destroy()
    with pytest.raises((Conflict, Unavailable)):
        enclave.call(Method.ECHO, b"")


def test_call_after_destroy_on_an_open_connection(
    running: Deployment, gate: GateConnection
) -> None:
    created = gate.call("CREATE", creation(running))
    gate.call("DESTROY", {"handle": created["handle"]})
    with pytest.raises(Conflict):
        gate.call("CALL", call_of(created["handle"]))
    assert "record" in gate.call("DESTROY", {"handle": created["handle"]})


@pytest.mark.usefixtures("enclave")
def test_wrong_handle(gate: GateConnection) -> None:
    for command, fields in (
        ("CALL", call_of(bytes(16))),
        ("DESTROY", {"handle": bytes(16)}),
    ):
        with pytest.raises(Refused) as refusal:
            gate.call(command, fields)
        assert rule_of(refusal.value) == "gate.owner"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_with_the_right_handle(
    running: Deployment, gate: GateConnection
) -> None:
    created = gate.call("CREATE", creation(running))
    answer, tell = os.pipe()
    running.socket.parent.chmod(0o755)
    running.socket.chmod(0o666)
    other = os.fork()
    if other == 0:
        try:
            os.chdir(running.socket.parent)
            os.seteuid(65534)
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(running.socket.name)
                GateConnection(link).call("CALL", call_of(created["handle"]))
        except Refused as refusal:
            os.write(tell, rule_of(refusal).encode())
        finally:
            os._exit(0)
    os.waitpid(other, 0)
    running.socket.chmod(0o600)
    running.socket.parent.chmod(0o700)
    os.close(tell)
    with os.fdopen(answer, "rb") as pipe:
        assert pipe.read() == b"gate.owner"
    assert gate.call("CALL", call_of(created["handle"]))["payload"] == b"x"


def creation(running: Deployment, **fields: object) -> dict[str, object]:
    return {
        "bundle": running.bundle().to_bytes(),
        "launch_policy": running.policy(),
        "config": b"",
        "memory_bytes": 0,
        "methods": b"",
        **fields,
    }


def call_of(handle: object, method: int = Method.ECHO) -> dict[str, object]:
    return {"handle": handle, "method": method, "payload": b"x"}


def test_only_allowed_methods(running: Deployment, isolation: Isolation) -> None:
    bundle, policy = running.bundle().to_bytes(), running.policy()
    with isolation.create(bundle, policy, methods=(Method.ECHO,)) as enclave:
        assert enclave.call(Method.ECHO, b"x") == b"x"
        with pytest.raises(Refused) as refusal:
            enclave.call(Method.NOW, b"")
        assert rule_of(refusal.value) == "gate.permission"


def test_files_cross_and_nothing_else(enclave: Enclave, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"second")
    with (tmp_path / "a").open("rb") as a, (tmp_path / "b").open("rb") as b:
        answer = enclave.call(Method.READ_FILE, b"", [a.fileno(), b.fileno()])
    assert answer == b"firstsecond"
    read, write = os.pipe()
    try:
        with pytest.raises(Malformed):
            enclave.call(Method.READ_FILE, b"", [read])
    finally:
        os.close(read)
        os.close(write)
    assert enclave.call(Method.ECHO, b"x") == b"x"


def test_an_error_of_the_program_leaves_it_alive(enclave: Enclave) -> None:
    with pytest.raises(Malformed):
        enclave.call(Method.REFUSE, b"")
    assert enclave.call(Method.ECHO, b"x") == b"x"


def altered(bundle: Bundle, **changes: object) -> bytes:
    return cbor.encode({**bundle.to_value(), **changes})


def altered_manifest(bundle: Bundle, **changes: object) -> bytes:
    return altered(bundle, manifest={**bundle.manifest.to_value(), **changes})


def refused_bundles(running: Deployment) -> dict[str, bytes]:
    good, other = running.bundle(), make_key(running.suite_id)
    other_suite = {"intl": "sm", "sm": "intl"}[running.suite_id]
    code = {"app/__init__.py": b"", "app/code.py": b"def run():\n    return 2\n"}
    return {
        "bundle.signature": altered(good, signature=b""),
        "bundle.content": altered(good, content=cbor.encode(code)),
        "bundle.measurement": altered_manifest(good, memory_bytes=2 * MEMORY_BYTES),
        "bundle.signer": make_bundle(other).to_bytes(),
        "bundle.suite": make_bundle(make_key(other_suite)).to_bytes(),
    }


@pytest.mark.parametrize(
    "rule",
    [
        "bundle.signature",
        "bundle.content",
        "bundle.measurement",
        "bundle.signer",
        "bundle.suite",
    ],
)
def test_refused_bundle(running: Deployment, isolation: Isolation, rule: str) -> None:
    with pytest.raises(Refused) as refusal:
        isolation.create(refused_bundles(running)[rule], running.policy())
    finding = refusal.value.findings[0]
    assert finding.rule == rule
    assert finding.owner
    assert finding.remedy
    assert isolation.status().enclaves == ()


def test_signature_of_another_key(running: Deployment, isolation: Isolation) -> None:
    other = make_bundle(make_key(running.suite_id))
    bundle = altered(running.bundle(), signature=other.signature)
    with pytest.raises(Untrusted) as refusal:
        isolation.create(bundle, running.policy())
    assert rule_of(refusal.value) == "bundle.signature"


def test_bytes_that_are_no_bundle(running: Deployment, isolation: Isolation) -> None:
    for data in (b"", b"\xa0", running.bundle().to_bytes()[:-1]):
        with pytest.raises(Malformed):
            isolation.create(data, running.policy())


def test_older_svn(running: Deployment, isolation: Isolation) -> None:
    create(running, isolation, name="rising", svn=3).destroy()
    create(running, isolation, name="rising", svn=3).destroy()
    with pytest.raises(Stale) as refusal:
        create(running, isolation, name="rising", svn=2)
    assert rule_of(refusal.value) == "bundle.svn"
    create(running, isolation, name="another", svn=2).destroy()


def test_a_refused_bundle_raises_no_svn(
    running: Deployment, isolation: Isolation
) -> None:
    with pytest.raises(Untrusted):
        isolation.create(
            altered_manifest(running.bundle(name="pushed"), svn=9), running.policy()
        )
    create(running, isolation, name="pushed", svn=1).destroy()


def test_launch_policy(running: Deployment, isolation: Isolation) -> None:
    bundle = running.bundle().to_bytes()
    forged = Deployment(
        running.folder,
        running.suite_id,
        b"",
        make_key(running.suite_id),
        running.provider,
    )
    with pytest.raises(Untrusted) as refusal:
        isolation.create(bundle, forged.policy())
    assert rule_of(refusal.value) == "launch.signature"
    running.policy_version += 1
    isolation.create(bundle, running.policy()).destroy()
    assert isolation.status().launch_policy_version == running.policy_version
    with pytest.raises(Stale) as stale:
        isolation.create(bundle, running.policy(version=running.policy_version - 1))
    assert rule_of(stale.value) == "launch.version"


def test_the_spec_lists_every_command() -> None:
    spec = (Path(__file__).parents[2] / "docs/specs/gate.md").read_text()
    listed = re.findall(
        r"^\| (\d+) \| (\w+) \| (\w+) -> \w+ \| (.*?) \|", spec, re.MULTILINE
    )
    assert {int(number): (name, side) for number, name, side, _ in listed} == {
        number: (command.name, command.side) for number, command in COMMANDS.items()
    }
    for number, _, _, fields in listed:
        for name in COMMANDS[int(number)].fields:
            assert name in fields


def test_bad_commands_are_refused_and_the_connection_survives(
    running: Deployment, gate: GateConnection
) -> None:
    payload = {"handle": bytes(16), "method": 1, "payload": bytes((16 << 20) + 1)}
    bad: list[tuple[int, dict[str, object], type[StrongroomError]]] = [
        (99, {}, Malformed),
        (NUMBERS["REPORT"], {"nonce": bytes(16), "user_data": b""}, Malformed),
        (NUMBERS["INVOKE"], {"method": 1, "payload": b""}, Malformed),
        (NUMBERS["STATUS"], {"more": 1}, Malformed),
        (NUMBERS["EVIDENCE"], {"nonce": "text of 16 chars"}, Malformed),
        (NUMBERS["EVIDENCE"], {"nonce": b"short"}, Malformed),
        (NUMBERS["EVIDENCE"], {"nonce": bytes(65)}, LimitReached),
        (NUMBERS["CALL"], payload, LimitReached),
        (NUMBERS["CREATE"], creation(running, memory_bytes=1 << 45), LimitReached),
    ]
    for number, fields, kind in bad:
        send_frame(gate.link, number, 5, fields)
        frame = recv_frame(gate.link)
        assert frame is not None
        assert frame.request == 5
        assert type(error_from_value(frame.fields)) is kind
    assert gate.call("STATUS", {})["suite"] == running.suite_id


def test_what_is_no_frame_ends_the_connection_only(
    running: Deployment, isolation: Isolation
) -> None:
    for data in (
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"\0\0\0\1\xff",
        b"\0\0\0\1\xa0",
        b"\0\0",
    ):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(os.fspath(running.socket))
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            while link.recv(4096):
                pass
    assert isolation.status().suite == running.suite_id


def test_descriptors_where_none_belong(
    running: Deployment, gate: GateConnection
) -> None:
    with (running.folder / "gate.log").open("rb") as file:
        send_frame(gate.link, NUMBERS["STATUS"], 1, {}, [file.fileno()])
    frame = recv_frame(gate.link)
    assert frame is not None
    assert frame.number == ERROR
    assert gate.call("STATUS", {})


def test_the_gate_is_for_its_user_only(running: Deployment) -> None:
    assert running.socket.stat().st_mode & 0o777 == 0o600
    assert running.socket.parent.stat().st_mode & 0o777 == 0o700


def test_the_log_names_every_command_and_no_secret(
    running: Deployment, gate: GateConnection
) -> None:
    created = gate.call("CREATE", creation(running))
    handle, name = created["handle"], created["enclave_id"]
    assert isinstance(handle, bytes)
    assert isinstance(name, bytes)
    gate.call("CALL", call_of(handle))
    with pytest.raises(Refused):
        gate.call("CALL", call_of(bytes(16)))
    gate.call("DESTROY", {"handle": handle})
    log = (running.folder / "gate.log").read_text()
    lines = log.splitlines()[-4:]
    for line, command, outcome in zip(
        lines,
        ("CREATE", "CALL", "CALL", "DESTROY"),
        ("ok", "ok", "refused", "ok"),
        strict=True,
    ):
        assert f'"command":"{command}"' in line
        assert f'"outcome":"{outcome}"' in line
        assert f'"caller_pid":{os.getpid()}' in line
    assert name.hex() in lines[1]
    assert "gate.owner" in lines[2]
    assert handle.hex() not in log


def test_memory_up_to_the_limit_and_not_beyond(
    running: Deployment, isolation: Isolation
) -> None:
    with create(running, isolation) as enclave:
        assert enclave.call(Method.ALLOCATE, b"%d" % (MEMORY_BYTES - SLACK)) == b""
        over = b"%d" % (MEMORY_BYTES + SLACK)
        assert enclave.call(Method.ALLOCATE, over) == b"MemoryError"
        with pytest.raises(LimitReached, match=f"memory of {MEMORY_BYTES}"):
            enclave.call(Method.ALLOCATE_UNCAUGHT, over)
        with pytest.raises(LimitReached):
            enclave.call(Method.ECHO, b"")
        record = record_of(running, isolation, enclave.destroy())
    assert record.reason == "limit"
    assert record.memory_bytes == MEMORY_BYTES


def test_two_enclaves_do_not_share_the_quota(
    running: Deployment, isolation: Isolation
) -> None:
    most = b"%d" % (MEMORY_BYTES - SLACK)
    with create(running, isolation) as one, create(running, isolation) as two:
        results: list[bytes] = []
        threads = [
            threading.Thread(
                target=lambda e=each: results.append(e.call(Method.ALLOCATE, most))
            )
            for each in (one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [b"", b""]


def test_memory_can_be_set_and_is_reported(
    running: Deployment, isolation: Isolation
) -> None:
    bundle = running.bundle().to_bytes()
    most = MEMORY_BYTES * 2
    with isolation.create(bundle, running.policy(), memory_bytes=most) as enclave:
        assert isolation.status().enclaves[0].memory_bytes == most
        assert enclave.call(Method.ALLOCATE, b"%d" % (MEMORY_BYTES + SLACK)) == b""
    with pytest.raises(LimitReached):
        isolation.create(bundle, running.policy(), memory_bytes=1 << 44)


def test_evidence_verifies(running: Deployment, isolation: Isolation) -> None:
    now = int(time.time())
    nonce = os.urandom(16)
    bundle = running.bundle()
    platform = verify(isolation.evidence(nonce), Endorsements((running.root,), ()), now)
    assert platform.nonce == nonce
    assert platform.device_id == isolation.status().device_id
    assert PublicKey.of(platform.monitor_key) == isolation.status().monitor_key
    assert all(register.events for register in platform.registers)
    with isolation.create(bundle.to_bytes(), running.policy(), b"config") as enclave:
        report = enclave.call(Method.REPORT, nonce)
        app = verify_app_evidence(report, platform, now + 1)
        assert app.enclave_id == enclave.enclave_id
    assert app.nonce == nonce
    assert app.user_data == b"user data"
    assert app.measurement == bundle.manifest.measurement
    assert app.signer == running.provider.public.key_id
    assert app.memory_bytes == MEMORY_BYTES
    assert app.permissions == ("storage:journal",)
    assert app.locks == isolation.status().locks
    assert not app.debug


def test_sealing_keys_belong_to_the_measurement(
    running: Deployment, isolation: Isolation
) -> None:
    def digest(label: bytes, **changes: object) -> bytes:
        with create(running, isolation, **changes) as enclave:
            return enclave.call(Method.SEALING_KEY_DIGEST, label)

    assert digest(b"a") == digest(b"a")
    assert digest(b"a") != digest(b"b")
    assert digest(b"a") != digest(b"a", threads=2)


def test_counters_belong_to_the_measurement(
    running: Deployment, isolation: Isolation
) -> None:
    with create(running, isolation, name="counting") as enclave:
        assert enclave.call(Method.COUNTER, b"c") == b"0"
        assert enclave.call(Method.INCREMENT, b"c") == b"1"
        assert enclave.call(Method.COUNTER, b"d") == b"0"
    with create(running, isolation, name="counting") as enclave:
        assert enclave.call(Method.INCREMENT, b"c") == b"2"
    with create(running, isolation, name="counting", threads=2) as enclave:
        assert enclave.call(Method.COUNTER, b"c") == b"0"


def test_random_and_time(enclave: Enclave) -> None:
    first, second = (enclave.call(Method.RANDOM, b"32") for _ in range(2))
    assert len(first) == 32
    assert first != second
    assert abs(int(enclave.call(Method.NOW, b"")) - time.time()) < 5
    with pytest.raises(LimitReached):
        enclave.call(Method.RANDOM, b"5000")


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
    with create(running, isolation) as enclave:
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


def test_registers_are_the_same_at_every_boot(deployment: Deployment) -> None:
    endorsements = Endorsements((deployment.root,), ())
    seen = []
    for _ in range(2):
        with (
            deployment.start() as monitor,
            Isolation.connect(monitor.socket) as isolation,
        ):
            claims = verify(
                isolation.evidence(bytes(16)), endorsements, int(time.time()) + 1
            )
            seen.append(claims)
    assert seen[0].registers == seen[1].registers
    assert seen[0].monitor_key != seen[1].monitor_key
    assert seen[0].boot_count + 1 == seen[1].boot_count


def test_a_monitor_is_closed_to_other_processes(deployment: Deployment) -> None:
    with deployment.start() as monitor:
        limits = Path(f"/proc/{monitor.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)


def test_a_missing_lock_stops_every_start() -> None:
    locks = Locks({"landlock": "use a newer kernel"}, ())
    with pytest.raises(Misconfigured, match="landlock: use a newer kernel"):
        locks.require()
    Locks(locks.missing, ("landlock",)).require()
    assert "landlock" not in locks.held


def test_what_is_waived_is_measured(deployment: Deployment) -> None:
    seen = []
    for waived in ((), ("landlock",)):
        with (
            deployment.start(*waived) as monitor,
            Isolation.connect(monitor.socket) as isolation,
        ):
            claims = verify(
                isolation.evidence(bytes(16)),
                Endorsements((deployment.root,), ()),
                int(time.time()) + 1,
            )
            create(deployment, isolation).destroy()
            seen.append({each.name: each.value for each in claims.registers})
    assert seen[0]["template"] == seen[1]["template"]
    assert seen[0]["config"] != seen[1]["config"]


def test_the_log_keeps_the_newest_in_memory() -> None:
    log = EventLog()
    for at in range(2000):
        log.record(GateEvent(at, 0, 1, "STATUS", "", "ok", ""))
    assert [event.at for event in log.recent()] == list(range(976, 2000))


def test_one_monitor_a_device(deployment: Deployment, tmp_path: Path) -> None:
    with deployment.start():
        second = Deployment(
            deployment.folder,
            "intl",
            b"",
            deployment.administrator,
            deployment.provider,
        )
        with pytest.raises(Conflict):
            second.start()
    assert tmp_path.exists()


def test_an_administrator_of_another_suite(deployment: Deployment) -> None:
    deployment.administrator = make_key("sm")
    with pytest.raises(Misconfigured, match="suite"):
        deployment.start()


def test_errors_at_the_start_are_one_json_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "strongroom.system.monitor", "--device", tmp_path),
            *("--socket", tmp_path / "s", "--administrator", tmp_path / "none"),
            *("--program", "tests.none"),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == Misconfigured.exit_code
    assert b'"error": "misconfigured"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
