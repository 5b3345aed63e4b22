# SPDX-License-Identifier: Apache-2.0
"""Refusals of hardware evidence: one way to say what did not hold.

A rule id is `<kind>.<reason>.<what>`: which verifier, why (a `Reason`), and which part
of the evidence or of the endorsements.
"""

from typing import get_args

from strongroom.core.rats import Trust
from strongroom.core.rats.hardware import Reason
from strongroom.errors import Finding, Malformed, Refused, Stale, Untrusted

OWNER = "attestation"
REASONS: frozenset[str] = frozenset(get_args(Reason))

_REMEDIES: dict[str, str] = {
    "signature": "The evidence was altered or is another's; ask the attester again.",
    "chain": "Get the certificates again from the vendor; compare who issued which.",
    "root": "Compare the root with the vendor's published one; never take it from the "
    "attester.",
    "revoked": "The vendor no longer vouches for this key; use another platform.",
    "expired": "Get current endorsements from the vendor (`endorsements refresh`).",
    "missing_endorsement": "Add the document to the endorsements "
    "(`endorsements import`).",
    "collateral_mismatch": "Get the endorsements that belong to this platform.",
    "event_log": "The log was altered or is of another boot; ask for it again.",
    "measurement": "The values do not belong to this quote; ask the attester again.",
    "binding": "The parts do not belong together: someone put them next to each other.",
    "weak_algorithm": "Have the attester sign with SHA-256 or better.",
    "format": "Get the evidence again; it is damaged or of an unknown version.",
}


def refuse(
    kind: str,
    reason: Reason,
    what: str,
    *,
    expected: str,
    got: str,
    remedy: str = "",
) -> Refused | Malformed:
    """Return the error to raise where `what` in evidence of `kind` does not hold.

    `Stale` for "expired", `Malformed` for "format", else `Untrusted`; each with one
    finding. Without a remedy it carries the usual one of its reason.
    """
    rule = f"{kind}.{reason}.{what}"
    finding = Finding(rule, OWNER, expected, got, remedy or _REMEDIES[reason])
    if reason == "format":
        return Malformed(str(finding), [finding])
    error = Stale if reason == "expired" else Untrusted
    return error(str(finding), [finding])


def reason_of(finding: Finding) -> str:
    """Return the `Reason` in a finding's rule id, or "" where it has none."""
    parts = finding.rule.split(".")
    return next((part for part in parts[1:2] if part in REASONS), "")


def one_document(trust: Trust, kind: str, role: str) -> bytes:
    """Return the one endorsement of a role.

    Raises:
        Untrusted: `missing_endorsement`, where there is none or more than one.
    """
    found = trust.documents(role)
    if len(found) != 1:
        raise refuse(
            kind,
            "missing_endorsement",
            role,
            expected=f"one endorsement {role}",
            got=str(len(found)) if found else "none",
        )
    return found[0]
