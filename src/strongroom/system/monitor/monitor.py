# SPDX-License-Identifier: Apache-2.0
"""The host side of the gate: every command ends here (C-TECU, HW-4).

Nothing here is a secret but the monitor key, which rests in secret memory; neither
STATUS nor an error shows any of it.
"""

import time
from collections.abc import Mapping, Sequence

from strongroom.core.codec.keys import PublicKey
from strongroom.errors import Malformed, NotFound
from strongroom.system.monitor.admission import Admission
from strongroom.system.monitor.birth import Birth, Trunk
from strongroom.system.monitor.create import CreateRequest, Creator, Locks, Starter
from strongroom.system.monitor.registry import Caller, Registry
from strongroom.system.monitor.requests import app_report


class Monitor:
    """Holds the device, the enclaves and the rules."""

    def __init__(
        self, trunk: Trunk, admission: Admission, starter: Starter, locks: Locks
    ) -> None:
        self._trunk, self._admission, self._locks = trunk, admission, locks
        self._creator = Creator(trunk, admission, starter, locks)
        self._registry = Registry()

    def handle(
        self,
        command: str,
        fields: Mapping[str, object],
        fds: Sequence[int],
        caller: Caller,
    ) -> dict[str, object]:
        """Carry out one host-side command; `fields` fit the command table already.

        Raises:
            StrongroomError: why not.
        """
        match command, dict(fields):
            case "STATUS" | "LOG", _:
                return self._told(command)
            case "CREATE", {
                "bundle": bytes() as bundle,
                "launch_policy": bytes() as policy,
                "config": bytes() as config,
                "memory_bytes": int() as memory_bytes,
                "methods": bytes() as methods,
            }:
                request = CreateRequest(bundle, policy, config, memory_bytes, methods)
                return self._create(request, caller)
            case "CALL", {
                "handle": bytes() as handle,
                "method": int() as method,
                "payload": bytes() as payload,
            }:
                enclave = self._registry.callable(handle, method, caller)
                answer = enclave.call(method, payload, fds, caller.connection)
                return {"payload": answer}
            case "EVIDENCE", {"nonce": bytes() as nonce}:
                return {"evidence": self._evidence(nonce)}
            case "DESCRIBE", {
                "enclave_id": bytes() as enclave_id,
                "nonce": bytes() as nonce,
            }:
                return {"report": self._describe(enclave_id, nonce)}
            case "DESTROY", {"handle": bytes() as handle}:
                enclave = self._registry.owned(handle, caller)
                enclave.end("requested")
                return {"record": enclave.signed_record()}
            case _:
                message = f"gate: {command} is not for the host side"
                raise Malformed(message)

    def _told(self, command: str) -> dict[str, object]:
        if command == "STATUS":
            return self.status()
        return {"checkpoint": self._trunk.log.checkpoint()}

    def status(self) -> dict[str, object]:
        """Return what anyone on this machine may know."""
        device = self._trunk.device
        return {
            "device_id": device.device_id,
            "suite": device.suite_id,
            "kind": device.kind,
            "monitor_key": PublicKey.of(self._trunk.key.public).to_value(),
            "locks": list(self._locks.held),
            "missing": dict(self._locks.missing),
            "launch_policy_version": self._admission.newest_policy_version(),
            "enclaves": [_listed(birth) for birth in self._registry.living()],
        }

    def about(self, fields: Mapping[str, object]) -> tuple[str, dict[str, str]]:
        """Return what a command was about, for the log; a handle is a secret."""
        enclave = self._registry.find(fields.get("handle"))
        if enclave is None:
            return "", {}
        detail, method = enclave.birth.names(), fields.get("method")
        if isinstance(method, int):
            detail |= enclave.birth.called(method)
        return enclave.birth.enclave_id.hex(), detail

    def release(self, caller: Caller) -> None:
        """End every enclave of a connection that has closed."""
        self._registry.release(caller)

    def close(self) -> None:
        """End every enclave."""
        self._registry.close()

    def _create(self, request: CreateRequest, caller: Caller) -> dict[str, object]:
        began = time.perf_counter()
        birth = self._creator.create(request, caller, self._registry).birth
        return {
            "handle": birth.handle,
            "enclave_id": birth.enclave_id,
            "measurement": birth.measurement,
            "start_ms": (time.perf_counter() - began) * 1000,
        }

    def _describe(self, enclave_id: bytes, nonce: bytes) -> bytes:
        """Return a report about an enclave that is not asked itself (RA-2)."""
        for birth in self._registry.living():
            if birth.enclave_id == enclave_id:
                return app_report(self._trunk, birth, nonce, b"")
        message = f"this monitor runs no enclave {enclave_id.hex()[:16]}"
        raise NotFound(message)

    def _evidence(self, nonce: bytes) -> bytes:
        trunk = self._trunk
        with trunk.lock:
            return trunk.device.attest(
                nonce=nonce, monitor_key=trunk.key.public, now=trunk.clock()
            )


def _listed(birth: Birth) -> dict[str, object]:
    return {
        "enclave_id": birth.enclave_id,
        "measurement": birth.measurement,
        "owner_uid": birth.owner_uid,
        "memory_bytes": birth.memory_bytes,
        "created_at": birth.created_at,
    }
