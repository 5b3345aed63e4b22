# SPDX-License-Identifier: Apache-2.0
"""A program for enclaves that does the workloads and answers with the seconds."""

from benchmarks.workloads import WORKLOADS
from strongroom.core.codec import cbor
from strongroom.core.rats import EnclaveGate

ECHO, WORK = 1, 2


def main(gate: EnclaveGate, bundle: bytes) -> None:
    """Serve the gate until it closes."""
    del bundle
    while (call := gate.receive()) is not None:
        if call.method == ECHO:
            gate.reply(call.payload)
        else:
            gate.reply(cbor.encode(WORKLOADS[call.payload.decode()]()))
