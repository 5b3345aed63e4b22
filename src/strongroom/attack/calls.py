# SPDX-License-Identifier: Apache-2.0
"""The gate as an attacker has it: raw connections, and an app by a handle alone."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.application.sdk.calling import CallingServices
from strongroom.attack.target import Target
from strongroom.errors import Malformed
from strongroom.system.monitor.gate import GateConnection

_ANSWER_S = 30.0


class ByHandle(CallingServices):
    """An app's functions for whoever has its handle and a connection."""

    def __init__(self, gate: GateConnection, handle: bytes) -> None:
        super().__init__()
        self.gate, self.handle = gate, handle

    def _call(self, method: int, payload: bytes) -> bytes:
        fields = {"handle": self.handle, "method": method, "payload": payload}
        answer = self.gate.call("CALL", fields).get("payload")
        if not isinstance(answer, bytes):
            message = "the monitor's answer has no payload"
            raise Malformed(message)
        return answer


@contextmanager
def connected(at: Target) -> Iterator[GateConnection]:
    """Open a connection to the gate.

    Raises:
        OSError: the kernel does not let this user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(_ANSWER_S)
        link.connect(os.fspath(at.socket))
        yield GateConnection(link)


@contextmanager
def created(
    at: Target, bundle: bytes = b"", methods: bytes = b""
) -> Iterator[ByHandle]:
    """Start an enclave of one's own; it ends with its connection."""
    with connected(at) as gate:
        yield create(gate, at, bundle, methods)


def create(
    gate: GateConnection, at: Target, bundle: bytes = b"", methods: bytes = b""
) -> ByHandle:
    """Start an enclave over a connection."""
    fields: dict[str, object] = {
        "bundle": bundle or at.bundle,
        "launch_policy": at.policy,
        "config": b"",
        "memory_bytes": 0,
        "methods": methods,
    }
    handle = gate.call("CREATE", fields).get("handle")
    if not isinstance(handle, bytes):
        message = "the monitor's answer has no handle"
        raise Malformed(message)
    return ByHandle(gate, handle)
