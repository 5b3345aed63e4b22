# SPDX-License-Identifier: Apache-2.0
"""Make the simulated device's evidence: the inverse of verify.py."""

from strongroom.core.codec import cose
from strongroom.core.crypto import SigningKey
from strongroom.core.rats import PlatformFacts
from strongroom.hardware.simulated.abi import TYPE, SimulatedEvidence, encode


def make_evidence(
    key: SigningKey, chain: tuple[bytes, ...], facts: PlatformFacts
) -> bytes:
    """Return `facts` signed by the attestation key, with its chain."""
    token = cose.sign1(key, TYPE, encode(facts))
    return SimulatedEvidence(chain=chain, token=token).to_bytes()
