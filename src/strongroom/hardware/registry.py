# SPDX-License-Identifier: Apache-2.0
"""Which verifier reads which kind of platform evidence: a literal table."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import cast

from strongroom.core.rats import (
    Attester,
    HardwareClaims,
    HardwareEvidence,
    PlatformClaims,
    Trust,
)
from strongroom.errors import Misconfigured
from strongroom.hardware.simulated import abi as simulated
from strongroom.hardware.simulated.verify import verify as verify_simulated

Verify = Callable[[bytes, Trust, int], PlatformClaims]
"""(platform evidence, trust, now) -> claims, or an error; pure and total."""

VERIFIERS: MappingProxyType[str, Verify] = MappingProxyType(
    {
        simulated.KIND: verify_simulated,
        "tpm2": lambda *given: _rooted("tpm2", *given),
    }
)
"""Platforms by kind. "simulated" signs its own statement; of the others hardware
binds it, and their verifier is loaded when evidence names the kind."""

VerifyHardware = Callable[[HardwareEvidence, Trust, int], HardwareClaims]
"""(evidence, trust, now) -> claims, or an error; pure and total."""

HARDWARE: MappingProxyType[str, str] = MappingProxyType(
    {
        "arm-cca": "strongroom.hardware.arm_cca.verify",
        "az-snp-vtpm": "strongroom.hardware.az_snp_vtpm.verify",
        "az-tdx-vtpm": "strongroom.hardware.az_tdx_vtpm.verify",
        "hygon-csv": "strongroom.hardware.hygon_csv.verify",
        "ibm-se": "strongroom.hardware.ibm_se.verify",
        "nitro": "strongroom.hardware.nitro.verify",
        "nvidia-gpu": "strongroom.hardware.nvidia_gpu.verify",
        "ra-tls": "strongroom.hardware.ra_tls.verify",
        "sev-snp": "strongroom.hardware.sev_snp.verify",
        "sgx": "strongroom.hardware.sgx.verify",
        "tdx": "strongroom.hardware.tdx.verify",
        "tpm2": "strongroom.hardware.tpm2.verify",
    }
)
"""Where each kind's `verify` is; only the kind that evidence names is loaded."""


ATTESTERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "arm-cca": "strongroom.hardware.arm_cca.attest",
        "hygon-csv": "strongroom.hardware.hygon_csv.attest",
        "nitro": "strongroom.hardware.nitro.attest",
        "sev-snp": "strongroom.hardware.sev_snp.attest",
        "sgx": "strongroom.hardware.sgx.attest",
        "tdx": "strongroom.hardware.tdx.attest",
        "tpm2": "strongroom.hardware.tpm2.attest",
    }
)
"""Where each kind's `attester` is, which makes one for this machine."""


def hardware_attester(kind: str) -> Attester:
    """Return the attester of `kind` for this machine, whether it works here or not.

    Raises:
        Misconfigured: this version cannot attest such hardware.
    """
    module = ATTESTERS.get(kind)
    if module is None:
        message = (
            f"no attester for hardware of kind {kind!r}: this version has "
            f"{', '.join(ATTESTERS)}"
        )
        raise Misconfigured(message)
    return cast("Attester", import_module(module).attester())


@cache
def hardware_verifier(kind: str) -> VerifyHardware:
    """Return the verify function for hardware evidence of `kind`.

    Raises:
        Misconfigured: this version knows no such hardware.
    """
    module = HARDWARE.get(kind)
    if module is None:
        message = (
            f"no verifier for hardware of kind {kind!r}: this version has "
            f"{', '.join(HARDWARE)}"
        )
        raise Misconfigured(message)
    return cast("VerifyHardware", import_module(module).verify)


def _rooted(kind: str, evidence: bytes, trust: Trust, now: int) -> PlatformClaims:
    from strongroom.hardware.rooted.verify import verify  # noqa: PLC0415 - see VERIFIERS

    return verify(kind, hardware_verifier(kind), evidence, trust, now)


def verifier(kind: str) -> Verify:
    """Return the verify function for `kind`.

    Raises:
        Misconfigured: this version knows no such platform.
    """
    found = VERIFIERS.get(kind)
    if found is None:
        message = (
            f"no verifier for platforms of kind {kind!r}: this version has "
            f"{', '.join(VERIFIERS)}"
        )
        raise Misconfigured(message)
    return found
