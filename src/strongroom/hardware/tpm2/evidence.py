# SPDX-License-Identifier: Apache-2.0
"""Make a TPM's evidence: quote, signature and PCRs; around a statement, or alone."""

import json
from collections.abc import Sequence

from strongroom.core.rats import HardwareEvidence, PlatformFacts
from strongroom.core.rats.statement import RootedEvidence, binding
from strongroom.hardware.tpm2 import commands
from strongroom.hardware.tpm2.client import Tpm
from strongroom.hardware.tpm2.pcrs import BANK, BOOT_PCRS, KIND
from strongroom.hardware.tpm2.statement import PROFILE


def make_quote(
    tpm: Tpm, key: int, bound: bytes, pcrs: Sequence[int]
) -> dict[str, bytes]:
    """Return the parts of a quote over PCRs of the SHA-256 bank.

    Args:
        tpm: with the key.
        key: handle of an attestation key.
        bound: what the quote has as its extra data (`qualifyingData`).
        pcrs: those that are quoted.
    """
    quote, signature = commands.quote(tpm, key, bound, pcrs)
    values = commands.pcr_read(tpm, pcrs)
    listed = {BANK: {str(pcr): value.hex() for pcr, value in sorted(values.items())}}
    return {
        "quote": quote,
        "signature": signature,
        "pcrs": json.dumps(listed, separators=(",", ":")).encode(),
    }


def make_evidence(tpm: Tpm, key: int, facts: PlatformFacts, measuring: int) -> bytes:
    """Return rooted evidence: the statement of `facts` and a quote that binds it."""
    statement = PROFILE.encode(facts)
    parts = make_quote(tpm, key, binding(statement), [*BOOT_PCRS, measuring])
    hardware = HardwareEvidence(KIND, parts)
    return RootedEvidence(statement, hardware).to_bytes()
