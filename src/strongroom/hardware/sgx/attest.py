# SPDX-License-Identifier: Apache-2.0
"""Attest the enclave that this runs in, through Gramine's /dev/attestation.

Not covered: other library OSes (Occlum, EGo) and enclaves of the SDK alone, whose
processes make quotes with their own calls.
"""

from dataclasses import dataclass

from strongroom.core.rats import HardwareEvidence
from strongroom.errors import Misconfigured, StrongroomError
from strongroom.hardware.machine import LINUX, Machine, require_report_data, using

KIND = "sgx"
TYPE = "/dev/attestation/attestation_type"
REPORT_DATA = "/dev/attestation/user_report_data"
QUOTE = "/dev/attestation/quote"
NEEDS = (
    "this needs a process in an SGX enclave of Gramine whose manifest has "
    'sgx.remote_attestation = "dcap"'
)


@dataclass(frozen=True)
class GramineAttester:
    """Attests this enclave; implements `Attester`."""

    machine: Machine = LINUX

    @property
    def kind(self) -> str:
        """The kind of evidence."""
        return KIND

    def collect(self, bound: bytes) -> HardwareEvidence:
        """Return a quote with `bound` as its report data.

        The files are of the whole process: two threads must not attest at once.

        Raises:
            Malformed: `bound` has not 64 bytes.
            Misconfigured: this is no such enclave.
            Unavailable: the quoting enclave did not answer.
        """
        require_report_data(bound)
        self._require_dcap()
        with using(QUOTE, NEEDS):
            self.machine.write(REPORT_DATA, bound)
            quote = self.machine.read(QUOTE)
        return HardwareEvidence(KIND, {"quote": quote})

    def missing(self) -> str:
        """Return why this machine gives no such evidence, or "" if it does."""
        try:
            self._require_dcap()
        except StrongroomError as error:
            return error.message
        return ""

    def _require_dcap(self) -> None:
        with using(TYPE, NEEDS):
            found = self.machine.read(TYPE).decode("ascii", "replace").strip()
        if found != "dcap":
            message = f"{TYPE} says {found[:32]!r}: {NEEDS}"
            raise Misconfigured(message)


def attester(machine: Machine = LINUX) -> GramineAttester:
    """Return the attester of this enclave."""
    return GramineAttester(machine)
