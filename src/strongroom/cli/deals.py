# SPDX-License-Identifier: Apache-2.0
"""An agreement as the broker shows it, with names; in words, as table, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.application.cleanroom import AgreementStatus
from strongroom.cli.desk import Desk
from strongroom.cli.output import Block, Facts, Grid, Line
from strongroom.cli.parties import ID
from strongroom.cli.views import comma, iso, named, short
from strongroom.cli.words import say
from strongroom.client import agreements
from strongroom.errors import Malformed, NotFound


@dataclass(frozen=True)
class Deal:
    """An agreement's status and the names of the parties in it, by id."""

    status: AgreementStatus
    names: Mapping[str, str]

    @classmethod
    def read(cls, row: Mapping[str, object]) -> "Deal":
        """Return what the broker shows of an agreement.

        Raises:
            Malformed: it is not an agreement's status.
        """
        names = row.get("names", {})
        if not isinstance(names, dict):
            message = "the broker's names are not a map"
            raise Malformed(message)
        known = {str(party): str(name) for party, name in names.items()}
        return cls(AgreementStatus.from_value(row.get("status")), known)

    def name(self, party: str) -> str:
        """Return a party's name, or its id where it has none."""
        return self.names.get(party, party)

    def value(self) -> dict[str, object]:
        """Return all of it for programs."""
        status, agreement = self.status, self.status.agreement
        return {
            "agreement": agreement.id,
            "state": status.state,
            "title": agreement.title,
            "purpose": agreement.purpose,
            "app": agreement.app,
            "entry_points": list(agreement.entry_points),
            "inputs": {b.parameter: list(b.datasets) for b in agreement.inputs},
            "recipients": [
                {"id": party, "name": self.name(party)}
                for party in agreement.recipients
            ],
            "signers": [
                {"id": p, "name": self.name(p), "signed": p in status.signed}
                for p in agreement.signers
            ],
            "missing": [self.name(party) for party in status.missing],
            "withdrawn_by": self.name(status.withdrawn_by),
            "fields": list(agreement.fields),
            "min_group": agreement.min_group,
            "uses": status.uses,
            "max_uses": agreement.max_uses,
            "not_before": iso(agreement.not_before),
            "expires_at": iso(agreement.expires_at),
            "platforms": list(agreement.appraisal.kinds),
        }

    def blocks(self) -> list[Block]:
        """Return it for people: what, who signed, and whose signature is missing."""
        status, agreement = self.status, self.status.agreement
        rows = [
            (
                named(p, self.names),
                say("signed") if p in status.signed else say("MISSING"),
            )
            for p in agreement.signers
        ]
        if status.withdrawn_by:
            who = named(status.withdrawn_by, self.names)
            last = Line(say("Withdrawn by {who}.", who=who), "red")
        elif status.missing:
            who = comma([self.name(party) for party in status.missing])
            text = say("Not in force: the signature of {who} is missing.", who=who)
            last = Line(text, "yellow")
        else:
            good = status.state == "active"
            text = say("Everyone has signed. State: {state}.", state=say(status.state))
            last = Line(text, "green" if good else "yellow")
        return [
            Facts("Agreement", self._facts()),
            Grid("Signatures", ("party", "signature"), rows),
            last,
        ]

    def _facts(self) -> list[tuple[str, object]]:
        status, agreement = self.status, self.status.agreement
        inputs = [
            f"{b.parameter} = {', '.join(map(short, b.datasets))}"
            for b in agreement.inputs
        ]
        return [
            ("id", agreement.id),
            ("title", agreement.title),
            ("purpose", agreement.purpose),
            ("app", agreement.app),
            ("entry points", comma(agreement.entry_points)),
            ("inputs", "; ".join(inputs) or say("none")),
            ("recipients", comma([named(p, self.names) for p in agreement.recipients])),
            ("fields that may leave", comma(agreement.fields)),
            ("smallest group", agreement.min_group or "-"),
            ("uses", f"{status.uses} / {agreement.max_uses}"),
            ("from", iso(agreement.not_before)),
            ("until", iso(agreement.expires_at)),
            ("platforms", comma(agreement.appraisal.kinds)),
        ]

    def sentence(self) -> str:
        """Return what a signature under it means."""
        agreement = self.status.agreement
        return say(
            "By signing you allow {recipients} to run {entry} of app {app} on "
            "{count} datasets for the purpose {purpose}, at most {uses} times until "
            "{until}. Only {fields} may leave the room, and only to them.",
            recipients=comma([self.name(p) for p in agreement.recipients]),
            entry=comma(agreement.entry_points),
            app=short(agreement.app),
            count=len(agreement.datasets),
            purpose=agreement.purpose,
            uses=agreement.max_uses,
            until=iso(agreement.expires_at),
            fields=comma(agreement.fields),
        )


def ask_all(desk: Desk) -> list[Deal]:
    """Return every agreement that concerns the party, with the names known here."""
    names = desk.contacts.names()
    return [Deal(status, names) for status in agreements.listed(desk.session)]


def ask(desk: Desk, text: str) -> Deal:
    """Return one agreement with all names, by its id or the start of it.

    Raises:
        NotFound: no agreement of the party starts so, or several do.
        Malformed: the broker showed another one than was asked for.
    """
    identity = full_id(desk, text)
    deal = Deal.read(desk.session.ask("agreement.show", {"agreement": identity}))
    if deal.status.agreement.id != identity:
        message = "the broker showed another agreement than the one asked for"
        raise Malformed(message)
    return deal


def full_id(desk: Desk, text: str) -> str:
    """Return an agreement's whole id, from it or from the start of it.

    Raises:
        NotFound: no agreement of the party starts so, or several do.
    """
    if ID.fullmatch(text):
        return text
    known = [status.agreement.id for status in agreements.listed(desk.session)]
    found = [identity for identity in known if identity.startswith(text)]
    if len(found) == 1 and text:
        return found[0]
    message = say(
        "{count} agreements of yours start with {text}", count=len(found), text=text
    )
    raise NotFound(message)
