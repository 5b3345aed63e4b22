# SPDX-License-Identifier: Apache-2.0
"""The victim's program: plants secrets in an enclave and tells where, never what.

The secrets are answered under a mask, so that the monitor that carries the answer
never holds them.
"""

import ctypes
import os

from strongroom.core.codec import cbor
from strongroom.core.crypto import SecretBuffer
from strongroom.core.rats import EnclaveGate

MASK = 0x55
SIZE = 32


def masked(data: bytes) -> bytes:
    """Hide or show a secret."""
    return bytes(byte ^ MASK for byte in data)


def main(gate: EnclaveGate, bundle: bytes) -> None:
    """Plant, then wait for calls until the gate closes."""
    del bundle
    heap = ctypes.create_string_buffer(os.urandom(SIZE), SIZE)
    scratch = ctypes.create_string_buffer(SIZE)
    secret = SecretBuffer(SIZE)
    secret.fill_random()
    area = (ctypes.c_ubyte * SIZE).from_buffer(secret.view)
    while gate.receive() is not None:
        answer = {
            "heap": ctypes.addressof(heap),
            "secret": ctypes.addressof(area),
            "scratch": ctypes.addressof(scratch),
            "heap_masked": masked(heap.raw),
            "secret_masked": bytes(byte ^ MASK for byte in secret.view),
        }
        gate.reply(cbor.encode(answer))
