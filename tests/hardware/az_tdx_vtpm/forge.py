# SPDX-License-Identifier: Apache-2.0
"""Evidence of an Azure VM on TDX that never was."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.az_tdx_vtpm.tdreport import NAMES, td_report
from tests.hardware.dcap.forge import IntelWorld, world
from tests.hardware.pki import NOW
from tests.hardware.tcg.forge import Quote
from tests.hardware.tcg.paravisor import QUOTE, Paravisor, quote_parts

TDX = 4
"""The type of an HCL report around a TDREPORT."""


@dataclass(frozen=True)
class Forge:
    """Evidence, and the endorsements that belong to it; `with_` varies one thing."""

    paravisor: Paravisor = field(default_factory=lambda: Paravisor(report_type=TDX))
    quote: Quote = QUOTE
    kind: str = "tdx v4"
    hardware: dict[str, object] = field(default_factory=dict)
    bound: bytes | None = None
    said: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def with_(self, **changes: object) -> "Forge":
        return replace(self, **changes)  # type: ignore[arg-type]

    @cached_property
    def world(self) -> IntelWorld:
        """Return the platform whose TD this is."""
        bound = self.paravisor.report_data() if self.bound is None else self.bound
        return world(self.kind, **{"report_data": bound, **self.hardware})

    @cached_property
    def td(self) -> tuple[bytes, HardwareClaims]:
        """Return the TD's quote and what it says."""
        quote = self.world.quote()
        evidence = HardwareEvidence("tdx", {"quote": quote})
        return quote, verify_hardware(evidence, self.trust(), now=NOW)

    def evidence(self) -> HardwareEvidence:
        quote, claims = self.td
        said = {name: bytes.fromhex(str(claims.fields[name])) for name in NAMES}
        parts = {
            "hcl_report": self.paravisor.report(td_report({**said, **self.said})),
            "td_quote": quote,
            **quote_parts(self.quote),
            **self.parts,
        }
        kept = {role: part for role, part in parts.items() if role not in self.without}
        return HardwareEvidence("az-tdx-vtpm", kept)

    def trust(self) -> Trust:
        return Trust(self.world.endorsements())
