# SPDX-License-Identifier: Apache-2.0
"""A small program for enclaves, so that tests need no application layer."""

import ctypes
import os
import threading
import time
from enum import IntEnum

from strongroom.core.crypto import suite
from strongroom.core.rats import Call, EnclaveGate
from strongroom.errors import Malformed, StrongroomError


class Method(IntEnum):
    """What the program can do."""

    ECHO = 1
    REPORT = 2
    SEALING_KEY_DIGEST = 3
    ALLOCATE = 4
    EXIT = 5
    CRASH = 6
    SLEEP = 7
    INCREMENT = 8
    COUNTER = 9
    CONFIG = 10
    RAISE = 11
    READ_FILE = 12
    ALLOCATE_UNCAUGHT = 13
    RANDOM = 14
    NOW = 15
    REFUSE = 16
    BUNDLE_SIZE = 17
    EXIT_LATER = 18


def main(gate: EnclaveGate, bundle: bytes) -> None:
    """Serve calls until the gate closes."""
    while (call := gate.receive()) is not None:
        if call.method == Method.RAISE:
            message = "planted-secret"
            raise RuntimeError(message)
        if call.method == Method.ALLOCATE_UNCAUGHT:
            allocate(int(call.payload))
        try:
            answer = carry_out(gate, call, bundle)
        except StrongroomError as error:
            gate.fail(error)
        except MemoryError:
            gate.reply(b"MemoryError")
        else:
            gate.reply(answer)


def carry_out(gate: EnclaveGate, call: Call, bundle: bytes) -> bytes:  # noqa: C901, PLR0911, PLR0912 - a table
    """Do one thing and return its answer."""
    match call.method:
        case Method.ECHO:
            return call.payload
        case Method.REPORT:
            return gate.report(call.payload, b"user data")
        case Method.SEALING_KEY_DIGEST:
            with gate.sealing_key(call.payload.decode()) as key:
                return suite("intl").digest(key.view)
        case Method.ALLOCATE:
            allocate(int(call.payload))
        case Method.EXIT:
            os._exit(7)
        case Method.EXIT_LATER:
            threading.Timer(float(call.payload), os._exit, (7,)).start()
        case Method.CRASH:
            ctypes.string_at(0)  # a real fault: the first process ignores mere signals
        case Method.SLEEP:
            time.sleep(float(call.payload))
        case Method.INCREMENT:
            return str(gate.increment(call.payload.decode())).encode()
        case Method.COUNTER:
            return str(gate.counter(call.payload.decode())).encode()
        case Method.CONFIG:
            return gate.config
        case Method.READ_FILE:
            return read(call.fds)
        case Method.RANDOM:
            return gate.random(int(call.payload))
        case Method.NOW:
            return str(gate.now()).encode()
        case Method.REFUSE:
            message = "not what the program takes"
            raise Malformed(message)
        case Method.BUNDLE_SIZE:
            return str(len(bundle)).encode()
        case _:
            message = "no such method"
            raise Malformed(message)
    return b""


def allocate(size: int) -> None:
    """Take memory and touch every page of it."""
    block = bytearray(size)
    for at in range(0, size, 4096):
        block[at] = 1


def read(fds: tuple[int, ...]) -> bytes:
    """Return what the files hold, one after another."""
    parts = []
    for fd in fds:
        with os.fdopen(fd, "rb") as file:
            parts.append(file.read())
    return b"".join(parts)
