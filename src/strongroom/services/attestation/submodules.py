# SPDX-License-Identifier: Apache-2.0
"""From a verdict on one attester to the submodule that an EAR carries."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from strongroom.core.rats import (
    AttestationResult,
    HardwareClaims,
    PlatformClaims,
    TrustVector,
)
from strongroom.core.rats.ear import EarSubmodule
from strongroom.core.rats.ear_claims import AttesterClaims, FindingText, VerifierClaims
from strongroom.errors import Finding, StrongroomError
from strongroom.hardware.refusal import reason_of

_FAILED = 99
"""Cryptographic validation of the evidence has failed (AR4SI section 2.3.3)."""
_CONTRAINDICATED, _AFFIRMED, _ADVISED = 96, 2, 32
_UNRECOGNISED = 33
_ENCRYPTED = (
    "az-snp-vtpm",
    "az-tdx-vtpm",
    "hygon-csv",
    "ibm-se",
    "sev-snp",
    "sgx",
    "tdx",
)
"""Kinds that encrypt memory on every machine they run on (AR4SI runtime-opaque 2)."""
_CURRENT = ("UpToDate", "")


@dataclass(frozen=True)
class Basis:
    """Which policy a verdict goes by: its name at the service, digest and owner."""

    name: str
    policy_id: str
    owner: str


_NOTHING = TrustVector(
    instance_identity=0,
    configuration=0,
    executables=0,
    file_system=0,
    hardware=0,
    runtime_opaque=0,
    storage_opaque=0,
    sourced_data=0,
)
_DERIVED = "nonce: the initiator derived what had to be bound"
_LOCATION = "that this device sits in the same machine as the others of this result"


def expected_bound(claims: HardwareClaims, nonce: bytes) -> bytes:
    """Return what an attester binds for `nonce`: zeros fill a field that is longer."""
    if claims.bound_as in ("report_data", "realm_challenge"):
        return nonce.ljust(len(claims.bound), b"\0")
    return nonce


def of_platform(
    claims: PlatformClaims, result: AttestationResult, basis: Basis, *, aged: bool
) -> EarSubmodule:
    """Return the appraisal of a platform under a monitor.

    Args:
        claims: from `verify_evidence`.
        result: from `appraise_dry`, without an app.
        basis: the environment policy.
        aged: leave the challenge to the app's evidence, which the initiator compares.
    """
    findings, unchecked = result.findings, result.unchecked
    hardware = claims.hardware
    tcb = hardware.tcb if hardware else None
    if aged:
        findings = tuple(each for each in findings if each.rule != "platform.nonce")
        reason = "the initiator compares the app's nonce, the policy the age"
        unchecked = (*unchecked, f"platform.nonce: {reason}")
    return EarSubmodule(
        vector=result.vector,
        policy_id=basis.policy_id,
        attester=AttesterClaims(
            kind=claims.kind,
            format=f"two-layer evidence {claims.model}".strip(),
            debug=claims.debug,
            bound=claims.nonce.hex(),
            device=claims.device_id.hex(),
            suite=claims.suite_id,
            monitor_key=claims.monitor_key.raw.hex(),
            measurements={each.name: each.value.hex() for each in claims.registers},
            svns={"firmware": claims.firmware_svn},
        ),
        verifier=VerifierClaims(
            owner=basis.owner,
            policy=basis.name,
            tcb_status=tcb.status if tcb else "",
            advisories=tcb.advisories if tcb else (),
            findings=_texts(findings),
            unchecked=unchecked,
            not_proven=hardware.not_proven if hardware else (),
        ),
    )


def of_hardware(
    claims: HardwareClaims,
    findings: Sequence[Finding],
    basis: Basis,
    *,
    unchecked: tuple[str, ...] = (),
    recognised: bool = False,
    derived: bool,
) -> EarSubmodule:
    """Return the appraisal of one piece of hardware.

    Args:
        claims: from `verify_hardware`.
        findings: from `hardware_findings`.
        basis: the environment policy.
        unchecked: from `left_open`.
        recognised: the policy says what may have been started.
        derived: the initiator named the value that had to be bound.
    """
    tcb = claims.tcb
    return EarSubmodule(
        vector=_vector(claims, findings, recognised=recognised),
        policy_id=basis.policy_id,
        attester=AttesterClaims(
            kind=claims.kind,
            format=claims.format,
            debug=claims.debug,
            bound=claims.bound.hex(),
            device=claims.device.hex(),
            key=claims.key.hex(),
            measurements={
                name: value.hex() for name, value in claims.measurements.items()
            },
            svns=dict(claims.svns),
        ),
        verifier=VerifierClaims(
            owner=basis.owner,
            policy=basis.name,
            tcb_status=tcb.status if tcb else "",
            advisories=tcb.advisories if tcb else (),
            findings=_texts(findings),
            unchecked=(*unchecked, _DERIVED) if derived else unchecked,
            not_proven=(*claims.not_proven, _LOCATION),
        ),
    )


def unverified(kind: str, error: StrongroomError, basis: Basis) -> EarSubmodule:
    """Return the appraisal of evidence of which nothing is known to be authentic."""
    findings = error.findings or (
        Finding(
            rule=f"{kind}.format",
            owner="attestation",
            expected=f"evidence of kind {kind} that this service can verify",
            got=error.message,
            remedy="Get the evidence again, or ask which kinds the service takes.",
        ),
    )
    return _refused(kind, findings, basis)


def absent(name: str, basis: Basis) -> EarSubmodule:
    """Return the appraisal of a submodule that was left out."""
    finding = Finding(
        rule="environment.required",
        owner=basis.owner,
        expected=f"evidence of {name}",
        got="none",
        remedy="Send the evidence of every submodule that the policy names.",
    )
    return _refused("", (finding,), basis)


def _refused(kind: str, findings: Iterable[Finding], basis: Basis) -> EarSubmodule:
    values = {**asdict(_NOTHING), "instance_identity": _FAILED}
    return EarSubmodule(
        vector=TrustVector(**values),
        policy_id=basis.policy_id,
        attester=AttesterClaims(kind=kind),
        verifier=VerifierClaims(
            owner=basis.owner, policy=basis.name, findings=_texts(findings)
        ),
    )


def _vector(
    claims: HardwareClaims, findings: Sequence[Finding], *, recognised: bool
) -> TrustVector:
    reasons = {reason_of(finding) for finding in findings}
    status = claims.tcb.status if claims.tcb else ""
    hardware = _AFFIRMED if status in _CURRENT else _ADVISED
    outdated = reasons & {"tcb_out_of_date", "tcb_revoked"}
    values = asdict(_NOTHING) | {
        "instance_identity": _AFFIRMED,
        "configuration": _CONTRAINDICATED if "debug" in reasons else _AFFIRMED,
        "executables": _UNRECOGNISED
        if "measurement" in reasons
        else _AFFIRMED * recognised,
        "hardware": _CONTRAINDICATED if outdated else hardware,
        "runtime_opaque": _AFFIRMED if claims.kind in _ENCRYPTED else 0,
    }
    return TrustVector(**values)


def _texts(findings: Iterable[Finding]) -> tuple[FindingText, ...]:
    return tuple(FindingText(**asdict(finding)) for finding in findings)
