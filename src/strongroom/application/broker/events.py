# SPDX-License-Identifier: Apache-2.0
"""The events: the only way the broker's state changes, and what the journal holds.

An event has been decided before it is written, so `apply` decides nothing and
cannot fail. Replaying all of them gives the same state again.
"""

from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from strongroom.application.broker.config import BrokerPublic
from strongroom.application.broker.state import (
    REQUEST_WINDOW_S,
    App,
    Contract,
    Dataset,
    Keys,
    Mark,
    Released,
    State,
    Task,
)
from strongroom.application.cleanroom import (
    Agreement,
    AppRegistration,
    DatasetRegistration,
    TaskRequest,
)
from strongroom.application.cleanroom.node_rules import NodeRules
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.crypto import suite
from strongroom.core.rats import Evidence
from strongroom.errors import Malformed
from strongroom.management.trusted_list import TrustedList


class Event(Record):
    """Something that was decided."""

    NAME: ClassVar[str] = ""

    def apply(self, state: State) -> None:
        """Change `state`."""


@dataclass(frozen=True)
class Genesis(Event):
    """A broker was born: its seeds, and the configuration that it is bound to."""

    NAME = "genesis"

    suite: str
    config: bytes
    sign_seed: bytes
    kem_seed: bytes

    def apply(self, state: State) -> None:
        """Make the keys that the seeds stand for."""
        row = suite(self.suite)
        signing, kem = row.signing_key(self.sign_seed), row.kem_key(self.kem_seed)
        public = BrokerPublic(self.suite, signing.public.raw, kem.public.raw)
        state.keys = Keys(self.config, public, signing, kem)


@dataclass(frozen=True)
class Noted(Event):
    """Nothing changed: an opening, a question, a refusal. The log tells which."""

    NAME = "noted"


@dataclass(frozen=True)
class ListPublished(Event):
    """A newer trusted list (WL-1)."""

    NAME = "list-published"

    members: TrustedList

    def apply(self, state: State) -> None:
        """Replace the list."""
        state.members = self.members
        state.by_id = {each.identity.id: each for each in self.members.members}


@dataclass(frozen=True)
class DatasetRegistered(Event):
    """A dataset's key and policy; a newer registration keeps the count of uses."""

    NAME = "dataset-registered"

    registration: DatasetRegistration
    key: bytes

    def apply(self, state: State) -> None:
        """Keep the key; the count of uses stays."""
        old = state.datasets.get(self.registration.dataset)
        uses = old.uses if old else 0
        state.datasets[self.registration.dataset] = Dataset(
            self.registration, self.key, uses
        )


@dataclass(frozen=True)
class AppRegistered(Event):
    """An app's manifest, and its code key where the code is encrypted."""

    NAME = "app-registered"

    registration: AppRegistration
    code_key: bytes

    def apply(self, state: State) -> None:
        """Keep the manifest and the code key; the count of uses stays."""
        measurement = self.registration.manifest.measurement.hex()
        old = state.apps.get(measurement)
        uses = old.uses if old else 0
        state.apps[measurement] = App(self.registration, self.code_key, uses)


@dataclass(frozen=True)
class AgreementProposed(Event):
    """A new agreement with its first signature."""

    NAME = "agreement-proposed"

    agreement: Agreement
    party: str
    signature: bytes

    def apply(self, state: State) -> None:
        """Keep the agreement."""
        state.contracts[self.agreement.id] = Contract(
            self.agreement, {self.party: self.signature}
        )


@dataclass(frozen=True)
class AgreementSigned(Event):
    """One more signature."""

    NAME = "agreement-signed"

    agreement: str
    party: str
    signature: bytes

    def apply(self, state: State) -> None:
        """Keep the signature."""
        state.contracts[self.agreement].signatures[self.party] = self.signature


@dataclass(frozen=True)
class AgreementWithdrawn(Event):
    """A party ended an agreement; `withdrawal` is its signed word."""

    NAME = "agreement-withdrawn"

    agreement: str
    party: str
    withdrawal: bytes

    def apply(self, state: State) -> None:
        """End the agreement."""
        state.contracts[self.agreement].withdrawn_by = self.party


@dataclass(frozen=True)
class TaskRequested(Event):
    """A task, and the challenge of its first attempt."""

    NAME = "task-requested"

    task: str
    request: TaskRequest
    demander: str
    challenge: bytes

    def apply(self, state: State) -> None:
        """Open the task."""
        agreement = state.contracts[self.request.agreement].agreement
        task = Task(self.request, self.demander, agreement, [self.challenge])
        state.tasks[self.task] = state.open_tasks[self.task] = task


@dataclass(frozen=True)
class KeysReleased(Event):
    """The current attempt's keys went to one enclave. The first release counts."""

    NAME = "keys-released"

    task: str
    keys: bytes
    evidence: Evidence
    device: bytes
    monitor: PublicKey
    enclave_id: bytes

    def apply(self, state: State) -> None:
        """Bind the attempt to its enclave; count the use."""
        task = state.tasks[self.task]
        task.state = "released"
        task.released = Released(
            self.keys, self.evidence, self.device, self.monitor, self.enclave_id
        )
        if task.counted:
            return
        task.counted = True
        state.contracts[task.request.agreement].uses += 1
        state.apps[task.agreement.app].uses += 1
        for dataset in set(task.agreement.datasets):
            state.datasets[dataset].uses += 1


@dataclass(frozen=True)
class AttemptFailed(Event):
    """An attempt ended; without a new challenge the task ended with it."""

    NAME = "attempt-failed"

    task: str
    error: dict[str, object]
    challenge: bytes

    def apply(self, state: State) -> None:
        """Forget the enclave; go on or end."""
        task = state.tasks[self.task]
        task.released = None
        if self.challenge:
            task.state = "waiting"
            task.challenges.append(self.challenge)
        else:
            task.state, task.error = "failed", self.error
            del state.open_tasks[self.task]


@dataclass(frozen=True)
class TaskCompleted(Event):
    """A verified receipt came back, and the enclave is gone (T-5, AS-3)."""

    NAME = "task-completed"

    task: str
    result: str
    receipt: bytes
    destruction: bytes

    def apply(self, state: State) -> None:
        """Close the task."""
        task = state.tasks[self.task]
        task.state, task.result = "done", self.result
        task.log_index = state.entries
        task.receipt, task.destruction = self.receipt, self.destruction
        del state.open_tasks[self.task]


@dataclass(frozen=True)
class NodeRulesPublished(Event):
    """Newer rules for compute nodes."""

    NAME = "node-rules-published"

    rules: NodeRules

    def apply(self, state: State) -> None:
        """Replace the rules."""
        state.node_rules = self.rules


@dataclass(frozen=True)
class NodeWithdrawn(Event):
    """A device is out of service; `rules` are those that it broke."""

    NAME = "node-withdrawn"

    device: bytes
    rules: str

    def apply(self, state: State) -> None:
        """Keep it out."""
        state.withdrawn[self.device] = self.rules


@dataclass(frozen=True)
class NodeReturned(Event):
    """A device that was withdrawn has attested anew."""

    NAME = "node-returned"

    device: bytes

    def apply(self, state: State) -> None:
        """Let it in again."""
        del state.withdrawn[self.device]


EVENTS: dict[str, type[Event]] = {
    "genesis": Genesis,
    "noted": Noted,
    "list-published": ListPublished,
    "dataset-registered": DatasetRegistered,
    "app-registered": AppRegistered,
    "agreement-proposed": AgreementProposed,
    "agreement-signed": AgreementSigned,
    "agreement-withdrawn": AgreementWithdrawn,
    "task-requested": TaskRequested,
    "keys-released": KeysReleased,
    "attempt-failed": AttemptFailed,
    "task-completed": TaskCompleted,
    "node-rules-published": NodeRulesPublished,
    "node-withdrawn": NodeWithdrawn,
    "node-returned": NodeReturned,
}


def read_event(name: object, body: object) -> Event:
    """Return the event that a journal frame holds.

    Raises:
        Malformed: no event of this program.
    """
    kind = EVENTS.get(name) if isinstance(name, str) else None
    if kind is None:
        message = "the journal holds an event that this broker does not know"
        raise Malformed(message)
    return kind.from_value(body)


def apply(state: State, event: Event, mark: Mark | None, now: int) -> None:
    """Fold one event into the state, forgetting answers that nobody can ask for."""
    event.apply(state)
    state.entries += 1
    state.clock = max(state.clock, now)
    if mark is not None:
        state.marks[mark.sender, mark.request_id] = (now, mark)
    for key, (at, _) in list(islice(state.marks.items(), 2)):
        if at < state.clock - 2 * REQUEST_WINDOW_S:
            del state.marks[key]
