# SPDX-License-Identifier: Apache-2.0
"""Evidence of real hardware, of whatever kind: what goes in and what comes out.

    HardwareEvidence --verify--> HardwareClaims --appraise--> AttestationResult

`HardwareEvidence` is bytes by the name that the TEE's own documents give them. What a
verifier of hardware/<kind>/verify.py returns is authentic; whether it is WANTED (debug,
TCB status, nonce, measurements) is appraisal and the same for all kinds.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Literal, TypeAlias

from strongroom.core.codec.record import Record
from strongroom.core.rats.proof import Proof, require_proof
from strongroom.errors import Malformed

MAX_PARTS, MAX_PART_BYTES = 16, 16 << 20

Reason = Literal[
    "signature",
    "chain",
    "root",
    "revoked",
    "expired",
    "debug",
    "tcb_out_of_date",
    "tcb_revoked",
    "report_data",
    "nonce",
    "measurement",
    "binding",
    "event_log",
    "collateral_mismatch",
    "missing_endorsement",
    "weak_algorithm",
    "format",
]
"""Why evidence is refused: the second part of a rule id, `<kind>.<reason>.<what>`."""

Bound = Literal["report_data", "nonce", "realm_challenge", ""]
"""What the kind calls the bytes that its attester binds into the evidence."""

Field: TypeAlias = "str | int | bool | list[Field] | dict[str, Field] | None"
"""A field of evidence as JSON carries it: bytes are hex."""


@dataclass(frozen=True)
class HardwareEvidence(Record):
    """What an attester of one kind hands over: UNVERIFIED bytes, each by its role.

    The roles are those of the kind's verifier: for "tdx" `quote` and perhaps
    `event_log`, for "tpm2" `quote`, `signature`, `pcrs`, and so on.
    """

    TYPE = "strongroom/hardware-evidence/v1"

    kind: str
    parts: dict[str, bytes]

    def __post_init__(self) -> None:
        if len(self.parts) > MAX_PARTS or any(
            len(part) > MAX_PART_BYTES for part in self.parts.values()
        ):
            message = f"evidence has at most {MAX_PARTS} parts of {MAX_PART_BYTES} B"
            raise Malformed(message)

    def part(self, role: str) -> bytes:
        """Return the part called `role`.

        Raises:
            Malformed: the evidence has none.
        """
        found = self.parts.get(role)
        if found is None:
            message = f"evidence of kind {self.kind} lacks its part {role!r}"
            raise Malformed(message)
        return found


@dataclass(frozen=True)
class Tcb:
    """How up to date a platform is, in the words of its vendor.

    `status` is as the vendor spells it ("UpToDate"); `advisories` are the vendor's
    ids; `date` is Unix seconds of the TCB level, or None.
    """

    status: str
    advisories: tuple[str, ...]
    date: int | None


@dataclass(frozen=True)
class LoggedEvent:
    """One event of a measured-boot log, in a register that it was replayed into.

    Only `register` and `digest` are claims: the replay proves them. `kind`, `text` and
    `rehashed` are the log's own words for people, which whoever brought the log could
    have written, so they count neither in comparison nor in appraisal; `rehashed` says
    that the digest was recomputed from the event's data.
    """

    register: str
    digest: bytes
    kind: str = field(compare=False)
    text: str = field(compare=False)
    rehashed: bool = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class HardwareClaims:
    """What authentic evidence of one kind says. Made by verifiers only.

    Attributes:
        kind: as in `HardwareEvidence.kind`.
        format: the structure and its version, for people: "TDX quote v4".
        device: a stable id of the device or of the key that signed, or b"".
        bound: what the attester had bound in, as the evidence has it.
        bound_as: what the kind calls that.
        debug: whether anyone may look inside.
        measurements: digests by the spec's names ("mr_td", "pcr.4").
        svns: security versions by the spec's names.
        tcb: the vendor's verdict on the platform's versions, where there is one.
        fields: every field of the evidence by the spec's names.
        events: the measured-boot log, where one was given and replayed.
        inner: claims of evidence inside this evidence (the quote in a certificate).
        issued_at: Unix seconds by the evidence's own clock, or None.
        key: SubjectPublicKeyInfo of a key that the evidence binds, or b"".
        not_proven: what this evidence leaves open, in plain words.
    """

    kind: str
    format: str
    device: bytes
    bound: bytes
    bound_as: Bound
    debug: bool
    measurements: Mapping[str, bytes]
    fields: Mapping[str, Field]
    svns: Mapping[str, int] = field(default_factory=dict)
    tcb: Tcb | None = None
    events: tuple[LoggedEvent, ...] = ()
    inner: "tuple[HardwareClaims, ...]" = ()
    issued_at: int | None = None
    key: bytes = b""
    not_proven: tuple[str, ...] = ()
    proof: InitVar[Proof]

    def __post_init__(self, proof: Proof) -> None:
        require_proof(proof)
