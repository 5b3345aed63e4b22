# SPDX-License-Identifier: Apache-2.0
"""What verification says of attestation cases: one result each, whatever is in them.

Every case is verified by itself, as at the time that it gives, and appraised under the
default policy.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from strongroom.cli.cases import FILE, Case, expected_verdict, read_case
from strongroom.cli.errors import from_os
from strongroom.core.codec.layout import NOT_LAID_OUT
from strongroom.core.rats import Trust
from strongroom.core.rats.hardware import Field
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Finding, StrongroomError
from strongroom.hardware.refusal import reason_of
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.hardware_rules import hardware_findings


@dataclass(frozen=True)
class CaseResult:
    """What verification said of a case.

    `reason` is one of `core.rats.hardware.Reason`, or "" for a valid case; `fields`
    those of the evidence, as far as it could be verified.
    """

    case: str
    tee: str
    verdict: str
    reason: str
    fields: Mapping[str, Field]
    findings: tuple[Finding, ...]
    expected: str | None
    as_expected: bool

    def to_json(self) -> str:
        """Return the one line of this result."""
        return json.dumps(asdict(self))


def verify_folder(folder: Path) -> CaseResult:
    """Return the result of the case in `folder`, whatever is in there.

    A case that cannot be read is invalid, and unexpected unless it says otherwise. So
    is one over which this program itself fails, which nobody can expect.
    """
    try:
        return run_case(read_case(folder))
    except StrongroomError as error:
        return _without_evidence(folder, error)
    except OSError as error:
        return _without_evidence(folder, from_os(error))
    except Exception as error:  # noqa: BLE001 - the other cases are not to suffer
        kind = type(error).__name__
        fault = StrongroomError(f"a fault of strongroom itself: {kind}")
        return replace(_without_evidence(folder, fault), as_expected=False)


def run_case(case: Case) -> CaseResult:
    """Verify a case and appraise it under the default policy."""
    policy = HardwarePolicy.default("default policy", (case.tee,))
    trust = Trust(case.endorsements)
    fields: Mapping[str, Field] = {}
    findings: tuple[Finding, ...]
    try:
        claims = verify_hardware(case.evidence, trust, now=case.time)
    except StrongroomError as error:
        findings = error.findings or (
            _unnamed(case.tee, error, f"evidence of kind {case.tee}"),
        )
    else:
        fields = claims.fields
        findings = hardware_findings(claims, policy, case.bound)
    verdict = "invalid" if findings else "valid"
    return CaseResult(
        case=case.name,
        tee=case.tee,
        verdict=verdict,
        reason=reason_of(findings[0]) if findings else "",
        fields=fields,
        findings=findings,
        expected=case.expected,
        as_expected=case.expected in (None, verdict),
    )


def _without_evidence(folder: Path, error: StrongroomError) -> CaseResult:
    head = _head(folder)
    tee = str(head.get("tee", folder.parent.name))
    findings = error.findings or (_unnamed(tee, error, "a case as cases are laid out"),)
    expected = expected_verdict(head)
    return CaseResult(
        case=str(head.get("case", folder.name)),
        tee=tee,
        verdict="invalid",
        reason=reason_of(findings[0]),
        fields={},
        findings=findings,
        expected=expected,
        as_expected=expected == "invalid",
    )


def _head(folder: Path) -> Mapping[str, object]:
    """Return what can be read of case.json, or nothing."""
    try:
        found = json.loads((folder / FILE).read_bytes())
    except OSError:
        return {}
    except NOT_LAID_OUT:
        return {}
    return found if isinstance(found, dict) else {}


def _unnamed(tee: str, error: StrongroomError, expected: str) -> Finding:
    return Finding(
        rule=f"{tee}.format",
        owner="attestation",
        expected=expected,
        got=error.message,
        remedy="Get the evidence again; it is damaged or of an unknown version.",
    )
