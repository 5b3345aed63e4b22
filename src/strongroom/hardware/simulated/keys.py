# SPDX-License-Identifier: Apache-2.0
"""What the device unique key gives, each under a label of its own (HW-3, KM-3)."""

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer, Suite

KEY_BYTES = 32
COUNTERS, APP_ROOT, PURPOSE = "counters", "app-root", "purpose:"
_ATTESTATION, _DEVICE_ID = "attestation-key", "device-id"


def derive(
    row: Suite,
    key: SecretBuffer,
    label: str,
    context: bytes = b"",
    size: int = KEY_BYTES,
) -> SecretBuffer:
    """Return HKDF(key, [suite, label, context]) straight into secret memory."""
    info = cbor.encode(["strongroom/device/v1", row.id, label, context])
    out = SecretBuffer(size)
    row.hkdf_into(key.view, info=info, out=out.view)
    return out


def attestation_seed(row: Suite, duk: SecretBuffer) -> SecretBuffer:
    """Return the seed of the device's attestation key."""
    return derive(row, duk, _ATTESTATION, size=row.sign_seed_bytes)


def device_id(row: Suite, duk: SecretBuffer) -> bytes:
    """Return the public name of the device, 32 bytes."""
    with derive(row, duk, _DEVICE_ID) as value:
        return bytes(value.view)
