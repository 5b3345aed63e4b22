# SPDX-License-Identifier: Apache-2.0
"""Remote attestation vocabulary after RFC 9334: pure values and role protocols.

evidence  -> verify ->  claims  -> appraise under a policy ->  results
"""

from strongroom.core.rats.claims import (
    LOCKS,
    AppClaims,
    AppFacts,
    PlatformClaims,
    PlatformFacts,
)
from strongroom.core.rats.destruction import Destruction
from strongroom.core.rats.endorsements import Endorsements
from strongroom.core.rats.evidence import Evidence
from strongroom.core.rats.hardware import (
    HardwareClaims,
    HardwareEvidence,
    LoggedEvent,
    Tcb,
)
from strongroom.core.rats.policy import (
    HARDWARE_KINDS,
    KINDS_BY_NAME,
    AppraisalPolicy,
    AppRule,
    ReferenceValues,
    not_checked,
    not_checked_bytes,
)
from strongroom.core.rats.registers import REGISTERS, Event, Register
from strongroom.core.rats.results import AttestationResult, TrustVector
from strongroom.core.rats.roles import (
    Attester,
    Call,
    EnclaveGate,
    PlatformNames,
    RootOfTrust,
    ServiceGate,
)
from strongroom.core.rats.trust import Trust, Verified

__all__ = [
    "HARDWARE_KINDS",
    "KINDS_BY_NAME",
    "LOCKS",
    "REGISTERS",
    "AppClaims",
    "AppFacts",
    "AppRule",
    "AppraisalPolicy",
    "AttestationResult",
    "Attester",
    "Call",
    "Destruction",
    "EnclaveGate",
    "Endorsements",
    "Event",
    "Evidence",
    "HardwareClaims",
    "HardwareEvidence",
    "LoggedEvent",
    "PlatformClaims",
    "PlatformFacts",
    "PlatformNames",
    "ReferenceValues",
    "Register",
    "RootOfTrust",
    "ServiceGate",
    "Tcb",
    "Trust",
    "TrustVector",
    "Verified",
    "not_checked",
    "not_checked_bytes",
]
