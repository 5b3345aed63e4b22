# SPDX-License-Identifier: Apache-2.0
"""Claims of hardware as a verifier would make them, for tests of appraisal."""

from dataclasses import replace

from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import SigningKey, suite
from strongroom.core.rats import HardwareClaims, LoggedEvent, Tcb
from strongroom.core.rats.claims import vouch
from strongroom.core.rats.hardware_policy import ClaimRule, HardwarePolicy, NotChecked
from strongroom.core.rats.reference_values import (
    ReferenceValue,
    ReferenceValueSet,
    SignedReferences,
    first_version,
    open_references,
    sign_references,
)
from strongroom.services.attestation.hardware_rules import hardware_findings
from strongroom.services.attestation.reference_rules import References

NOW = 1_790_000_000
DAY = 86_400
OLD, NEW, OTHER = "aa" * 48, "bb" * 48, "cc" * 48
NONCE = b"nonce of this challenge"
OPEN = NotChecked(claim="measurements", reason="a test of something else")


def claims(**changes: object) -> HardwareClaims:
    """Return claims of a TDX machine; `changes` replaces any of them."""
    found = HardwareClaims(
        kind="tdx",
        format="TDX quote v4",
        device=b"device",
        bound=NONCE,
        bound_as="report_data",
        debug=False,
        measurements={"mr_td": bytes.fromhex(OLD), "rtmr.0": b"\1" * 48},
        fields={
            "td_attributes": "0000001000000000",
            "xfam": "e702060000000000",
            "vmpl": 3,
            "secure": True,
            "pcrs": ["aa", "bb"],
            "tcb": {"boot": {"svn": 4}},
        },
        svns={"tee_tcb_svn": 5},
        tcb=Tcb("UpToDate", (), NOW - 30 * DAY),
        events=(event("rtmr.0", 1), event("rtmr.0", 2)),
        not_proven=("what runs later",),
        proof=vouch(),
    )
    return replace(found, proof=vouch(), **changes)  # type: ignore[arg-type]


def event(register: str, number: int) -> LoggedEvent:
    return LoggedEvent(
        register, bytes([number]) * 48, "EV_IPL", f"event {number}", True
    )


def rule(claim: str, check: str, *values: object, **more: object) -> ClaimRule:
    return ClaimRule(id="it", claim=claim, check=check, values=values, **more)  # type: ignore[arg-type]


def policy(*rules: ClaimRule, **changes: object) -> HardwarePolicy:
    values = {"owner": "bank", "kinds": ("tdx",), "not_checked": (OPEN,)}
    return HardwarePolicy(**(values | {"rules": rules} | changes))  # type: ignore[arg-type]


def rules_broken(
    found: HardwareClaims,
    wanted: HardwarePolicy,
    references: References | None = None,
) -> list[str]:
    """Return the ids of the rules that do not hold."""
    findings = hardware_findings(
        found, wanted, NONCE, references or References(now=NOW)
    )
    assert {each.owner for each in findings} <= {wanted.owner}
    assert all(each.expected and each.got and each.remedy for each in findings)
    return [each.rule for each in findings]


def key(number: int = 1, suite_id: str = "intl") -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([number]) * row.sign_seed_bytes)


def value(
    text: str = OLD, *, by: SigningKey | None = None, **changes: object
) -> ReferenceValue:
    found = ReferenceValue(
        name="payroll",
        claim="measurements.mr_td",
        value=text,
        provider="builder",
        artefact="payroll 1.0",
        approved_by=(by or key()).public.key_id,
        approved_at=NOW,
        valid_from=NOW - DAY,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def values(*found: ReferenceValue, by: SigningKey | None = None) -> ReferenceValueSet:
    return first_version(
        "release board", PublicKey.of((by or key()).public), found, NOW
    )


def signed(found: ReferenceValueSet, by: SigningKey | None = None) -> SignedReferences:
    return open_references(sign_references(by or key(), found))
