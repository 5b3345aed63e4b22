# SPDX-License-Identifier: Apache-2.0
"""What an EAR says (draft-ietf-rats-ear-04): values, whose encodings are elsewhere.

What the draft leaves to profiles stands in two records: what the evidence says
(`ear_attester_claims`) and what appraisal adds (`ear_verifier_claims`). Their members
are JSON values, bytes in hex, so that a tool that knows no CBOR reads the same.
`ear_codec` has the JSON and the CBOR form.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from strongroom.core.codec import jws
from strongroom.core.codec.record import Record
from strongroom.core.rats.claims import MAX_COUNT, MAX_NONCE_BYTES, MIN_NONCE_BYTES
from strongroom.core.rats.results import VERIFIER_ID, Status, TrustVector, worst
from strongroom.errors import Finding, Malformed


@dataclass(frozen=True)
class FindingText(Record):
    """A finding on its way."""

    rule: str
    owner: str
    expected: str
    got: str
    remedy: str


@dataclass(frozen=True)
class AttesterClaims(Record):
    """What the evidence says, authentic as far as the status goes; bytes in hex.

    `bound` is what the attester bound in (nonce, report data), `device` an id of
    device or signing key, `monitor_key` with its `suite` the key that speaks for the
    apps of a two-layer platform, `key` the SubjectPublicKeyInfo that hardware
    evidence binds. Each is "" where the evidence has none.
    """

    kind: str
    format: str = ""
    debug: bool = False
    bound: str = ""
    device: str = ""
    suite: str = ""
    monitor_key: str = ""
    key: str = ""
    measurements: dict[str, str] = field(default_factory=dict)
    svns: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class VerifierClaims(Record):
    """What appraisal adds: which policy it went by, why it refuses, what stays open.

    `policy` is the name under which the relying party asked for it.
    """

    owner: str
    policy: str = ""
    tcb_status: str = ""
    advisories: tuple[str, ...] = ()
    findings: tuple[FindingText, ...] = ()
    unchecked: tuple[str, ...] = ()
    not_proven: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EarSubmodule:
    """The appraisal of one attester: a TEE, a GPU, the platform under a monitor."""

    vector: TrustVector
    policy_id: str
    attester: AttesterClaims
    verifier: VerifierClaims

    @property
    def status(self) -> Status:
        """Contraindicated as soon as there is a finding."""
        return "contraindicated" if self.verifier.findings else self.vector.status

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Why the verifier refuses."""
        return tuple(Finding(**asdict(each)) for each in self.verifier.findings)


@dataclass(frozen=True, kw_only=True)
class Ear:
    """What a verifier says of one challenge; nobody has vouched for it yet.

    `nonce` is the challenge, 8 to 64 bytes; `evidence_digest` as `evidence_digest`
    makes it; times are Unix seconds.
    """

    nonce: bytes
    evidence_digest: bytes
    issued_at: int
    expires_at: int
    submodules: Mapping[str, EarSubmodule]
    build: str = VERIFIER_ID["build"]
    developer: str = VERIFIER_ID["developer"]

    def __post_init__(self) -> None:
        if not MIN_NONCE_BYTES <= len(self.nonce) <= MAX_NONCE_BYTES:
            raise wrong_claims("a nonce of another length")
        if not self.submodules or not all(self.submodules):
            raise wrong_claims("no submodule or no name")
        if not 0 <= self.issued_at <= self.expires_at <= MAX_COUNT:
            raise wrong_claims("times out of their order")

    @property
    def status(self) -> Status:
        """The worst of any submodule."""
        return worst(each.status for each in self.submodules.values())


def wrong_claims(got: str) -> Malformed:
    """Return the error for a claims set that is not one of this profile."""
    return jws.malformed("ear.claims", "the claims of an attestation result", got)
