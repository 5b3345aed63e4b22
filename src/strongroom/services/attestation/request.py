# SPDX-License-Identifier: Apache-2.0
"""What an initiator asks of an attestation service, and what the service goes by.

Both are records, so that a request has one encoding and a policy one digest.
"""

from dataclasses import dataclass, field
from typing import Literal

from strongroom.core.codec.record import Record
from strongroom.core.rats import AppraisalPolicy
from strongroom.core.rats.claims import MAX_NONCE_BYTES, MIN_NONCE_BYTES
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Malformed

MAX_SUBMODULES = 32
MAX_VALIDITY_S = 30 * 86_400


@dataclass(frozen=True)
class VerificationRequest(Record):
    """Evidence to be judged for one challenge (RA-1 g, RA-2 e).

    Args:
        policy: the name of one of the service's policies.
        nonce: the initiator's challenge, 8 to 64 bytes.
        evidence: by the name of its submodule ("cpu", "gpu0", "platform"): the bytes
            of an `Evidence` without its app, or of a `HardwareEvidence`.
        bound: what hardware evidence must have bound, by submodule, where it is not
            the nonce itself (followed by zeros up to the length of the field).
        freshness: "nonce": evidence of a platform answers this very challenge. "age":
            it may be older, as the policy allows, since the app's answers it.
        form: how the result is to be signed.
    """

    TYPE = "strongroom/verification-request/v1"

    policy: str
    nonce: bytes
    evidence: dict[str, bytes]
    bound: dict[str, bytes] = field(default_factory=dict)
    freshness: Literal["nonce", "age"] = "nonce"
    form: Literal["jwt", "cwt"] = "jwt"

    def __post_init__(self) -> None:
        if not MIN_NONCE_BYTES <= len(self.nonce) <= MAX_NONCE_BYTES:
            message = f"a nonce has {MIN_NONCE_BYTES} to {MAX_NONCE_BYTES} bytes"
            raise Malformed(message)
        if not 0 < len(self.evidence) <= MAX_SUBMODULES or not all(self.evidence):
            message = f"evidence of 1 to {MAX_SUBMODULES} submodules, each with a name"
            raise Malformed(message)
        if not set(self.bound) <= set(self.evidence):
            message = "bound names a submodule that there is no evidence of"
            raise Malformed(message)


@dataclass(frozen=True, kw_only=True)
class EnvironmentPolicy(Record):
    """What a service expects of an environment; the app is the initiator's to judge.

    Args:
        owner: whose rules these are.
        required: submodules that must be there, so that none can be left out.
        platform: for two-layer evidence; without apps. None accepts none.
        hardware: for hardware evidence: the first that names the kind counts.
        validity_s: how long a result is good, in seconds.
    """

    TYPE = "strongroom/environment-policy/v1"

    owner: str
    required: tuple[str, ...]
    platform: AppraisalPolicy | None
    hardware: tuple[HardwarePolicy, ...]
    validity_s: int

    def __post_init__(self) -> None:
        if not self.owner or not (self.platform or self.hardware):
            message = "a policy has an owner and accepts some environment"
            raise Malformed(message)
        if self.platform is not None and self.platform.apps:
            message = "apps are the initiator's to judge: leave them out here"
            raise Malformed(message)
        if not 0 < self.validity_s <= MAX_VALIDITY_S:
            message = f"a result is good for 1 to {MAX_VALIDITY_S} seconds"
            raise Malformed(message)

    def for_hardware(self, kind: str) -> HardwarePolicy | None:
        """Return the policy for hardware of `kind`, or None where it is refused."""
        return next((each for each in self.hardware if kind in each.kinds), None)
