# SPDX-License-Identifier: Apache-2.0
"""Which verifier reads which kind of platform evidence: a literal table."""

from collections.abc import Callable
from types import MappingProxyType

from strongroom.core.rats import Endorsements, PlatformClaims
from strongroom.errors import Misconfigured
from strongroom.hardware.simulated import abi as simulated
from strongroom.hardware.simulated.verify import verify as verify_simulated

Verify = Callable[[bytes, Endorsements, int], PlatformClaims]
"""(platform evidence, endorsements, now) -> claims, or an error; pure and total."""

VERIFIERS: MappingProxyType[str, Verify] = MappingProxyType(
    {
        simulated.KIND: verify_simulated,
    }
)


def verifier(kind: str) -> Verify:
    """Return the verify function for `kind`.

    Raises:
        Misconfigured: this version knows no such platform.
    """
    found = VERIFIERS.get(kind)
    if found is None:
        message = (
            f"no verifier for platforms of kind {kind!r}: this version has "
            f"{', '.join(VERIFIERS)}"
        )
        raise Misconfigured(message)
    return found
