# SPDX-License-Identifier: Apache-2.0
"""Attestation results as EAR claims (draft-ietf-rats-ear-04, AR4SI trust vector).

A result is made by appraisal only, like claims by verification. It is a value for
the relying party in this process; what a verifier signs for others is `ear.Ear`.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import InitVar, asdict, dataclass
from typing import Literal

from strongroom.core.codec import cbor
from strongroom.core.rats.claims import Proof, require_proof
from strongroom.errors import Finding

Status = Literal["affirming", "warning", "contraindicated"]

EAR_PROFILE = "tag:ietf.org,2026:rats/ear#04"
VERIFIER_ID = {"developer": "strongroom", "build": "strongroom.services.attestation/1"}
_SUBMODULE = "strongroom"

_IAT, _EAT_NONCE, _EAT_PROFILE, _SUBMODS = 6, 10, 265, 266
_STATUS, _VECTOR, _POLICY_IDS, _VERIFIER_ID = 1000, 1001, 1003, 1004
_FINDINGS, _UNCHECKED = -70350, -70351
TIERS: dict[Status, int] = {"affirming": 2, "warning": 32, "contraindicated": 96}
"""Each status with its number in CBOR and the lowest claim of its tier, best first."""


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of one or more statuses."""
    return max(statuses, key=TIERS.__getitem__)


@dataclass(frozen=True, kw_only=True)
class TrustVector:
    """The eight AR4SI claims in their CBOR order; 0 makes no assertion.

    2..31 affirms, 32..95 warns, 96 and up contraindicates
    (draft-ietf-rats-ar4si section 2.3).
    """

    instance_identity: int
    configuration: int
    executables: int
    file_system: int
    hardware: int
    runtime_opaque: int
    storage_opaque: int
    sourced_data: int

    @property
    def values(self) -> tuple[int, ...]:
        """The claims by their number in CBOR."""
        return (
            self.instance_identity,
            self.configuration,
            self.executables,
            self.file_system,
            self.hardware,
            self.runtime_opaque,
            self.storage_opaque,
            self.sourced_data,
        )

    @property
    def status(self) -> Status:
        """The worst tier of any claim."""
        highest = max(self.values)
        if highest >= TIERS["contraindicated"]:
            return "contraindicated"
        return "warning" if highest >= TIERS["warning"] else "affirming"


@dataclass(frozen=True, kw_only=True)
class AttestationResult:
    """What an appraisal found; an accepted one has no findings.

    "warning" with no findings is what a policy gets that accepts a simulated
    platform by name: everything it asked for holds, and the hardware claims stay
    what they are. `unchecked` repeats what the policy left open, with the reasons.
    """

    kind: str
    owner: str
    policy_id: str
    nonce: bytes
    issued_at: int
    vector: TrustVector
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    proof: InitVar[Proof]

    def __post_init__(self, proof: Proof) -> None:
        require_proof(proof)

    @property
    def status(self) -> Status:
        """The EAR status: contraindicated as soon as there is a finding."""
        return "contraindicated" if self.findings else self.vector.status

    def to_cbor(self) -> bytes:
        """Return the EAR claims set with integer labels (CWT)."""
        vector = enumerate(self.vector.values)
        submodule: dict[int, object] = {
            _STATUS: TIERS[self.status],
            _VECTOR: dict(vector),
            _POLICY_IDS: [self.policy_id],
            _FINDINGS: self._finding_maps(),
            _UNCHECKED: list(self.unchecked),
        }
        return cbor.encode(
            {
                _EAT_PROFILE: EAR_PROFILE,
                _IAT: self.issued_at,
                _EAT_NONCE: self.nonce,
                _VERIFIER_ID: dict(enumerate(VERIFIER_ID.values())),
                _SUBMODS: {_SUBMODULE: submodule},
            }
        )

    def to_json(self) -> str:
        """Return the same claims set with text labels (JWT)."""
        submodule = {
            "ear_status": self.status,
            "ear_trustworthiness_vector": {
                name.replace("_", "-"): value
                for name, value in asdict(self.vector).items()
            },
            "ear_appraisal_policy_ids": [self.policy_id],
            "strongroom_findings": self._finding_maps(),
            "strongroom_unchecked": list(self.unchecked),
        }
        nonce = base64.urlsafe_b64encode(self.nonce).rstrip(b"=").decode()
        claims = {
            "eat_profile": EAR_PROFILE,
            "iat": self.issued_at,
            "eat_nonce": nonce,
            "ear_verifier_id": VERIFIER_ID,
            "submods": {_SUBMODULE: submodule},
        }
        return json.dumps(claims, sort_keys=True, separators=(",", ":"))

    def _finding_maps(self) -> list[dict[str, str]]:
        return [asdict(finding) for finding in self.findings]
