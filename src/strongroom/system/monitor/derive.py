# SPDX-License-Identifier: Apache-2.0
"""An app's own keys and counters: under its measurement, on this device (SEAL, KDF).

Another app, an altered app, another device or other software under the app gets
other keys: the measured boot is part of the context. The label keeps one key to one
purpose (KM-3). Counters outlive an upgrade, keys do not.
"""

import threading
from typing import TYPE_CHECKING

from strongroom.core.codec import cbor
from strongroom.errors import Malformed

if TYPE_CHECKING:
    from strongroom.core.crypto import SecretBuffer
    from strongroom.core.rats import RootOfTrust

_PURPOSE = "sealing"
_MAX_LABEL = 128


class AppVault:
    """What one measurement may ask of the device; nothing of another's is in reach."""

    def __init__(
        self, device: "RootOfTrust", lock: threading.Lock, measurement: bytes
    ) -> None:
        self._device, self._lock = device, lock
        self._measurement = measurement

    def sealing_key(self, label: str) -> "SecretBuffer":
        """Return the app's sealing key for `label`; the caller closes it."""
        with self._lock:
            booted = [register.value for register in self._device.registers()]
            context = cbor.encode([self._measurement, booted, _checked(label)])
            return self._device.derive(_PURPOSE, context)

    def counter(self, label: str) -> int:
        """Return the app's monotonic counter for `label`."""
        with self._lock:
            return self._device.counter(self._name(label))

    def increment(self, label: str) -> int:
        """Add one to it durably and return the new value."""
        with self._lock:
            return self._device.increment(self._name(label))

    def _name(self, label: str) -> str:
        return f"app/{self._measurement.hex()}/{_checked(label)}"


def _checked(label: str) -> str:
    if not 0 < len(label) <= _MAX_LABEL:
        message = f"a label has 1 to {_MAX_LABEL} characters"
        raise Malformed(message)
    return label
