# SPDX-License-Identifier: Apache-2.0
"""Layout of the simulated device's evidence (docs/specs/evidence.md).

A token is an EAT (RFC 9711) in COSE_Sign1; it travels with its certificate chain.
Nothing is verified here. `encode` and `decode` are inverse to the byte.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.rats import PlatformFacts
from strongroom.core.rats.eat import media_type
from strongroom.core.rats.statement import Profile

KIND = "simulated"
PROFILE = "urn:x-strongroom:eat:simulated:1"
TYPE = media_type(PROFILE)

_PROFILE = Profile(KIND, PROFILE, oemid=b"strongroom-simul", hwmodel=b"simulated")


@dataclass(frozen=True)
class SimulatedEvidence(Record):
    """The bytes of `Evidence.platform`: chain (leaf first) and token, UNVERIFIED."""

    TYPE = "strongroom/simulated-evidence/v1"

    chain: tuple[bytes, ...]
    token: bytes


def subject(device_id: bytes) -> str:
    """Return the subject of a device's attestation certificate."""
    return f"simulated device {device_id.hex()}"


def encode(facts: PlatformFacts) -> bytes:
    """Return the claims set of `facts`.

    Raises:
        Malformed: facts of another kind of platform.
    """
    return _PROFILE.encode(facts)


def decode(data: bytes) -> PlatformFacts:
    """Return the facts that `data` is the claims set of.

    Raises:
        Malformed: any bytes that `encode` does not write.
    """
    return _PROFILE.decode(data)
