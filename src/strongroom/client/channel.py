# SPDX-License-Identifier: Apache-2.0
"""How a party that has pinned an attestation service verifies the end of a channel.

The service judges the platform (7.3 g, h), the party the application (7.3 i). For the
message channel as for RA-TLS; see services/channel/verifying.py for parties that have
endorsements of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from strongroom.client.attestation import (
    PLATFORM,
    AttestationService,
    attest_evidence,
)
from strongroom.core.rats import Evidence
from strongroom.services.attestation.application import (
    ApplicationPolicy,
    VouchedPlatform,
)
from strongroom.services.channel.verifying import Clock, VouchedEnclave


@dataclass(frozen=True)
class ServiceAppraiser:
    """An `Appraiser` that asks `service` about the platform."""

    service: AttestationService
    policy: ApplicationPolicy
    clock: Clock

    def accept(self, evidence: bytes, nonce: bytes, user_data: bytes) -> VouchedEnclave:
        """Attest; the platform's age must suit the service's policy.

        Raises:
            StrongroomError: as `attest_evidence`.
        """
        return self.judge(Evidence.from_bytes(evidence), nonce, user_data, fresh=False)

    def judge(
        self, evidence: Evidence, nonce: bytes, user_data: bytes, *, fresh: bool
    ) -> VouchedEnclave:
        """Attest; `fresh` says whether the platform too answers the nonce."""
        attested = attest_evidence(
            evidence,
            nonce,
            self.service,
            self.policy,
            self.clock(),
            user_data=user_data,
            platform_is_fresh=fresh,
        )
        return VouchedEnclave(
            VouchedPlatform.of(attested.environment, PLATFORM),
            self.policy,
            self.clock,
            attested.environment.ear.expires_at,
            attested.app.enclave_id,
        )


@dataclass(frozen=True)
class AttestedByService:
    """A `Verify` for the message channel: each handshake asks the service.

    `carrier` is asked with the nonce for evidence of the platform; what it says of an
    app there does not count.
    """

    appraiser: ServiceAppraiser
    carrier: Callable[[bytes], Evidence]

    def __call__(self, evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        """Attest; raises as `attest_evidence`."""
        whole = replace(self.carrier(nonce), app=evidence)
        self.appraiser.judge(whole, nonce, user_data, fresh=True)
