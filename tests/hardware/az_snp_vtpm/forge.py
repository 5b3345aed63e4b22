# SPDX-License-Identifier: Apache-2.0
"""Evidence of an Azure VM on SEV-SNP that never was."""

from dataclasses import dataclass, field, replace

from strongroom.core.rats import HardwareEvidence, Trust
from tests.hardware.sev_snp import forge as snp
from tests.hardware.tcg.forge import Quote
from tests.hardware.tcg.paravisor import QUOTE, Paravisor, quote_parts

NOW = snp.NOW


@dataclass(frozen=True)
class Forge:
    """Evidence, and the endorsements that belong to it; `with_` varies one thing."""

    paravisor: Paravisor = field(default_factory=Paravisor)
    quote: Quote = QUOTE
    hardware: snp.Forge = snp.MILAN
    bound: bytes | None = None
    parts: dict[str, bytes] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    def report(self) -> bytes:
        """Return the SNP report, which binds the runtime data."""
        bound = self.paravisor.report_data() if self.bound is None else self.bound
        body = self.hardware.body
        patched = replace(body, patch={**body.patch, 0x50: bound})
        return patched.sign(self.hardware.leaf)

    def evidence(self) -> HardwareEvidence:
        parts = {
            "hcl_report": self.paravisor.report(self.report()),
            **quote_parts(self.quote),
            **self.parts,
        }
        kept = {role: part for role, part in parts.items() if role not in self.without}
        return HardwareEvidence("az-snp-vtpm", kept)

    def trust(self) -> Trust:
        return self.hardware.trust()
