# SPDX-License-Identifier: Apache-2.0
"""Journal, state and audit log, moving together or not at all (LOG-2).

Every event is one journal frame and one entry of the transparency log, so a log
index is a frame number, and the log can claim nothing that the state did not do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from strongroom.application.broker.config import BrokerConfig
from strongroom.application.broker.events import (
    Event,
    Genesis,
    Noted,
    apply,
    read_event,
)
from strongroom.application.broker.journal import Journal
from strongroom.application.broker.service_book import Nodes
from strongroom.application.broker.state import Keys, Mark, State
from strongroom.application.cleanroom.node_rules import NodeRules
from strongroom.core.codec import cbor
from strongroom.core.crypto import Suite, suite
from strongroom.core.rats import EnclaveGate, Endorsements, Trust
from strongroom.errors import Finding, Malformed, Misconfigured, StrongroomError
from strongroom.management.audit import AuditLog, Category, LogEntry, Outcome

_MAX_RULES_TEXT = 256
BROKER = "broker"


@dataclass(frozen=True)
class Act:
    """What the audit log says of an event, but for time and outcome."""

    category: Category
    action: str
    subject: str
    object: str
    detail: Mapping[str, str] = field(default_factory=dict)


class Ledger:
    """The broker's state with its memory and its witness; made by `open` only."""

    def __init__(self, gate: EnclaveGate, config: BrokerConfig) -> None:
        self.gate = gate
        self.config = config
        self.row: Suite = suite(config.suite)
        self.state = State()
        self.log = AuditLog(config.origin, config.suite)
        self.nodes = Nodes(self.now())
        self._trust = Trust(Endorsements((), ()))
        self._journal: Journal

    @classmethod
    def open(cls, gate: EnclaveGate, config: BrokerConfig, fd: int) -> "Ledger":
        """Replay the journal, or begin one; note the opening (LOG-1, "system").

        Raises:
            Stale, Unavailable: see `Journal.open`.
            Misconfigured: the journal is of a broker with another configuration.
        """
        ledger = cls(gate, config)
        digest = ledger.row.digest(config.to_bytes())
        ledger._journal, payloads = Journal.open(fd, ledger.row, gate)
        for payload in payloads:
            ledger._replay(payload)
        if ledger.state.keys is None:
            ledger._begin(digest)
        if ledger.keys.config != digest:
            message = (
                "this journal was begun under another broker configuration; "
                "start the broker with the configuration it had"
            )
            raise Misconfigured(message)
        room = ledger.keys.public.id
        ledger.commit(Noted(), Act("system", "broker.open", BROKER, room))
        return ledger

    @property
    def keys(self) -> Keys:
        """The broker's own keys."""
        if self.state.keys is None:
            message = "the journal does not begin with a genesis"
            raise Malformed(message)
        return self.state.keys

    @property
    def node_rules(self) -> NodeRules:
        """The rules for compute nodes that are in force."""
        return self.state.node_rules or NodeRules.initial(self.row.id)

    @property
    def trust(self) -> Trust:
        """Whose word about devices counts under the rules in force; remembered."""
        rules = self.node_rules
        now = Endorsements(self.config.roots, rules.revoked_keys, rules.collateral)
        if now != self._trust.endorsements:
            self._trust = Trust(now)
        return self._trust

    def now(self) -> int:
        """Return the host's time, but never an earlier one than any before."""
        return max(self.gate.now(), self.state.clock)

    def commit(
        self,
        event: Event,
        act: Act,
        *,
        outcome: Outcome = "ok",
        mark: Mark | None = None,
    ) -> None:
        """Make an event true for good.

        Raises:
            Unavailable: the journal could not be written; nothing has changed
                here, and the broker must be restarted.
        """
        now = self.now()
        entry = LogEntry(
            time=now,
            category=act.category,
            action=act.action,
            subject=act.subject,
            object=act.object,
            outcome=outcome,
            detail=dict(act.detail),
        )
        frame = [
            event.NAME,
            event.to_value(),
            entry.to_bytes(),
            None if mark is None else mark.to_value(),
        ]
        self._journal.append(cbor.encode(frame))
        self._apply(event, entry, mark)

    def refuse(self, act: Act, error: StrongroomError | None) -> None:
        """Note that something was refused: rule ids only; None: it broke down."""
        detail = dict(act.detail)
        if error is not None:
            detail["error"] = error.code
            detail["rules"] = rules_text(error.findings)
        outcome: Outcome = "failed" if error is None else "refused"
        noted = Act(act.category, act.action, act.subject, act.object, detail)
        self.commit(Noted(), noted, outcome=outcome)

    def _begin(self, config_digest: bytes) -> None:
        genesis = Genesis(
            suite=self.row.id,
            config=config_digest,
            sign_seed=self.gate.random(self.row.sign_seed_bytes),
            kem_seed=self.gate.random(self.row.kem_seed_bytes),
        )
        self.commit(
            genesis, Act("system", "broker.genesis", BROKER, config_digest.hex())
        )

    def _replay(self, payload: bytes) -> None:
        match cbor.decode(payload):
            case [name, body, bytes() as data, mark]:
                event, entry = read_event(name, body), LogEntry.from_bytes(data)
                known = None if mark is None else Mark.from_value(mark)
                self._apply(event, entry, known)
            case _:
                message = "the journal holds a frame that is no event"
                raise Malformed(message)

    def _apply(self, event: Event, entry: LogEntry, mark: Mark | None) -> None:
        apply(self.state, event, mark, entry.time)
        self.log.append(entry)


def rules_text(findings: Iterable[Finding]) -> str:
    """Return what a record says of findings: the ids of their rules."""
    text = ",".join(dict.fromkeys(each.rule for each in findings))
    return text if len(text) <= _MAX_RULES_TEXT else text[: _MAX_RULES_TEXT - 1] + "+"
