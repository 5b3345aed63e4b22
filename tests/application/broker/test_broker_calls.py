# SPDX-License-Identifier: Apache-2.0
"""Any bytes into any call give a value or a typed error (HW-4)."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from strongroom.application import broker
from strongroom.application.broker.config import BrokerConfig, BrokerPublic, Method
from strongroom.application.broker.messages import OPERATIONS
from strongroom.application.broker.program import Broker, serve
from strongroom.application.cleanroom.messages import seal_request
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import seal_bundle
from strongroom.core.rats import Call
from strongroom.errors import (
    Conflict,
    Malformed,
    StrongroomError,
    Unavailable,
)
from strongroom.management.audit import LogEntry
from tests.application.broker.fake_gate import Clock, FakeGate, Memory
from tests.application.broker.world import World, manifest

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.binary(max_size=40)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["task", "attempt", "error", "box", "path", "nonce", "keys", "evidence"]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
SLOW = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def total(world: World, method: int, payload: bytes) -> None:
    world.broker.answer(Call(method, payload, ()))
    answer = world.gate.answers.pop()
    assert world.gate.answers == []
    if isinstance(answer, bytes):
        assert isinstance(cbor.decode(answer), dict)
    else:
        assert isinstance(answer, StrongroomError)
        assert not isinstance(answer, Unavailable), answer


@SLOW
@given(method=st.integers(-1, 40), payload=st.binary(max_size=200))
def test_any_bytes_into_any_method(world: World, method: int, payload: bytes) -> None:
    total(world, method, payload)


@SLOW
@given(method=st.integers(1, 8), value=values)
def test_any_value_into_any_method(world: World, method: int, value: object) -> None:
    try:
        payload = cbor.encode(value)
    except Malformed:
        return
    total(world, method, payload)


@SLOW
@given(
    method=st.sampled_from([Method.RELEASE, Method.COMPLETE, Method.FAILED]),
    fill=st.binary(max_size=64),
    error=values,
)
def test_any_bytes_in_an_attempts_fields(
    world: World, agreement: str, method: Method, fill: bytes, error: object
) -> None:
    ledger = world.broker._ledger
    assert ledger is not None
    task = next(iter(ledger.state.open_tasks), None) or world.task(agreement)
    attempt = ledger.state.tasks[task].attempt
    fields: dict[Method, dict[str, object]] = {
        Method.RELEASE: {"keys": fill, "evidence": fill},
        Method.COMPLETE: {"receipt": fill, "destruction": fill},
        Method.FAILED: {"error": error if isinstance(error, dict) else {}},
    }
    try:
        payload = cbor.encode({"task": task, "attempt": attempt, **fields[method]})
    except Malformed:
        return
    total(world, method, payload)


@SLOW
@given(op=st.sampled_from(sorted(OPERATIONS)), body=st.binary(max_size=60) | values)
def test_any_body_in_any_operation(world: World, op: str, body: object) -> None:
    who = world.admin if op.startswith("trusted") else world.parties["insurer"]
    try:
        data = body if isinstance(body, bytes) else cbor.encode(body)
    except Malformed:
        return
    world.box(who, op)
    request = world.request
    changed = replace(request, body=data)
    box = seal_request(changed, who, world.public.recipient)
    total(world, Method.MESSAGE, cbor.encode({"box": box}))


def test_a_defect_tells_nothing_and_is_logged_as_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object, __: object) -> None:
        message = "a secret in a traceback"
        raise ZeroDivisionError(message)

    monkeypatch.setitem(Broker._METHODS, Method.FAILED, broken)
    with pytest.raises(Unavailable) as caught:
        world.call(Method.FAILED, {})
    assert "secret" not in str(caught.value)
    ledger = world.broker._ledger
    assert ledger is not None
    entry = LogEntry.from_bytes(ledger.log.entry(ledger.log.size - 1))
    assert (entry.outcome, entry.action) == ("failed", "task.failed")


def test_open_comes_first_once_and_with_one_descriptor(fresh: World) -> None:
    with pytest.raises(Malformed, match="descriptor"):
        fresh.call(Method.OPEN, {}, (os.open(os.devnull, os.O_RDONLY),))
    with pytest.raises(Conflict, match="already"):
        fresh.call(Method.OPEN, {})
    with pytest.raises(Malformed, match="descriptor"):
        fresh.call(Method.TICKETS, {}, (os.open(os.devnull, os.O_RDONLY),))
    gate = FakeGate(Memory(), Clock())
    other = Broker(gate, fresh.config)
    for fds in ((), tuple(os.open(os.devnull, os.O_RDONLY) for _ in range(2))):
        other.answer(Call(Method.OPEN, cbor.encode({}), fds))
        assert isinstance(gate.answers.pop(), Malformed)
    for fd in (os.open(os.devnull, os.O_RDONLY),):
        other.answer(Call(Method.OPEN, b"junk", (fd,)))
        assert isinstance(gate.answers.pop(), Malformed)
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(fd)
    other.answer(Call(Method.HELLO, cbor.encode({"nonce": b"n" * 16}), ()))
    assert isinstance(gate.answers.pop(), Conflict)


def test_serve_answers_until_the_gate_closes(fresh: World, tmp_path: Path) -> None:
    made = manifest("intl", "broker")
    bundle = seal_bundle(made, {}, fresh.admin.signing).verify()
    journal = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    calls = [
        Call(Method.OPEN, cbor.encode({}), (journal,)),
        Call(99, b"", ()),
        Call(Method.TICKETS, cbor.encode({}), ()),
    ]
    gate = FakeGate(Memory(), Clock(), fresh.config.to_bytes(), calls)
    serve(gate, bundle)
    opened, unknown, tickets = gate.answers
    assert isinstance(opened, bytes)
    assert isinstance(unknown, Malformed)
    assert tickets == cbor.encode({"tickets": [], "released": []})


def test_a_configuration_goes_together(fresh: World) -> None:
    with pytest.raises(Malformed, match="roots"):
        BrokerConfig("intl", "o", fresh.admin.public, ())
    with pytest.raises(Malformed, match="suite"):
        BrokerConfig("sm", "o", fresh.admin.public, (b"r",))
    assert BrokerConfig.from_bytes(fresh.config.to_bytes()) == fresh.config


def test_the_room_is_named_by_its_keys(fresh: World) -> None:
    row = fresh.row
    digest = row.digest(fresh.public.to_bytes())
    assert fresh.public.id == digest[:32].hex()
    assert fresh.public.report_data == digest[:64]
    assert BrokerPublic.from_bytes(fresh.public.to_bytes()) == fresh.public


def test_the_public_surface() -> None:
    assert broker.__all__ == ["BrokerConfig", "BrokerPublic", "Method"]
