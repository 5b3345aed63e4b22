# SPDX-License-Identifier: Apache-2.0
"""Keys bound to what an app is, and who gets the key of which (SEAL, 7.9 c to e).

The engine derives a key of its own for each characteristic value; the app's key is
given to that app, to a newer version of it where it sealed so, or to the app that its
signer approved. Whoever has another device, other measured software or another
signer would get another key, so those are refused before a key is derived or fail as
they decrypt.
"""

from typing import TYPE_CHECKING

from strongroom.core.codec import cbor
from strongroom.core.codec.binding import Binding, UpgradeApproval
from strongroom.core.codec.signed import open_record
from strongroom.errors import Refused
from strongroom.system.monitor.birth import Birth, Trunk

if TYPE_CHECKING:
    from strongroom.core.crypto import SecretBuffer

_PURPOSE = "bound-sealing"


def bound_key(
    trunk: Trunk, birth: Birth, binding: Binding, approval: bytes, label: str
) -> "SecretBuffer":
    """Return the 32-byte key of `binding` and `label`; the caller closes it.

    Args:
        trunk: the device.
        birth: the enclave that asks.
        binding: what the data is sealed to.
        approval: a signed `UpgradeApproval`, or empty.
        label: keeps one key to one purpose (KM-3).

    Raises:
        Refused: `seal.signer`, `seal.product`, `seal.svn`, `seal.measurement`.
        Untrusted, Malformed: the approval is not one by the app's signer.
    """
    _check_signer(birth, binding)
    if binding.policy == "signer":
        _check_version(birth, binding)
        value: list[object] = ["signer", binding.signer, binding.product, binding.svn]
    else:
        _check_measurement(birth, binding, approval)
        value = ["measurement", binding.signer, binding.measurement]
    with trunk.lock:
        booted = [register.value for register in trunk.device.registers()]
        return trunk.device.derive(_PURPOSE, cbor.encode([value, booted, label]))


def _check_signer(birth: Birth, binding: Binding) -> None:
    mine = birth.signer.key_id
    if binding.signer != mine:
        raise Refused.because(
            "seal.signer",
            "monitor",
            expected=f"data that an app of signer {binding.signer.hex()[:16]} opens",
            got=f"an app of signer {mine.hex()[:16]}",
            remedy="Open it in an app of the signer that sealed it.",
        )


def _check_version(birth: Birth, binding: Binding) -> None:
    manifest = birth.manifest
    if binding.product != manifest.name:
        raise Refused.because(
            "seal.product",
            "monitor",
            expected=f"the app {binding.product}",
            got=manifest.name,
            remedy="Open it in the product that sealed it.",
        )
    if binding.svn > manifest.svn:
        raise Refused.because(
            "seal.svn",
            "monitor",
            expected=f"security version {binding.svn} or higher",
            got=f"version {manifest.svn} of {manifest.name}",
            remedy="Open it in the version that sealed it, or a newer one.",
        )


def _check_measurement(birth: Birth, binding: Binding, approval: bytes) -> None:
    if binding.measurement == birth.measurement:
        return
    old, new = binding.measurement.hex()[:16], birth.measurement.hex()[:16]
    expected = f"the app {old}, or an approval of its signer that names it and {new}"
    if not approval:
        raise Refused.because(
            "seal.measurement",
            "monitor",
            expected=expected,
            got=f"the app {new}, without one",
            remedy="Have the signer approve the upgrade: `app approve-upgrade`.",
        )
    said = open_record(UpgradeApproval, approval, birth.signer.verifying())
    if (said.old, said.new) != (binding.measurement, birth.measurement):
        raise Refused.because(
            "seal.measurement",
            "monitor",
            expected=expected,
            got=f"an approval from {said.old.hex()[:16]} to {said.new.hex()[:16]}",
            remedy="Have the signer approve this very upgrade.",
        )
