# SPDX-License-Identifier: Apache-2.0
"""The simulated device: the whole signed trust chain, without trusted hardware (SIM).

abi           layout of its evidence          verify    pure verification
manufacturer  root and intermediate keys      device    keys, registers, counters
attest        evidence made from the device   keys      what the unique key gives
firmware      what the device measures first

Its device file is as safe as its owner. It raises the cost of reading keys and proves
nothing about hardware: policies refuse it unless they accept it by name.

The two names are loaded when they are asked for (PEP 562): a verifier, which may run
inside an enclave or on another system, loads `verify` and `abi` alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.hardware.simulated.device import SimulatedDevice
    from strongroom.hardware.simulated.manufacturer import SimulatedManufacturer

__all__ = ["SimulatedDevice", "SimulatedManufacturer"]

_MODULES = {"SimulatedDevice": "device", "SimulatedManufacturer": "manufacturer"}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    found: object = getattr(import_module(f"{__name__}.{module}"), name)
    return found
