# SPDX-License-Identifier: Apache-2.0
"""What a member may look up: what concerns it, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.application.broker.ledger import Ledger
from strongroom.application.broker.operation import Operation, Outcome
from strongroom.application.broker.state import App, Contract, Dataset
from strongroom.core.codec.floe import HEADER_BYTES
from strongroom.core.codec.sealed import Prefix
from strongroom.management.audit import LogEntry
from strongroom.management.keys import PublicIdentity

MAX_LOG_ROWS = 1000


@dataclass(frozen=True)
class ListAgreements(Operation):
    """agreement.list: the agreements that the asker signs or receives from."""

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Return them with their states."""
        now = ledger.now()
        rows = [c.status(now).to_value() for c in _contracts(ledger, sender)]
        return Outcome({"agreements": rows}, sender.id)


@dataclass(frozen=True)
class ListDatasets(Operation):
    """dataset.list: the asker's own, and those of agreements that concern it."""

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Return descriptions; the policy to its owner only."""
        named = {d for c in _contracts(ledger, sender) for d in c.agreement.datasets}
        rows = [
            _dataset_row(ledger, dataset, sender)
            for name, dataset in ledger.state.datasets.items()
            if name in named or dataset.registration.owner == sender.id
        ]
        return Outcome({"datasets": rows}, sender.id)


@dataclass(frozen=True)
class ListApps(Operation):
    """app.list: the asker's own, and those of agreements that concern it."""

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Return manifests; the policy to its owner only."""
        named = {c.agreement.app for c in _contracts(ledger, sender)}
        rows = [
            _app_row(ledger, name, app, sender)
            for name, app in ledger.state.apps.items()
            if name in named or app.registration.owner == sender.id
        ]
        return Outcome({"apps": rows}, sender.id)


@dataclass(frozen=True)
class QueryLog(Operation):
    """log.query: records about the asker, its agreements and their tasks (LOG-3).

    `since` and `until` are Unix seconds, both included; the newest
    `MAX_LOG_ROWS` come, oldest first.
    """

    task: str | None
    app: str | None
    party: str | None
    since: int | None
    until: int | None

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Return the records with their places in the log."""
        mine = {sender.id, *(c.agreement.id for c in _contracts(ledger, sender))}
        state = ledger.state
        mine |= {t for t, task in state.tasks.items() if task.request.agreement in mine}
        rows: list[object] = []
        for index in reversed(range(ledger.log.size)):
            data = ledger.log.entry(index)
            entry = LogEntry.from_bytes(data)
            about = {entry.subject, entry.object, *entry.detail.values()}
            if about & mine and self._fits(entry):
                rows.append({"index": index, "entry": data})
            if len(rows) == MAX_LOG_ROWS:
                break
        return Outcome({"entries": rows[::-1]}, sender.id)

    def _fits(self, entry: LogEntry) -> bool:
        early = self.since is not None and entry.time < self.since
        late = self.until is not None and entry.time > self.until
        about = entry.concerns(task=self.task, app=self.app, party=self.party)
        return about and not early and not late


def _contracts(ledger: Ledger, sender: PublicIdentity) -> Iterator[Contract]:
    return (c for c in ledger.state.contracts.values() if sender.id in c.parties)


def _dataset_row(
    ledger: Ledger, dataset: Dataset, sender: PublicIdentity
) -> dict[str, object]:
    said = dataset.registration
    own = said.owner == sender.id
    return {
        "dataset": said.dataset,
        "header": Prefix.parse(said.header[:-HEADER_BYTES]).header.to_value(),
        "length": said.length,
        "owner": said.owner,
        "owner_name": ledger.state.name(said.owner),
        "policy": said.policy if own else "",
        "uses": dataset.uses if own else 0,
    }


def _app_row(
    ledger: Ledger, name: str, app: App, sender: PublicIdentity
) -> dict[str, object]:
    said = app.registration
    own = said.owner == sender.id
    return {
        "app": name,
        "manifest": said.manifest.to_bytes(),
        "signer": said.signer,
        "owner": said.owner,
        "owner_name": ledger.state.name(said.owner),
        "policy": said.policy if own else "",
        "uses": app.uses if own else 0,
    }
