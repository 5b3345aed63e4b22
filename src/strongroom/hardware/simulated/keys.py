# SPDX-License-Identifier: Apache-2.0
"""What the simulated device's unique key gives besides the keys of apps (HW-3)."""

from strongroom.core.crypto import SecretBuffer, Suite
from strongroom.hardware.parts.keys import derive

_ATTESTATION, _DEVICE_ID = "attestation-key", "device-id"


def attestation_seed(row: Suite, duk: SecretBuffer) -> SecretBuffer:
    """Return the seed of the device's attestation key."""
    return derive(row, duk, _ATTESTATION, size=row.sign_seed_bytes)


def device_id(row: Suite, duk: SecretBuffer) -> bytes:
    """Return the public name of the device, 32 bytes."""
    with derive(row, duk, _DEVICE_ID) as value:
        return bytes(value.view)
