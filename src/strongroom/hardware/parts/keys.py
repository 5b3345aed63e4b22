# SPDX-License-Identifier: Apache-2.0
"""What one key of a device gives, each under a label of its own (HW-3, KM-3)."""

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer, Suite

KEY_BYTES = 32
COUNTERS, APP_ROOT, PURPOSE = "counters", "app-root", "purpose:"


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


def purpose_key(
    row: Suite, key: SecretBuffer, purpose: str, context: bytes
) -> SecretBuffer:
    """Return the key for `purpose` under the app root key of `context` (7.6)."""
    with derive(row, key, APP_ROOT, context) as root:
        return derive(row, root, PURPOSE + purpose)
