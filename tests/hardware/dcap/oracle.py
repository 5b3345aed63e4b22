# SPDX-License-Identifier: Apache-2.0
"""What we and dcap-qvl say of one forged quote.

dcap-qvl pins Intel's root in `verify`; `verify_with_root_ca` takes the forge's.
"""

from dataclasses import dataclass

from benchmarks.intel_quotes import peer
from strongroom.cli.cases import Case
from strongroom.core.rats import Endorsements, HardwareEvidence, Trust
from strongroom.errors import StrongroomError
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.dcap.forge import IntelWorld
from tests.hardware.pki import NOW

Verdict = tuple[str, set[str]] | None
"""TCB status and advisories, or None for a refusal."""


@dataclass(frozen=True)
class Both:
    """Two verdicts on one quote."""

    ours: Verdict
    theirs: Verdict
    debug: bool = False

    @property
    def accepted(self) -> tuple[bool, bool]:
        """Whether we, and whether they, take the quote for one of Intel's."""
        return self.ours is not None, self.theirs is not None


def judge(
    made: IntelWorld,
    endorsements: Endorsements | None = None,
    *,
    time: int = NOW,
    quote: bytes = b"",
) -> Both:
    """Return both verdicts on the quote of a world, or on another one there."""
    case = Case(
        name="forged",
        tee=made.tee,
        evidence=HardwareEvidence(made.tee, {"quote": quote or made.quote()}),
        endorsements=endorsements or made.endorsements(),
        time=time,
        bound=None,
        expected=None,
    )
    ours, debug = _ours(case)
    return Both(ours, _theirs(case), debug)


def _ours(case: Case) -> tuple[Verdict, bool]:
    try:
        found = verify_hardware(case.evidence, Trust(case.endorsements), now=case.time)
    except StrongroomError:
        return None, False
    assert found.tcb is not None
    return (found.tcb.status, set(found.tcb.advisories)), bool(found.debug)


def _theirs(case: Case) -> Verdict:
    try:
        return peer(case)()
    except ValueError:
        return None
