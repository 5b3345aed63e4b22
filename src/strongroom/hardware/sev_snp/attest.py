# SPDX-License-Identifier: Apache-2.0
"""Attest the SEV-SNP guest that this runs in, through configfs-tsm (Linux 6.7).

The host hands over certificates with a report. Nobody vouches for them: they spare a
verifier the way to AMD's key server, and count only if they lead to its own root.
"""

from strongroom.hardware.machine import LINUX, Machine
from strongroom.hardware.tsm.attest import TsmAttester
from strongroom.hardware.tsm.report import TsmReport

KIND = "sev-snp"


def attester(machine: Machine = LINUX, privlevel: int | None = None) -> TsmAttester:
    """Return the attester of this guest, for reports of VMPL `privlevel`."""
    return TsmAttester(KIND, machine, _parts, privlevel)


def _parts(machine: Machine, report: TsmReport) -> dict[str, bytes]:
    del machine
    parts = {"report": report.outblob}
    # a host without certificates gives none, or a table of zeros
    if any(report.auxblob):
        parts["cert_table"] = report.auxblob
    return parts
