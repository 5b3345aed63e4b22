# SPDX-License-Identifier: Apache-2.0
"""What an enclave may ask of the monitor during a call (HW-4, IF-3, IF-8)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from strongroom.core.codec import cbor
from strongroom.core.codec.binding import Binding
from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import suite
from strongroom.core.rats import AppFacts
from strongroom.errors import Malformed
from strongroom.system.monitor.birth import Birth, Trunk
from strongroom.system.monitor.derive import AppVault
from strongroom.system.monitor.report import encode_app_evidence
from strongroom.system.monitor.seal import bound_key

T = TypeVar("T")
Fields: TypeAlias = dict[str, object]


class EnclaveRequests:
    """Answers the enclave-side commands of one enclave, under its measurement."""

    def __init__(self, trunk: Trunk, birth: Birth) -> None:
        self._trunk, self._birth = trunk, birth
        self._vault = AppVault(trunk.device, trunk.lock, birth.measurement)

    def answer(self, command: str, fields: Fields) -> Fields:
        """Return the reply's fields; `fields` fit the command table already.

        A key is a `SecretBuffer`, which whoever sends the reply closes.
        """
        row = _ANSWERS.get(command)
        if row is None:
            message = f"gate: no answer to {command}"
            raise Malformed(message)
        return row(self, fields)

    def _report(self, fields: Fields) -> Fields:
        nonce, user_data = _bytes(fields, "nonce"), _bytes(fields, "user_data")
        return {"report": app_report(self._trunk, self._birth, nonce, user_data)}

    def _sealing_key(self, fields: Fields) -> Fields:
        return {"key": self._vault.sealing_key(_text(fields, "label"))}

    def _counter(self, fields: Fields) -> Fields:
        return {"value": self._vault.counter(_text(fields, "label"))}

    def _increment(self, fields: Fields) -> Fields:
        return {"value": self._vault.increment(_text(fields, "label"))}

    def _random(self, fields: Fields) -> Fields:
        with self._trunk.lock:
            return {"random": self._trunk.device.random(_take(fields, "n", int))}

    def _now(self, _: Fields) -> Fields:
        return {"value": self._trunk.clock()}

    def _bound_key(self, fields: Fields) -> Fields:
        binding = Binding.from_value(cbor.decode(_bytes(fields, "binding")))
        approval, label = _bytes(fields, "approval"), _text(fields, "label")
        return {"key": bound_key(self._trunk, self._birth, binding, approval, label)}

    def _platform(self, _: Fields) -> Fields:
        trunk, birth = self._trunk, self._birth
        with trunk.lock:
            booted = [register.value for register in trunk.device.registers()]
        return {
            "device_id": trunk.device.device_id,
            "booted": suite(trunk.device.suite_id).digest(cbor.encode(booted)),
            "monitor_key": PublicKey.of(trunk.key.public).to_bytes(),
            "signer": birth.signer.key_id,
            "enclave_id": birth.enclave_id,
        }


_ANSWERS: Mapping[str, Callable[[EnclaveRequests, Fields], Fields]] = MappingProxyType(
    {
        "REPORT": EnclaveRequests._report,  # noqa: SLF001 - the table of this class
        "SEALING_KEY": EnclaveRequests._sealing_key,  # noqa: SLF001
        "COUNTER": EnclaveRequests._counter,  # noqa: SLF001
        "INCREMENT": EnclaveRequests._increment,  # noqa: SLF001
        "RANDOM": EnclaveRequests._random,  # noqa: SLF001
        "NOW": EnclaveRequests._now,  # noqa: SLF001
        "BOUND_KEY": EnclaveRequests._bound_key,  # noqa: SLF001
        "PLATFORM": EnclaveRequests._platform,  # noqa: SLF001
    }
)


def app_report(trunk: Trunk, birth: Birth, nonce: bytes, user_data: bytes) -> bytes:
    """Return app evidence about an enclave, signed by the monitor (IF-3).

    The enclave asks with user data of its own (RA-1); the host asks without (RA-2).
    """
    manifest = birth.manifest
    facts = AppFacts(
        enclave_id=birth.enclave_id,
        measurement=birth.measurement,
        signer=birth.signer.key_id,
        product=manifest.name,
        svn=manifest.svn,
        suite_id=manifest.suite,
        memory_bytes=birth.memory_bytes,
        threads=manifest.threads,
        processes=manifest.processes,
        debug=False,
        permissions=_permissions(birth),
        locks=birth.locks,
        config=birth.config,
        nonce=nonce,
        user_data=user_data,
        issued_at=trunk.clock(),
    )
    return encode_app_evidence(trunk.key, facts)


def _permissions(birth: Birth) -> tuple[str, ...]:
    """Return what the app was allotted (RES-1, SYS-1), as text for policies."""
    manifest = birth.manifest
    return (
        *(f"storage:{name}" for name in manifest.storage),
        *(f"peer:{name}" for name in manifest.peers),
        *(f"method:{number}" for number in sorted(birth.methods)),
    )


def _bytes(fields: Fields, name: str) -> bytes:
    return _take(fields, name, bytes)


def _text(fields: Fields, name: str) -> str:
    return _take(fields, name, str)


def _take(fields: Fields, name: str, kind: type[T]) -> T:
    value = fields[name]
    if not isinstance(value, kind):
        message = f"gate: {name} is not of type {kind.__name__}"
        raise Malformed(message)
    return value
