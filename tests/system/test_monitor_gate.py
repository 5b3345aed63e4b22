# SPDX-License-Identifier: Apache-2.0
"""The host side of the gate: commands, owners, permissions, the log (HW-4, SYS-1)."""

import os
import re
import socket
from pathlib import Path

import pytest

from strongroom.errors import (
    LimitReached,
    Malformed,
    Refused,
    StrongroomError,
    error_from_value,
)
from strongroom.services.isolation import Isolation
from strongroom.system.monitor.events import EventLog, entry_of
from strongroom.system.monitor.gate import (
    COMMANDS,
    ERROR,
    MAX_FRAME_BYTES,
    NUMBERS,
    GateConnection,
    recv_frame,
    send_frame,
)
from tests.system.deployment import Deployment, call_of, creation, rule_of
from tests.system.echo_program import Method


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
@pytest.mark.parametrize("command", ["CALL", "DESTROY"])
def test_another_user_with_the_right_handle(
    running: Deployment, gate: GateConnection, command: str
) -> None:
    created = gate.call("CREATE", creation(running))
    handle = created["handle"]
    asked = {"CALL": call_of(handle), "DESTROY": {"handle": handle}}
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
                GateConnection(link).call(command, asked[command])
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
    assert gate.call("CALL", call_of(handle))["payload"] == b"x"


def test_only_allowed_methods(running: Deployment, isolation: Isolation) -> None:
    bundle, policy = running.bundle().to_bytes(), running.policy()
    with isolation.create(bundle, policy, methods=(Method.ECHO,)) as enclave:
        assert enclave.call(Method.ECHO, b"x") == b"x"
        with pytest.raises(Refused) as refusal:
            enclave.call(Method.NOW, b"")
        assert rule_of(refusal.value) == "gate.permission"


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
    gate: GateConnection,
) -> None:
    with Path(__file__).open("rb") as file:
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
    gate.call("LOG", {})
    found = running.records()[-5:]
    host, enclave = f"uid {os.getuid()} pid {os.getpid()}", name.hex()
    assert [(each.action, each.outcome, each.subject) for each in found] == [
        ("gate.create", "ok", host),
        ("gate.call", "ok", host),
        ("gate.call", "refused", host),
        ("gate.end", "ok", enclave),
        ("gate.destroy", "ok", host),
    ]
    assert found[1].object == enclave
    assert found[2].detail["rule"] == "gate.owner"
    assert handle.hex() not in str(found)


def test_the_log_keeps_the_newest_in_memory() -> None:
    log = EventLog()
    for at in range(2000):
        log.record(entry_of("STATUS", at, "uid 0 pid 1", "", None))
    assert [entry.time for entry in log.recent()] == list(range(976, 2000))
