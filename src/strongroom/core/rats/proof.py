# SPDX-License-Identifier: Apache-2.0
"""The proof that verifiers alone hand out, and that claims and results ask for."""


class Proof:
    """Says that the holder has verified what it makes claims from."""

    __slots__ = ()


_PROOF = Proof()


def vouch() -> Proof:
    """Return the proof; to be called as the last step of a verification only."""
    return _PROOF


def require_proof(proof: Proof) -> None:
    """Refuse claims that no verifier made.

    Raises:
        TypeError: `proof` is not what `vouch` returns.
    """
    if proof is not _PROOF:
        message = "claims are made by the verify functions only (core.rats.claims)"
        raise TypeError(message)
