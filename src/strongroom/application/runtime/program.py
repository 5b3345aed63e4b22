# SPDX-License-Identifier: Apache-2.0
"""The program that the monitor starts in an enclave after the lock-down."""

from importlib import import_module

from strongroom.application.runtime.task import TaskEnclave
from strongroom.application.runtime.worker import Worker
from strongroom.core.codec.bundle import Bundle
from strongroom.core.rats import ServiceGate

_BROKER = "strongroom.application.broker.program:serve"


def main(gate: ServiceGate, bundle: bytes) -> None:
    """Serve the gate until it closes.

    Args:
        gate: the only way in or out (HW-4).
        bundle: the bundle that the monitor measured and checked; checked again
            here, so that this floor takes nothing on trust.
    """
    verified = Bundle.from_bytes(bundle).verify()
    if verified.manifest.kind == "task":
        limits = verified.manifest.cpu_seconds, verified.manifest.memory_bytes
        with Worker.fork(*limits) as worker:
            TaskEnclave(gate, verified, worker).serve()
        return
    entry = verified.manifest.entry_point("serve")
    if entry is None or entry.function != _BROKER:
        # the services are no part of what a task enclave or the broker loads
        service = import_module("strongroom.application.runtime.service")
        service.ServiceEnclave(gate, verified).serve()
        return
    module, function = _BROKER.split(":")
    getattr(import_module(module), function)(gate, verified)
