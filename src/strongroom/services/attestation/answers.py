# SPDX-License-Identifier: Apache-2.0
"""Whether a verified result answers the very request that was sent.

Requests are not signed: whoever carries one could ask for a laxer policy, or for less.
Every result says by which policy it went and what the evidence had bound, so the
initiator sees that it is the answer to its own question.
"""

from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats.ear import EarSubmodule, VerifiedEar
from strongroom.errors import Untrusted
from strongroom.services.attestation.request import VerificationRequest

_OWNER = "initiator"


def check_answer(verified: VerifiedEar, request: VerificationRequest) -> None:
    """Refuse the result of another request, nonce and evidence being the same.

    1. It has a verdict on every submodule that was sent.
    2. Each went by the policy that was asked for.
    3. Each good one had bound what was asked for: the nonce, or the value given; for a
       platform that may be older, its age is the policy's.

    Raises:
        Untrusted: `ear.submodule`, `ear.policy` or `ear.bound`.
    """
    submodules = verified.ear.submodules
    for name in request.evidence:
        # 1
        found = submodules.get(name)
        if found is None:
            raise _another("ear.submodule", f"a verdict on {name}", "none")
        # 2
        if found.verifier.policy != request.policy:
            expected = f"a verdict by policy {request.policy}"
            raise _another("ear.policy", expected, found.verifier.policy or "none")
        # 3
        if found.status != "contraindicated":
            _check_bound(name, found, request)


def _check_bound(name: str, found: EarSubmodule, request: VerificationRequest) -> None:
    if found.attester.monitor_key and request.freshness == "age":
        return
    got = found.attester.bound
    given = request.bound.get(name)
    expected = request.nonce.hex() if given is None else given.hex()
    if given is None:
        expected = expected.ljust(len(got), "0")
    if not constant_time_equal(got.encode(), expected.encode()):
        raise _another("ear.bound", f"{name} to bind {expected[:16]}", got[:16])


def _another(rule: str, expected: str, got: str) -> Untrusted:
    return Untrusted.because(
        rule,
        _OWNER,
        expected=expected,
        got=got,
        remedy="Somebody changed the request on its way; ask the service again.",
    )
