# SPDX-License-Identifier: Apache-2.0
"""A template process and its enclaves, driven by the template's own protocol."""

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Self

import pytest

from strongroom.errors import Unavailable
from strongroom.system.monitor import template
from strongroom.system.monitor.gate import GateConnection, recv_frame, send_frame
from strongroom.system.monitor.sandbox import Limits

MEMORY_BYTES = 64 << 20
LIMITS = Limits(MEMORY_BYTES)
ORDINARY = 12345
PROJECT = Path(__file__).parents[2]


class Child:
    """One enclave of a template."""

    def __init__(self, link: socket.socket, status: socket.socket) -> None:
        self.link, self.status = link, status
        self.gate = GateConnection(link)
        self.pid = 0
        self.limit = ""
        self.locks: tuple[object, ...] = ()
        while not self.locks:
            frame = recv_frame(status)
            assert frame is not None
            match frame.number, frame.fields:
                case template.STARTED, {"pid": int() as pid}:
                    self.pid = pid
                case template.READY, {"locks": list() as locks}:
                    self.locks = tuple(locks)
                case _:
                    pytest.fail(str(frame.fields))
        self.gate.call("START", {"bundle": b"bundle", "config": b""})

    def call(self, method: int, payload: bytes = b"") -> bytes:
        """Call a method of the program."""
        answer = self.gate.call("INVOKE", {"method": method, "payload": payload})
        reply = answer["payload"]
        assert isinstance(reply, bytes)
        return reply

    def ended(self) -> int | None:
        """Return how it ended: an exit code, minus a signal, None with the template."""
        self.status.settimeout(10)
        with contextlib.suppress(Unavailable):
            while (frame := recv_frame(self.status)) is not None:
                if frame.number == template.ENDED:
                    status = frame.fields["status"]
                    self.limit = str(frame.fields["limit"])
                    assert isinstance(status, int)
                    return os.waitstatus_to_exitcode(status)
        return None

    def close(self) -> None:
        """Close both links, which ends it."""
        self.link.close()
        self.status.close()


class Template:
    """A template process of some user, driven by its own protocol."""

    def __init__(self, uid: int, program: str, preload: str = "") -> None:
        self.control, theirs = socket.socketpair()
        me = uid == os.getuid()
        self.process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-B",
                    "-P",
                    "-m",
                    "strongroom.system.monitor.template",
                ),
                *(str(theirs.fileno()), program, preload),
            ],
            pass_fds=[theirs.fileno()],
            user=None if me else uid,
            group=None if me else uid,
            extra_groups=None if me else [],
            env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin"},
        )
        theirs.close()
        ready = recv_frame(self.control)
        assert ready is not None
        assert ready.number == template.READY
        self.children: list[Child] = []

    def spawn(self, limits: Limits = LIMITS) -> Child:
        """Start an enclave and send it its START."""
        ours, gate = socket.socketpair()
        status, theirs = socket.socketpair()
        fields = {**asdict(limits), "waived": []}
        with gate, theirs:
            fds = [gate.fileno(), theirs.fileno()]
            send_frame(self.control, template.SPAWN, 0, fields, fds)
        self.children.append(Child(ours, status))
        return self.children[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self.process.kill()
        self.process.wait()
        for child in self.children:
            child.close()
