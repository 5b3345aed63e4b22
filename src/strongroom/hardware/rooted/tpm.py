# SPDX-License-Identifier: Apache-2.0
"""What roots a platform in a TPM: a pinned attestation key, and the PCRs. Pure."""

from strongroom.core.rats import Endorsements, PlatformFacts, Trust, Verified
from strongroom.hardware.refusal import refuse
from strongroom.hardware.tpm2.pcrs import KIND, device_id_of, require_backed

__all__ = ["require_backed", "trust_of"]

_AK = "trusted_ak_public"


def trust_of(facts: PlatformFacts, trust: Trust) -> Trust:
    """Return the trust in the one attestation key that the statement names.

    Roots of TPM platforms are public areas (TPMT_PUBLIC) that an administrator
    pinned; newer ones come as endorsements `trusted_ak_public`. A device is called
    by the digest of its key, so no other pinned key can speak for it.

    Raises:
        Untrusted: no such key is pinned, or it is revoked.
    """

    def make() -> "Verified[Trust]":
        return Verified(Trust(_pinned(facts.device_id, trust.endorsements)))

    return trust.once(("rooted.tpm", facts.device_id), 0, make)


def _pinned(device_id: bytes, endorsements: Endorsements) -> Endorsements:
    pinned = (*endorsements.roots, *endorsements.collateral.get(_AK, ()))
    own = [key for key in pinned if device_id_of(key) == device_id]
    if not own:
        raise refuse(
            KIND,
            "root",
            "ak",
            expected=f"one of {len(pinned)} pinned attestation keys",
            got=f"device {device_id.hex()[:16]}",
            remedy="Have the administrator pin this TPM's attestation key, or use a "
            "machine of the room.",
        )
    if device_id in endorsements.revoked:
        raise refuse(
            KIND,
            "revoked",
            "ak",
            expected="an attestation key that is not revoked",
            got=f"device {device_id.hex()[:16]}",
            remedy="The administrator no longer vouches for this TPM; use another.",
        )
    return Endorsements((), endorsements.revoked, {_AK: tuple(own[:1])})
