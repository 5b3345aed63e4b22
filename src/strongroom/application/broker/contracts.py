# SPDX-License-Identifier: Apache-2.0
"""Agreements: proposed, signed by all, withdrawn by any (docs/specs/agreement.md)."""

from dataclasses import dataclass

from strongroom.application.broker.checks import agreement_findings, refuse
from strongroom.application.broker.events import (
    AgreementProposed,
    AgreementSigned,
    AgreementWithdrawn,
)
from strongroom.application.broker.ledger import Ledger
from strongroom.application.broker.operation import Operation, Outcome
from strongroom.application.broker.state import Contract, State
from strongroom.application.cleanroom import Agreement, Withdrawal
from strongroom.core.codec.signed import open_record
from strongroom.errors import Conflict, Malformed, Refused
from strongroom.management.keys import PublicIdentity


@dataclass(frozen=True)
class Propose(Operation):
    """agreement.propose: the agreement and its first signature."""

    agreement: bytes
    signature: bytes

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check signature, signer and every rule that could never hold."""
        agreement = open_record(Agreement, self.signature, sender.verifying)
        if agreement.to_bytes() != self.agreement:
            message = "the signature is of another agreement than the one proposed"
            raise Malformed(message)
        _require_signer(ledger.state, agreement, sender)
        if agreement.id in ledger.state.contracts:
            message = "this agreement was already proposed: sign it"
            raise Conflict(message)
        room, suite_id = ledger.keys.public.id, ledger.row.id
        now = ledger.now()
        refuse(agreement_findings(ledger.state, room, suite_id, agreement, now))
        event = AgreementProposed(agreement, sender.id, self.signature)
        return Outcome(
            {"agreement": agreement.id}, agreement.id, event, {"app": agreement.app}
        )


@dataclass(frozen=True)
class Sign(Operation):
    """agreement.sign: one more signature over the same bytes."""

    agreement: str
    signature: bytes

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check that the same bytes were signed, by a signer, in time."""
        contract = ledger.state.contract(self.agreement, sender.id)
        _require_signer(ledger.state, contract.agreement, sender)
        signed = open_record(Agreement, self.signature, sender.verifying)
        if signed != contract.agreement:
            message = "the signature is of another agreement"
            raise Malformed(message)
        _require_open(ledger, contract)
        if sender.id in contract.signatures:
            message = f"{sender.name} has already signed this agreement"
            raise Conflict(message)
        left = tuple(party for party in contract.missing if party != sender.id)
        event = AgreementSigned(self.agreement, sender.id, self.signature)
        detail = {"app": contract.agreement.app}
        return Outcome({"missing": list(left)}, self.agreement, event, detail)


@dataclass(frozen=True)
class Withdraw(Operation):
    """agreement.withdraw: any signer ends it, before and after it is active."""

    withdrawal: bytes

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check that a signer ends it in its own name."""
        said = open_record(Withdrawal, self.withdrawal, sender.verifying)
        contract = ledger.state.contract(said.agreement, sender.id)
        _require_signer(ledger.state, contract.agreement, sender)
        if said.party != sender.id:
            message = "a party withdraws in its own name"
            raise Malformed(message)
        if contract.withdrawn_by:
            who = ledger.state.name(contract.withdrawn_by)
            message = f"{who} has already withdrawn this agreement"
            raise Conflict(message)
        event = AgreementWithdrawn(said.agreement, sender.id, self.withdrawal)
        return Outcome({}, said.agreement, event, {"app": contract.agreement.app})


@dataclass(frozen=True)
class Show(Operation):
    """agreement.show: how an agreement stands, and whose signature is missing."""

    agreement: str

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Find it among those that concern the asker."""
        contract = ledger.state.contract(self.agreement, sender.id)
        status = contract.status(ledger.now()).to_value()
        names = {party: ledger.state.name(party) for party in contract.parties}
        return Outcome({"status": status, "names": names}, self.agreement)


def _require_signer(state: State, agreement: Agreement, sender: PublicIdentity) -> None:
    if sender.id not in agreement.signers:
        raise Refused.because(
            rule="agreement.signers",
            owner="all parties of an agreement",
            expected=f"one of its signers: {state.names(agreement.signers)}",
            got=sender.name,
            remedy="Only the parties that it names as signers can act on it.",
        )


def _require_open(ledger: Ledger, contract: Contract) -> None:
    state = contract.state(ledger.now())
    if state not in ("proposed", "active"):
        who = contract.withdrawn_by
        by = f" by {ledger.state.name(who)}" if who else ""
        message = f"this agreement is {state}{by}"
        raise Conflict(message)
