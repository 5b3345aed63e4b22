# SPDX-License-Identifier: Apache-2.0
"""Routes through the gate: commands that are not, or not now, or not one's own (HW-4).

Whatever is sent, the monitor must go on: each attempt ends by asking it how it is.
"""

import os
import socket
import threading
from functools import partial

from strongroom.application.sdk.interface import ENTRIES
from strongroom.attack.asking import (
    answered,
    answers,
    any_works,
    ask,
    asking,
    connections,
    say,
)
from strongroom.attack.calls import ByHandle, connected, create, created
from strongroom.attack.target import Target
from strongroom.errors import StrongroomError
from strongroom.system.monitor.gate import (
    COMMANDS,
    ERROR,
    MAX_FDS,
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    NUMBERS,
)

_CALLERS, _CALLS = 8, 25
_HALF_OPEN = 48


def stolen_handle(at: Target) -> bool:
    """Call the victim's enclave by its handle, over a connection of one's own."""
    with connected(at) as gate:
        return ByHandle(gate, at.handle).call("echo", text="stolen") == "stolen"


def guessed_handle(at: Target) -> bool:
    """Call an enclave by handles that nobody gave out."""
    with connected(at) as gate:
        guesses = [os.urandom(16) for _ in range(64)]
        near = bytes([at.handle[0] ^ 1]) + at.handle[1:]
        return any_works(
            partial(ByHandle(gate, each).call, "echo", text="guessed")
            for each in (*guesses, near, bytes(16))
        )


def unlisted_method(at: Target) -> bool:
    """Call a method that the owner did not allow at the creation."""
    with created(at, methods=bytes([ENTRIES])) as mine:
        return mine.call("echo", text="not allowed") == "not allowed"


def unknown_commands(at: Target) -> bool:
    """Send numbers that are no command, or another side's."""
    known = {n for n, each in COMMANDS.items() if each.side == "host"}
    with asking(at) as gate:
        return any_works(
            partial(ask, gate, number, {}) for number in {*range(256)} - known
        )


def mistyped_fields(at: Target) -> bool:
    """Send fields that are missing, too many or of another type."""
    handle = at.handle
    wrong: list[tuple[str, dict[str, object]]] = [
        ("STATUS", {"more": 1}),
        ("CALL", {"handle": handle, "method": 1}),
        ("CALL", {"handle": handle, "method": True, "payload": b""}),
        ("CALL", {"handle": handle.hex(), "method": 1, "payload": b""}),
        ("CALL", {"handle": handle, "method": -1, "payload": b""}),
        ("EVIDENCE", {"nonce": None}),
        ("EVIDENCE", {"nonce": b"short"}),
        ("DESTROY", {"handle": [handle]}),
    ]
    with asking(at) as gate:
        return any_works(
            partial(ask, gate, NUMBERS[name], fields) for name, fields in wrong
        )


def oversized_fields(at: Target) -> bool:
    """Send fields and memory sizes that are larger than they may be."""
    big = bytes(MAX_PAYLOAD_BYTES + 1)
    call: dict[str, object] = {"handle": at.handle, "method": 1, "payload": big}
    creation: dict[str, object] = {
        "bundle": at.bundle,
        "launch_policy": at.policy,
        "config": b"",
        "memory_bytes": 1 << 60,
        "methods": b"",
    }
    nonce: dict[str, object] = {"nonce": bytes(1 << 20)}
    with asking(at) as gate:
        return any_works(
            partial(ask, gate, NUMBERS[name], fields)
            for name, fields in (
                ("CALL", call),
                ("CREATE", creation),
                ("EVIDENCE", nonce),
            )
        )


def no_frames(at: Target) -> bool:
    """Send bytes that are no frame: too long, cut, other CBOR, nested without end."""
    nested = b"\x81" * (1 << 16)
    return any_works(
        partial(say, at, data)
        for data in (
            (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
            b"\xff" * 64,
            b"\0\0\0\1\xff",
            b"\0\0\0\1\xa0",
            b"\0\0\0\x20\x83",
            len(nested).to_bytes(4, "big") + nested,
        )
    )


def reordered_commands(at: Target) -> bool:
    """Call before the creation, after the end, and answer what was not asked."""
    with asking(at) as gate:
        early = partial(ByHandle(gate, bytes(16)).call, "echo", text="early")
        mine = create(gate, at)
        gate.call("DESTROY", {"handle": mine.handle})
        late = partial(mine.call, "echo", text="late")
        unasked = [
            partial(ask, gate, number, {"payload": b""}) for number in (0, ERROR)
        ]
        inside = partial(ask, gate, NUMBERS["INVOKE"], {"method": 1, "payload": b""})
        return any_works([early, late, inside, *unasked])


def concurrent_calls(at: Target) -> bool:
    """Call two enclaves from many threads at once; look for another one's answer."""
    mixed: list[str] = []

    def talk(mine: ByHandle, name: str) -> None:
        for count in range(_CALLS):
            said = f"{name}-{count}"
            try:
                if mine.call("echo", text=said) != said:
                    mixed.append(said)
            except StrongroomError as error:
                mixed.append(error.message)

    with (
        created(at) as first,
        created(at) as second,
        connections(at, _CALLERS) as gates,
    ):
        threads = [
            threading.Thread(
                target=talk,
                args=(ByHandle(gate, (first, second)[n % 2].handle), str(n)),
            )
            for n, gate in enumerate(gates)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return bool(mixed)


def half_frames(at: Target) -> bool:
    """Hold many connections open in the middle of a frame; see who still gets in."""
    with connections(at, _HALF_OPEN) as gates:
        for gate in gates:
            gate.link.sendall(b"\0\1")
        return not answers(at)


def other_descriptors(at: Target) -> bool:
    """Pass descriptors that are no plain files, or too many, or where none belong."""
    null, folder = os.open("/dev/null", os.O_RDWR), os.open("/", os.O_RDONLY)
    path = os.open("/", os.O_PATH)
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    mine = (null, folder, path, ours.fileno(), reading, writing)
    call: dict[str, object] = {
        "handle": at.handle,
        "method": ENTRIES,
        "payload": b"",
    }
    try:
        with asking(at) as gate:
            single = [partial(ask, gate, NUMBERS["CALL"], call, [fd]) for fd in mine]
            where_none = partial(ask, gate, NUMBERS["STATUS"], {}, [null])
            return any_works([*single, where_none])
    finally:
        for fd in (null, folder, path, reading, writing):
            os.close(fd)
        ours.close()
        theirs.close()


def too_many_descriptors(at: Target) -> bool:
    """Pass more descriptors than the gate takes, beside the first bytes of a frame."""
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        with connected(at) as gate:
            socket.send_fds(gate.link, [b"\0\0\0\1\xa0"], [null] * (MAX_FDS + 8))
            return answered(gate)
    finally:
        os.close(null)
