# SPDX-License-Identifier: Apache-2.0
"""Signed attestation results: EAR as JWT or CWT (draft-ietf-rats-ear-04).

    Ear  --sign_ear-->  token  --verify_ear-->  VerifiedEar

One result covers one challenge: every submodule (a CPU's TEE, a GPU, the platform
under a monitor) has its own status, and all of them are bound to one nonce and to the
digest of the evidence that was appraised. An `Ear` is what someone says; a
`VerifiedEar` is what a pinned key said about this nonce and evidence, and only
`verify_ear` makes one. See docs/specs/attestation-service.md.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from typing import Literal

from strongroom.core.codec import cbor, cose, jws
from strongroom.core.crypto import (
    SigningKey,
    VerifyingKey,
    constant_time_equal,
    suite,
)
from strongroom.core.rats.claims import Proof, require_proof, vouch
from strongroom.core.rats.ear_claims import Ear, EarSubmodule
from strongroom.core.rats.ear_codec import from_cbor, from_json, to_cbor, to_json
from strongroom.core.rats.eat import CLOCK_SKEW_S
from strongroom.core.rats.policy import why_not_checked
from strongroom.core.rats.results import EAR_PROFILE, Status, worst
from strongroom.errors import Finding, Refused, Stale, Untrusted

__all__ = [
    "TYPE_CWT",
    "TYPE_JWT",
    "Ear",
    "EarSubmodule",
    "Form",
    "VerifiedEar",
    "evidence_digest",
    "sign_ear",
    "verify_ear",
]

Form = Literal["jwt", "cwt"]
TYPE_JWT = f'application/eat+jwt; eat_profile="{EAR_PROFILE}"'
TYPE_CWT = f'application/eat+cwt; eat_profile="{EAR_PROFILE}"'
_OWNER = "relying party"


@dataclass(frozen=True, kw_only=True)
class VerifiedEar:
    """What a pinned verifier says; made by `verify_ear` only.

    That the verdict is a good one is NOT implied: `require_good` says so or refuses.
    """

    ear: Ear
    key_id: bytes
    proof: InitVar[Proof]

    def __post_init__(self, proof: Proof) -> None:
        require_proof(proof)

    @property
    def status(self) -> Status:
        """The worst status of any submodule."""
        return worst(each.status for each in self.ear.submodules.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding of every submodule."""
        return tuple(
            finding
            for each in self.ear.submodules.values()
            for finding in each.findings
        )

    def require_good(self) -> "VerifiedEar":
        """Return this result if no submodule is contraindicated.

        Raises:
            Refused: with the verifier's own findings.
        """
        if self.status != "contraindicated":
            return self
        findings = self.findings or (
            Finding(
                rule="ear.status",
                owner=_OWNER,
                expected="a status of affirming or warning",
                got=self.status,
                remedy="Ask the verifier why; its result names no finding.",
            ),
        )
        raise Refused("; ".join(map(str, findings)), findings)


def evidence_digest(suite_id: str, evidence: Mapping[str, bytes]) -> bytes:
    """Return the digest that binds a result to evidence.

    Args:
        suite_id: of the verifier's key.
        evidence: what is sent for appraisal: bytes by the name of their submodule.
    """
    return suite(suite_id).digest(cbor.encode(dict(evidence)))


def sign_ear(key: SigningKey, ear: Ear, form: Form) -> bytes:
    """Return `ear` signed by the verifier's `key`; `verify_ear` is the inverse."""
    if form == "jwt":
        return jws.sign(key, TYPE_JWT, to_json(ear))
    return cose.sign1(key, TYPE_CWT, to_cbor(ear))


def verify_ear(
    token: bytes,
    key: VerifyingKey,
    *,
    nonce: bytes,
    evidence_digest: bytes,
    now: int,
) -> VerifiedEar:
    """Return what `key` says about the evidence that was sent with `nonce`.

    1. The envelope: a JWS or a COSE_Sign1, of the type of an EAR, with the one
       algorithm of the key's suite, signed by exactly this key.
    2. The claims set is of the EAR profile and holds what the profile wants.
    3. `now` lies between `iat` (with `CLOCK_SKEW_S`) and `exp`.
    4. `eat_nonce` is the nonce of this challenge.
    5. The result is about the evidence with this digest.

    Not checked: the verdict (`VerifiedEar.require_good`), and whether the policy that
    it names is one that the relying party likes.

    Args:
        token: as it was received.
        key: the verifier's key, pinned beforehand.
        nonce: the challenge; `not_checked_bytes(reason)` where the result was fetched
            by the attester for a challenge of its own (passport model).
        evidence_digest: from `evidence_digest`; `not_checked_bytes(reason)` where the
            relying party never sees the evidence.
        now: Unix seconds.

    Raises:
        Malformed: `jws.*`, `json.*`, `ear.claims`, or no CBOR.
        Untrusted: `jws.*`, `cose.*`, `ear.profile`, `ear.nonce`, `ear.evidence`.
        Stale: `ear.time`, `ear.expired`.
    """
    # 1, 2
    if token[:1] == cose.TAG:
        ear = from_cbor(cose.Sign1.parse(token).verify(key, TYPE_CWT))
    else:
        ear = from_json(jws.Jws.parse(token).verify(key, TYPE_JWT))
    # 3
    _check_time(ear, now)
    # 4
    _check_same("ear.nonce", "challenge", nonce, ear.nonce)
    # 5
    _check_same("ear.evidence", "evidence", evidence_digest, ear.evidence_digest)
    return VerifiedEar(ear=ear, key_id=key.key_id, proof=vouch())


def _check_time(ear: Ear, now: int) -> None:
    if ear.issued_at > now + CLOCK_SKEW_S:
        raise Stale.because(
            "ear.time",
            _OWNER,
            expected=f"a result of at most {CLOCK_SKEW_S} s after {now}",
            got=f"a result of {ear.issued_at}",
            remedy="Set the clocks of verifier and relying party.",
        )
    if now > ear.expires_at:
        raise Stale.because(
            "ear.expired",
            _OWNER,
            expected=f"a result that is good at {now}",
            got=f"one that expired at {ear.expires_at}",
            remedy="Have the evidence verified again.",
        )


def _check_same(rule: str, what: str, expected: bytes, got: bytes) -> None:
    if why_not_checked(expected) is not None or constant_time_equal(expected, got):
        return
    refusal = Untrusted.because(
        rule,
        _OWNER,
        expected=f"a result for the {what} {expected.hex()[:16]}",
        got=f"one for {got.hex()[:16]}",
        remedy="This is the result of another request; ask the verifier again.",
    )
    raise Untrusted(refusal.message, refusal.findings)
