# SPDX-License-Identifier: Apache-2.0
"""Remote attestation (IF-3, IF-4; RA-1, RA-2): verify, then appraise.

verify     bytes -> claims: is it authentic?      one verifier a kind of platform
appraise   claims -> result: is it what I want?   one comparison for all kinds
reference  what good registers hold on an installation like this one
"""

from strongroom.services.attestation.appraise import appraise, appraise_dry
from strongroom.services.attestation.verify import verify_evidence

__all__ = ["appraise", "appraise_dry", "verify_evidence"]
