# SPDX-License-Identifier: Apache-2.0
"""The attestation service: judges environments for initiators (RA-1 g, h; RA-2 e, f).

Judging is pure (`services.attestation.environment`); here are the clock, the key, the
store of endorsements, and the record of every verdict, written before it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from strongroom.core.codec.log_entry import MAX_TEXT
from strongroom.core.rats.ear import TYPE_CWT, TYPE_JWT, Ear, sign_ear
from strongroom.core.rats.reference_values import SignedReferences
from strongroom.errors import NotFound
from strongroom.management.audit import LogEntry
from strongroom.management.endorsements import StoredTrusts
from strongroom.management.keys import Identity
from strongroom.node.verdicts import VerdictLog
from strongroom.services.attestation.environment import appraise_environment
from strongroom.services.attestation.request import (
    EnvironmentPolicy,
    VerificationRequest,
)

ACTION = "environment.verify"
_SHOWN_ID = 16


@dataclass(frozen=True)
class AttestationService:
    """One verifier at work; usable from many threads.

    Attributes:
        identity: signs results; initiators have pinned its public half.
        policies: what may be asked for, by name.
        trusts: the endorsements, verified once as long as they do not change.
        log: of every verdict.
        clock: gives Unix seconds.
        references: reference values; which of them count is for each policy to say.
    """

    identity: Identity
    policies: Mapping[str, EnvironmentPolicy]
    trusts: StoredTrusts
    log: VerdictLog
    clock: Callable[[], int]
    references: Sequence[SignedReferences] = ()

    def verify(self, request: VerificationRequest) -> tuple[bytes, str]:
        """Return the signed verdict and its media type.

        Raises:
            NotFound: no policy of that name.
            Malformed: a part that is no evidence.
            Tampered: the store of endorsements was altered.
        """
        policy = self.policies.get(request.policy)
        if policy is None:
            message = f"this service has no policy {_short(request.policy)!r}"
            raise NotFound(message)
        now = self.clock()
        ear = appraise_environment(
            request,
            policy,
            self.trusts.of,
            suite_id=self.identity.public.suite,
            now=now,
            references=self.references,
        )
        token = sign_ear(self.identity.signing, ear, request.form)
        self.log.append(self._entry(request.policy, ear, now))
        return token, TYPE_JWT if request.form == "jwt" else TYPE_CWT

    def _entry(self, policy: str, ear: Ear, now: int) -> LogEntry:
        kinds = [each.attester.kind for each in ear.submodules.values()]
        rules = [f.rule for each in ear.submodules.values() for f in each.findings]
        return LogEntry(
            time=now,
            category="interface",
            action=ACTION,
            subject=self.identity.public.name,
            object=ear.evidence_digest.hex(),
            outcome="refused" if ear.status == "contraindicated" else "ok",
            detail={
                "policy": _short(policy),
                "nonce": ear.nonce.hex(),
                "kinds": _short(",".join(kinds)),
                "status": ear.status,
                "rules": _short(",".join(rules)),
                "endorsements": str(self.trusts.version),
                "references": _short(",".join(map(_version, self.references))),
            },
        )


def _version(signed: SignedReferences) -> str:
    return f"{signed.signer.hex()[:_SHOWN_ID]}:{signed.values.version}"


def _short(text: str) -> str:
    """Return what of a text may stand in a record."""
    return "".join(filter(str.isprintable, text))[:MAX_TEXT]
