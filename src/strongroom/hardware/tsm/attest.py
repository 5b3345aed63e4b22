# SPDX-License-Identifier: Apache-2.0
"""The attester of every kind that Linux gives reports of through configfs-tsm."""

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.rats import HardwareEvidence
from strongroom.errors import Misconfigured, StrongroomError
from strongroom.hardware.machine import Machine, require_report_data
from strongroom.hardware.tsm.report import FOLDER, TsmReport, make_report, provider

Assemble = Callable[[Machine, TsmReport], dict[str, bytes]]
"""(machine, report) -> the parts of the evidence, by role."""

KINDS = {"tdx_guest": "tdx", "sev_guest": "sev-snp", "arm_cca_guest": "arm-cca"}
"""Which kind of evidence each provider's reports are."""


@dataclass(frozen=True)
class TsmAttester:
    """Attests this virtual machine; implements `Attester`.

    Attributes:
        kind: of the evidence.
        machine: that this runs on.
        assemble: makes the evidence of a report.
        privlevel: the VMPL to ask for (SEV-SNP), or None for the kernel's own.
    """

    kind: str
    machine: Machine
    assemble: Assemble
    privlevel: int | None = None

    def collect(self, bound: bytes) -> HardwareEvidence:
        """Return evidence with `bound` as its report data (CCA: its challenge).

        Raises:
            Malformed: `bound` has not 64 bytes.
            Misconfigured: this machine is no such guest; it says what is missing.
            Unavailable: the TEE did not answer; try again.
        """
        require_report_data(bound)
        report = make_report(self.machine, bound, self.privlevel)
        self._require(report.provider)
        return HardwareEvidence(self.kind, self.assemble(self.machine, report))

    def missing(self) -> str:
        """Return why this machine gives no such evidence, or "" if it does."""
        try:
            self._require(provider(self.machine))
        except StrongroomError as error:
            return error.message
        return ""

    def _require(self, found: str) -> None:
        if KINDS.get(found) != self.kind:
            message = (
                f"{FOLDER}: this machine's reports come from {found or 'nobody'}, "
                f"which gives {KINDS.get(found, 'nothing known here')}, not {self.kind}"
            )
            raise Misconfigured(message)
