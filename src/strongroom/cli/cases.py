# SPDX-License-Identifier: Apache-2.0
"""Folders of attestation cases: evidence, endorsements, and what is expected of them.

The layout is in docs/reference/cases.md: a folder with `case.json` beside the files
that it names. Every case is verified by itself, as at the time that it gives.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from strongroom.core.codec.layout import NOT_LAID_OUT
from strongroom.core.rats import Endorsements, HardwareEvidence, Trust
from strongroom.core.rats.hardware import Field
from strongroom.core.rats.hardware_policy import HardwarePolicy
from strongroom.errors import Finding, Malformed, StrongroomError
from strongroom.hardware.refusal import reason_of
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.hardware_rules import hardware_findings

FILE = "case.json"
_ANCHOR = "trust_anchor"
_BOUND = ("report_data", "nonce", "realm_challenge")


@dataclass(frozen=True)
class Case:
    """One case as its folder has it; `bound` and `expected` are None if not given."""

    name: str
    tee: str
    evidence: HardwareEvidence
    endorsements: Endorsements
    time: int
    bound: bytes | None
    expected: str | None


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

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one, where one is given."""
        return self.expected in (None, self.verdict)

    def to_json(self) -> str:
        """Return the one line of this result."""
        return json.dumps({**asdict(self), "as_expected": self.as_expected})


def find_cases(folder: Path) -> Iterator[Path]:
    """Yield the case folders in `folder`, itself included, by name."""
    for path in sorted(folder.rglob(FILE)):
        yield path.parent


def read_case(folder: Path) -> Case:
    """Read the case in `folder`.

    Raises:
        Malformed: it is not laid out as a case.
        OSError: a file that it names cannot be read.
    """
    try:
        case: dict[str, dict[str, object]] = json.loads((folder / FILE).read_bytes())
        return _case(folder, case)
    except NOT_LAID_OUT as error:
        message = f"{folder}: not a case: {error!r}"
        raise Malformed(message) from error


def run_case(case: Case) -> CaseResult:
    """Verify a case and appraise it under the default policy."""
    policy = HardwarePolicy.default("default policy", (case.tee,))
    trust = Trust(case.endorsements)
    fields: Mapping[str, Field] = {}
    findings: tuple[Finding, ...]
    try:
        claims = verify_hardware(case.evidence, trust, now=case.time)
    except StrongroomError as error:
        findings = error.findings or (_unnamed(case, error),)
    else:
        fields = claims.fields
        findings = hardware_findings(claims, policy, case.bound)
    return CaseResult(
        case=case.name,
        tee=case.tee,
        verdict="invalid" if findings else "valid",
        reason=reason_of(findings[0]) if findings else "",
        fields=fields,
        findings=findings,
        expected=case.expected,
    )


def _unnamed(case: Case, error: StrongroomError) -> Finding:
    return Finding(
        rule=f"{case.tee}.format",
        owner="attestation",
        expected=f"evidence of kind {case.tee}",
        got=error.message,
        remedy="Get the evidence again; it is damaged or of an unknown version.",
    )


def _case(folder: Path, case: dict[str, dict[str, object]]) -> Case:
    documents = {
        role: tuple(
            _beside(folder, str(name)).read_bytes()
            for name in (value if isinstance(value, list) else [value])
        )
        for role, value in case["endorsements"].items()
    }
    inputs = case.get("inputs", {})
    bound = next((str(inputs[name]) for name in _BOUND if name in inputs), None)
    expected = case.get("expected", {})
    return Case(
        name=str(case["case"]),
        tee=str(case["tee"]),
        evidence=HardwareEvidence(
            str(case["tee"]),
            {role: _part(folder, str(name)) for role, name in case["evidence"].items()},
        ),
        endorsements=Endorsements(documents.pop(_ANCHOR, ()), (), documents),
        time=int(datetime.fromisoformat(str(case["verification_time"])).timestamp()),
        bound=None if bound is None else bytes.fromhex(bound),
        expected=str(expected["verdict"]) if "verdict" in expected else None,
    )


def _part(folder: Path, name: str) -> bytes:
    """Return the file of that name, or the value itself where it is none."""
    file = folder / name
    return _beside(folder, name).read_bytes() if file.is_file() else name.encode()


def _beside(folder: Path, name: str) -> Path:
    """Return the file of that name; a case has no say about files elsewhere."""
    file = folder / name
    if file.resolve().parent != folder.resolve():
        message = f"a case names files of its own folder, not {name}"
        raise ValueError(message)
    return file
