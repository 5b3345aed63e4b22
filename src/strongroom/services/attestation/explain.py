# SPDX-License-Identifier: Apache-2.0
"""Evidence for people: everything that it says, and what it leaves open.

Two ways, never mixed up: `explained` takes claims, which are verified; `unverified`
takes bytes that nobody checked, and gives no more of them than names and sizes.
"""

import hashlib

from strongroom.core.rats import HardwareClaims, HardwareEvidence
from strongroom.core.rats.hardware import Field
from strongroom.hardware.registry import HARDWARE
from strongroom.services.attestation.claim_paths import tree

_SHOWN_EVENTS = 400


def explained(claims: HardwareClaims) -> dict[str, Field]:
    """Return verified claims as a tree: claims, log by register, inner evidence."""
    found = tree(claims)
    found["events"] = events_by_register(claims)
    found["inner"] = [explained(each) for each in claims.inner]
    found["not_proven"] = [*claims.not_proven]
    return found


def unverified(evidence: HardwareEvidence) -> dict[str, Field]:
    """Return what is known of evidence before it is verified: what it is made of."""
    parts: list[Field] = [
        {
            "role": role,
            "bytes": len(part),
            "sha256": hashlib.sha256(part).hexdigest(),
        }
        for role, part in evidence.parts.items()
    ]
    return {
        "kind": evidence.kind,
        "verified": False,
        "known_kind": evidence.kind in HARDWARE,
        "parts": parts,
    }


def events_by_register(claims: HardwareClaims) -> dict[str, Field]:
    """Return the log, by register, each in its order; a long log is cut, and says so.

    The digests are proven by the replay; `kind` and `text` are the log's own words.
    """
    found: dict[str, list[Field]] = {}
    for event in claims.events:
        found.setdefault(event.register, []).append(
            {
                "kind": event.kind,
                "digest": event.digest.hex(),
                "text": event.text,
                "rehashed": event.rehashed,
            }
        )
    return {register: _cut(rows) for register, rows in found.items()}


def _cut(rows: list[Field]) -> list[Field]:
    if len(rows) <= _SHOWN_EVENTS:
        return rows
    rest = len(rows) - _SHOWN_EVENTS
    return [*rows[:_SHOWN_EVENTS], f"and {rest} more"]
