# SPDX-License-Identifier: Apache-2.0
"""Agreements from a party's side: propose, read, sign, withdraw."""

import os
from dataclasses import dataclass

from strongroom.application.cleanroom import (
    Agreement,
    AgreementStatus,
    InputBinding,
    Withdrawal,
)
from strongroom.application.cleanroom.room import task_app_rule
from strongroom.client.session import Session
from strongroom.core.codec.signed import sign_record
from strongroom.errors import Malformed


@dataclass(frozen=True)
class Proposal:
    """What a proposer decides; the rest follows from the room and the app."""

    title: str
    purpose: str
    app: str
    entry_points: tuple[str, ...]
    inputs: tuple[InputBinding, ...]
    recipients: tuple[str, ...]
    signers: tuple[str, ...]
    fields: tuple[str, ...]
    min_group: int
    max_uses: int
    valid_s: int
    max_platform_age_s: int = 86_400


def propose(session: Session, proposal: Proposal) -> str:
    """Propose an agreement and sign it as the first; return its id."""
    now = session.clock()
    agreement = Agreement(
        suite=session.room.suite,
        room=session.line.broker.id,
        title=proposal.title,
        purpose=proposal.purpose,
        app=proposal.app,
        entry_points=proposal.entry_points,
        inputs=proposal.inputs,
        recipients=proposal.recipients,
        signers=proposal.signers,
        fields=proposal.fields,
        min_group=proposal.min_group,
        max_uses=proposal.max_uses,
        not_before=now,
        expires_at=now + proposal.valid_s,
        appraisal=session.room.policy(
            f"agreement {proposal.title}",
            session.policy.kinds,
            task_app_rule(session.room, proposal.app),
            proposal.max_platform_age_s,
        ),
        nonce=os.urandom(32),
    )
    signature = sign_record(session.identity.signing, agreement)
    session.ask(
        "agreement.propose", {"agreement": agreement.to_bytes(), "signature": signature}
    )
    return agreement.id


def show(session: Session, agreement_id: str) -> AgreementStatus:
    """Return how an agreement stands, checked to be the one asked for."""
    answer = session.ask("agreement.show", {"agreement": agreement_id})
    status = AgreementStatus.from_value(answer.get("status"))
    if status.agreement.id != agreement_id:
        message = "the broker showed another agreement than the one asked for"
        raise Malformed(message)
    return status


def listed(session: Session) -> tuple[AgreementStatus, ...]:
    """Return every agreement that concerns the party."""
    rows = session.ask("agreement.list", {}).get("agreements")
    if not isinstance(rows, list):
        message = "the broker's agreements are not a list"
        raise Malformed(message)
    return tuple(AgreementStatus.from_value(row) for row in rows)


def sign(session: Session, agreement_id: str) -> AgreementStatus:
    """Fetch an agreement, check its id, sign exactly those bytes."""
    agreement = show(session, agreement_id).agreement
    signature = sign_record(session.identity.signing, agreement)
    session.ask("agreement.sign", {"agreement": agreement_id, "signature": signature})
    return show(session, agreement_id)


def withdraw(session: Session, agreement_id: str, reason: str) -> AgreementStatus:
    """End an agreement from now on."""
    withdrawal = Withdrawal(
        agreement=agreement_id,
        party=session.identity.public.id,
        reason=reason,
        at=session.clock(),
    )
    statement = sign_record(session.identity.signing, withdrawal)
    session.ask("agreement.withdraw", {"withdrawal": statement})
    return show(session, agreement_id)
