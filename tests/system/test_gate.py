# SPDX-License-Identifier: Apache-2.0
"""The gate's framing, its command table, and its inside end (HW-4)."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, strategies as st

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats import EnclaveGate
from strongroom.errors import (
    Conflict,
    LimitReached,
    Malformed,
    NotFound,
    StrongroomError,
    Unavailable,
)
from strongroom.system.monitor.enclave import (
    EXIT_CLOSED,
    EXIT_FAILED,
    EXIT_MEMORY,
    InsideGate,
    run,
)
from strongroom.system.monitor.gate import (
    COMMANDS,
    ERROR,
    MAX_FDS,
    MAX_FRAME_BYTES,
    NUMBERS,
    REPLY,
    Frame,
    GateConnection,
    check_command,
    check_data_fd,
    recv_frame,
    send_frame,
)

HANDLE = bytes(16)
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a gate."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def open_fds() -> set[str]:
    """Return this process's descriptors."""
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def raw(value: object) -> bytes:
    """Return the bytes of a frame with any body."""
    body = cbor.encode(value)
    return len(body).to_bytes(4, "big") + body


def received(link: socket.socket) -> Frame:
    """Receive a frame that must be there."""
    frame = recv_frame(link)
    assert frame is not None
    return frame


def test_the_table_is_pinned() -> None:
    assert {n: (c.name, c.side) for n, c in COMMANDS.items()} == {
        1: ("STATUS", "host"),
        2: ("CREATE", "host"),
        3: ("CALL", "host"),
        4: ("EVIDENCE", "host"),
        5: ("DESTROY", "host"),
        6: ("DESCRIBE", "host"),
        7: ("LOG", "host"),
        16: ("START", "monitor"),
        17: ("INVOKE", "monitor"),
        32: ("REPORT", "enclave"),
        33: ("SEALING_KEY", "enclave"),
        34: ("COUNTER", "enclave"),
        35: ("INCREMENT", "enclave"),
        36: ("RANDOM", "enclave"),
        37: ("NOW", "enclave"),
        38: ("BOUND_KEY", "enclave"),
        39: ("PLATFORM", "enclave"),
        40: ("ASK_HOST", "enclave"),
        64: ("ASKED", "monitor"),
    }
    assert {REPLY, ERROR}.isdisjoint(COMMANDS)
    assert all(rule.most for c in COMMANDS.values() for rule in c.fields.values())
    assert {n for n, c in COMMANDS.items() if c.fds} == {3, 17}


def test_a_frame_and_its_files_arrive(pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"data")
    with path.open("rb") as file:
        send_frame(pair[0], 3, 7, {"payload": b"x" * 100_000}, [file.fileno()])
        frame = received(pair[1])
    assert (frame.number, frame.request) == (3, 7)
    assert frame.fields == {"payload": b"x" * 100_000}
    (fd,) = frame.fds
    assert not os.get_inheritable(fd)
    assert os.read(fd, 10) == b"data"
    frame.close()


def test_a_long_frame_arrives(pair: Pair) -> None:
    fields: dict[str, object] = {"bundle": os.urandom(1 << 20) * 40}
    sender = threading.Thread(target=send_frame, args=(pair[0], 2, 1, fields))
    sender.start()
    assert received(pair[1]).fields == fields
    sender.join()


def test_the_end_between_two_frames_is_none(pair: Pair) -> None:
    pair[0].close()
    assert recv_frame(pair[1]) is None


def test_a_frame_cut_anywhere_is_no_frame() -> None:
    whole = raw([3, 1, {"handle": HANDLE, "method": 1, "payload": b"abc"}])
    for at in range(1, len(whole)):
        with pytest.raises(Unavailable):
            parsed(whole[:at])


def test_a_body_cut_anywhere_is_no_frame() -> None:
    body = cbor.encode([3, 1, {"handle": HANDLE, "method": 1, "payload": b"abc"}])
    for at in range(len(body)):
        with pytest.raises(Malformed):
            parsed(at.to_bytes(4, "big") + body[:at])


def parsed(data: bytes) -> Frame | None:
    """Receive one frame from a side that sends these bytes and leaves."""
    one, other = socket.socketpair()
    with other:
        with one:
            one.sendall(data)
        return recv_frame(other)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_an_error(data: bytes) -> None:
    with contextlib.suppress(StrongroomError):
        parsed(data)
    with contextlib.suppress(StrongroomError):
        parsed(len(data).to_bytes(4, "big") + data)


values: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.binary(max_size=80),
        st.text(max_size=40),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(sorted({n for c in COMMANDS.values() for n in c.fields}))


@given(
    number=st.sampled_from(sorted(COMMANDS)) | st.integers(-1, 300),
    fields=st.dictionaries(names | st.text(max_size=9), values, max_size=6),
    side=st.sampled_from(["host", "monitor", "enclave"]),
    data=st.data(),
)
def test_any_fields_fit_the_table_or_are_refused(
    number: int, fields: dict[str, object], side: str, data: st.DataObject
) -> None:
    command = COMMANDS.get(number)
    if command is not None and data.draw(st.booleans()):
        fields = {name: data.draw(values) for name in command.fields}
    frame = parsed(raw([number, 1, fields]))
    assert frame is not None
    try:
        checked = check_command(frame, side)
    except (Malformed, LimitReached):
        return
    assert checked is command
    assert checked.side == side
    for name, rule in checked.fields.items():
        value = frame.fields[name]
        assert type(value) is rule.type
        size = value if isinstance(value, int) else len(cast("bytes | str", value))
        assert rule.least <= size <= rule.most


@pytest.mark.parametrize(
    "value", [1, [], [1, 2], [1, 2, 3], ["1", 2, {}], [1, 2, {}, 4], [1, 2, {1: 2}], {}]
)
def test_other_values_are_no_frames(pair: Pair, value: object) -> None:
    pair[0].sendall(raw(value))
    with pytest.raises(Malformed):
        recv_frame(pair[1])


def test_a_frame_that_claims_too_much_is_refused_at_once(pair: Pair) -> None:
    pair[0].sendall((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(LimitReached):
        recv_frame(pair[1])


def test_descriptors_of_a_bad_frame_are_closed(pair: Pair, tmp_path: Path) -> None:
    with (tmp_path / "data").open("wb") as file:
        before = open_fds()
        for bad in (b"\0\0\0\1\xff", b"\0\0"):
            socket.send_fds(pair[0], [bad], [file.fileno()] * 3)
            if len(bad) < 4:
                pair[0].shutdown(socket.SHUT_WR)
            with pytest.raises(StrongroomError):
                recv_frame(pair[1])
            assert open_fds() == before


def test_descriptors_beside_a_body_are_not_taken(pair: Pair, tmp_path: Path) -> None:
    whole = raw([3, 1, {}])
    with (tmp_path / "data").open("wb") as file:
        before = open_fds()
        pair[0].sendall(whole[:4])
        socket.send_fds(pair[0], [whole[4:]], [file.fileno()] * 3)
        assert received(pair[1]).fds == ()
        assert open_fds() == before


def test_too_many_descriptors(pair: Pair, tmp_path: Path) -> None:
    with (tmp_path / "data").open("wb") as file:
        many = [file.fileno()] * (MAX_FDS + 1)
        before = open_fds()
        with pytest.raises(LimitReached):
            send_frame(pair[0], 3, 1, {}, many)
        socket.send_fds(pair[0], [raw([3, 1, {}])], many)
        with pytest.raises(LimitReached):
            recv_frame(pair[1])
        assert open_fds() == before


CALL: dict[str, object] = {"handle": HANDLE, "method": 1, "payload": b""}


@pytest.mark.parametrize(
    ("number", "fields", "error"),
    [
        (99, {}, Malformed),
        (0, {}, Malformed),
        (-1, {}, Malformed),
        (NUMBERS["REPORT"], {"nonce": bytes(8), "user_data": b""}, Malformed),
        (3, {}, Malformed),
        (3, CALL | {"more": 1}, Malformed),
        (3, CALL | {"payload": "text"}, Malformed),
        (3, CALL | {"method": True}, Malformed),
        (3, CALL | {"method": 0}, Malformed),
        (3, CALL | {"method": 256}, LimitReached),
        (3, CALL | {"handle": bytes(15)}, Malformed),
        (3, CALL | {"handle": bytes(17)}, LimitReached),
        (3, CALL | {"payload": bytes((16 << 20) + 1)}, LimitReached),
        (4, {"nonce": bytes(7)}, Malformed),
        (4, {"nonce": bytes(65)}, LimitReached),
        (4, {"nonce": None}, Malformed),
    ],
)
def test_what_the_table_refuses(
    number: int, fields: dict[str, object], error: type[StrongroomError]
) -> None:
    with pytest.raises(error):
        check_command(Frame(number, 1, fields), "host")


def test_a_frame_over_its_commands_size_is_refused() -> None:
    most = COMMANDS[3].frame_bytes
    assert check_command(Frame(3, 1, CALL, size=most), "host").name == "CALL"
    with pytest.raises(LimitReached):
        check_command(Frame(3, 1, CALL, size=most + 1), "host")


def test_every_field_of_every_command_is_required() -> None:
    for number, command in COMMANDS.items():
        whole: dict[str, object] = {
            name: bytes(rule.least) for name, rule in command.fields.items()
        }
        for name in command.fields:
            part = {n: v for n, v in whole.items() if n != name}
            with pytest.raises(Malformed):
                check_command(Frame(number, 1, part), command.side)
        with pytest.raises(Malformed):
            check_command(Frame(number, 1, {**whole, "more": 1}), command.side)


def test_only_its_own_side_sends_a_command() -> None:
    for number, command in COMMANDS.items():
        for side in {"host", "monitor", "enclave"} - {command.side}:
            with pytest.raises(Malformed, match=f"no command {number}"):
                check_command(Frame(number, 1, {}), side)


def test_descriptors_only_where_they_belong() -> None:
    assert check_command(Frame(3, 1, CALL, (0,) * MAX_FDS), "host").name == "CALL"
    with pytest.raises(LimitReached):
        check_command(Frame(3, 1, CALL, (0,) * (MAX_FDS + 1)), "host")
    with pytest.raises(Malformed):
        check_command(Frame(1, 1, {}, (0,)), "host")


def test_only_regular_files_in_the_right_mode(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.touch()
    modes = {
        os.O_RDONLY: {False, None},
        os.O_RDWR: {True, None},
        os.O_WRONLY: set[bool | None](),
        os.O_PATH: set[bool | None](),
    }
    for flags, good in modes.items():
        fd = os.open(path, flags)
        for writable in (True, False, None):
            if writable in good:
                check_data_fd(fd, writable=writable)
            else:
                with pytest.raises(Malformed):
                    check_data_fd(fd, writable=writable)
        os.close(fd)


def test_nothing_else_is_a_data_file(pair: Pair, tmp_path: Path) -> None:
    read, write = os.pipe()
    folder, device = os.open(tmp_path, os.O_RDONLY), os.open("/dev/zero", os.O_RDONLY)
    for fd in (read, write, folder, device, pair[0].fileno()):
        with pytest.raises(Malformed):
            check_data_fd(fd)
    for fd in (read, write, folder, device):
        os.close(fd)
    with pytest.raises(Malformed):
        check_data_fd(device)


def answer(link: socket.socket, reply: Callable[[Frame], None]) -> threading.Thread:
    """Answer one frame in a thread."""
    thread = threading.Thread(target=lambda: reply(received(link)))
    thread.start()
    return thread


def test_a_call_returns_or_raises_what_was_answered(pair: Pair) -> None:
    gate = GateConnection(pair[0])
    error = NotFound("no such enclave").to_value()
    answers: list[tuple[int, int, dict[str, object]]] = [
        (REPLY, 0, {"payload": b"a"}),
        (ERROR, 0, error),
        (REPLY, 1, {}),
        (7, 0, {}),
    ]
    outcomes: list[object] = []
    for number, later, fields in answers:
        thread = answer(
            pair[1],
            lambda f, n=number, i=later, v=fields: send_frame(  # type: ignore[misc]
                pair[1], n, f.request + i, v
            ),
        )
        try:
            outcomes.append(gate.call("STATUS", {}))
        except StrongroomError as raised:
            outcomes.append(type(raised))
        thread.join()
    assert outcomes == [{"payload": b"a"}, NotFound, Malformed, Malformed]
    pair[1].close()
    with pytest.raises(Unavailable):
        gate.call("STATUS", {})


def test_a_secret_stays_in_secret_memory(pair: Pair) -> None:
    sent = SecretBuffer(32)
    sent.fill_random()
    expected = bytes(sent.view)
    thread = answer(
        pair[1], lambda f: send_frame(pair[1], REPLY, f.request, {"key": sent})
    )
    with InsideGate(pair[0]).sealing_key("a") as key:
        assert bytes(key.view) == expected
    thread.join()
    with pytest.raises(Conflict):
        sent.view  # noqa: B018 - closed by the sender


@pytest.mark.parametrize("key", [b"k" * 32, 31, None])
def test_a_key_of_another_shape_is_refused(pair: Pair, key: object) -> None:
    thread = answer(
        pair[1], lambda f: send_frame(pair[1], REPLY, f.request, {"key": key})
    )
    with pytest.raises(Malformed):
        InsideGate(pair[0]).sealing_key("a")
    thread.join()


def start(link: socket.socket) -> None:
    """Send what the monitor sends first."""
    send_frame(link, NUMBERS["START"], 1, {"bundle": b"bundle", "config": b"config"})


def test_the_inside_answers_calls(pair: Pair) -> None:
    def program(gate: EnclaveGate, bundle: bytes) -> None:
        while (call := gate.receive()) is not None:
            gate.reply(bundle + call.payload)

    start(pair[0])
    send_frame(pair[0], NUMBERS["INVOKE"], 2, {"method": 1, "payload": b"!"})
    pair[0].shutdown(socket.SHUT_WR)
    assert run(pair[1], program) == EXIT_CLOSED
    assert received(pair[0]).fields == {"payload": b""}
    assert received(pair[0]).fields == {"payload": b"bundle!"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError("planted"), EXIT_MEMORY),
        (RuntimeError("planted"), EXIT_FAILED),
        (SystemExit(0), EXIT_FAILED),
        (Malformed("planted"), EXIT_FAILED),
    ],
)
def test_what_a_program_raises_stays_inside(
    pair: Pair, error: BaseException, code: int
) -> None:
    def program(_gate: EnclaveGate, _bundle: bytes) -> None:
        raise error

    start(pair[0])
    assert run(pair[1], program) == code
    pair[1].close()
    assert received(pair[0]).number == REPLY
    assert recv_frame(pair[0]) is None


def test_the_inside_takes_only_the_monitors_commands(
    pair: Pair, tmp_path: Path
) -> None:
    gate = InsideGate(pair[1])
    fields: dict[str, object] = {"method": 1, "payload": b""}
    send_frame(pair[0], NUMBERS["INVOKE"], 1, fields)
    with pytest.raises(Malformed):
        gate.start()
    send_frame(pair[0], NUMBERS["STATUS"], 1, {})
    with pytest.raises(Malformed):
        gate.receive()
    before = open_fds()
    folder = os.open(tmp_path, os.O_RDONLY)
    send_frame(pair[0], NUMBERS["INVOKE"], 1, fields, [folder])
    os.close(folder)
    with pytest.raises(Malformed):
        gate.receive()
    assert open_fds() == before
    with pytest.raises(Malformed):
        gate.reply(b"")
