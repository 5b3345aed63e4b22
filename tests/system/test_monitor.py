# SPDX-License-Identifier: Apache-2.0
"""Enclaves with real processes: life, memory, evidence, keys and counters."""

import os
import threading
import time
from pathlib import Path

import pytest

from strongroom.core.codec.keys import PublicKey
from strongroom.core.rats import AppClaims, Endorsements, Trust
from strongroom.errors import (
    Conflict,
    LimitReached,
    Malformed,
)
from strongroom.hardware.simulated.verify import verify
from strongroom.services.isolation import Enclave, Isolation
from strongroom.system.monitor.gate import (
    GateConnection,
)
from strongroom.system.monitor.report import verify_app_evidence
from tests.system.deployment import (
    MEMORY_BYTES,
    Deployment,
    call_of,
    create,
    creation,
    eventually,
    record_of,
)
from tests.system.echo_program import Method

SLACK = 2 << 20
"""The heap of a Python process moves by about this much; the limit is over it."""


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
    began = int(time.time())
    eventually(lambda: int(time.time()) > began)
    data = enclave.destroy()
    assert enclave.destroy() == data
    record = record_of(running, isolation, data)
    assert record.reason == "requested"
    assert record.enclave_id == enclave.enclave_id
    assert record.measurement == enclave.measurement
    assert record.memory_bytes == MEMORY_BYTES
    assert record.created_at <= began < record.destroyed_at <= time.time()
    assert isolation.status().enclaves == ()


def test_call_after_destroy(enclave: Enclave) -> None:
    enclave.destroy()
    with pytest.raises(Conflict):
        enclave.call(Method.ECHO, b"")


def test_call_after_destroy_on_an_open_connection(
    running: Deployment, gate: GateConnection
) -> None:
    created = gate.call("CREATE", creation(running))
    gate.call("DESTROY", {"handle": created["handle"]})
    with pytest.raises(Conflict):
        gate.call("CALL", call_of(created["handle"]))
    assert "record" in gate.call("DESTROY", {"handle": created["handle"]})


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


def test_memory_up_to_the_limit_and_not_beyond(
    running: Deployment, isolation: Isolation
) -> None:
    with create(running, isolation) as enclave:
        assert enclave.call(Method.ALLOCATE, b"%d" % (MEMORY_BYTES - SLACK)) == b""
        over = b"%d" % (MEMORY_BYTES + SLACK)
        assert enclave.call(Method.ALLOCATE, over) == b"MemoryError"
        with pytest.raises(LimitReached, match=f"memory_bytes: {MEMORY_BYTES}"):
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
        assert app_of(running, isolation, enclave).memory_bytes == most
        assert enclave.call(Method.ALLOCATE, b"%d" % (MEMORY_BYTES + SLACK)) == b""
    with pytest.raises(LimitReached):
        isolation.create(bundle, running.policy(), memory_bytes=1 << 44)


def app_of(running: Deployment, isolation: Isolation, enclave: Enclave) -> AppClaims:
    """Return what the monitor reports of an enclave."""
    now, nonce = int(time.time()), os.urandom(16)
    trust = Trust(Endorsements((running.root,), ()))
    platform = verify(isolation.evidence(nonce), trust, now + 1)
    report = isolation.report(enclave.enclave_id, nonce)
    return verify_app_evidence(report, platform, now + 1)


def test_a_report_says_how_many_tasks_an_app_may_have(
    running: Deployment, isolation: Isolation
) -> None:
    with create(running, isolation, threads=3, processes=2) as enclave:
        app = app_of(running, isolation, enclave)
    assert (app.threads, app.processes) == (3, 2)


def test_evidence_verifies(running: Deployment, isolation: Isolation) -> None:
    now = int(time.time())
    nonce = os.urandom(16)
    bundle = running.bundle()
    trust = Trust(Endorsements((running.root,), ()))
    platform = verify(isolation.evidence(nonce), trust, now)
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
