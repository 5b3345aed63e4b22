# SPDX-License-Identifier: Apache-2.0
"""What the broker knows. Pure: it changes by events only (`events.py`)."""

from dataclasses import dataclass, field
from typing import Literal

from strongroom.application.broker.config import BrokerPublic
from strongroom.application.cleanroom import (
    Agreement,
    AgreementStatus,
    AppRegistration,
    DatasetRegistration,
    TaskRequest,
    TaskStatus,
    Ticket,
)
from strongroom.application.cleanroom.agreement import AgreementState
from strongroom.application.cleanroom.node_rules import NodeRules
from strongroom.application.cleanroom.task import TaskState
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.crypto import KemKey, SigningKey
from strongroom.core.rats import Evidence
from strongroom.errors import Conflict, NotFound, Refused
from strongroom.management.keys import PublicIdentity
from strongroom.management.trusted_list import Member, Role, TrustedList

MAX_ATTEMPTS = 3
REQUEST_WINDOW_S = 600
"""How far a request's own time may be from the broker's; answers are kept for it."""


@dataclass
class Dataset:
    """A registered dataset and its key; `uses` counts tasks, not attempts."""

    registration: DatasetRegistration
    key: bytes = field(repr=False)
    uses: int = 0


@dataclass
class App:
    """A registered app; the code key is empty unless its code is encrypted."""

    registration: AppRegistration
    code_key: bytes = field(repr=False)
    uses: int = 0


@dataclass
class Contract:
    """An agreement with what became of it."""

    agreement: Agreement
    signatures: dict[str, bytes]
    withdrawn_by: str = ""
    uses: int = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """The parties whose signature is needed and not there."""
        return tuple(p for p in self.agreement.signers if p not in self.signatures)

    @property
    def parties(self) -> set[str]:
        """Whom the agreement concerns."""
        return {*self.agreement.signers, *self.agreement.recipients}

    def state(self, now: int) -> AgreementState:
        """Say in one word how the agreement stands."""
        if self.withdrawn_by:
            return "withdrawn"
        if now >= self.agreement.expires_at:
            return "expired"
        if self.uses >= self.agreement.max_uses:
            return "exhausted"
        return "proposed" if self.missing else "active"

    def status(self, now: int) -> AgreementStatus:
        """Return what a party is shown."""
        return AgreementStatus(
            agreement=self.agreement,
            state=self.state(now),
            signed=tuple(self.signatures),
            missing=self.missing,
            withdrawn_by=self.withdrawn_by,
            uses=self.uses,
        )


@dataclass
class Released:
    """To which enclave an attempt's keys went, and what proved it."""

    keys: bytes
    evidence: Evidence
    device: bytes
    monitor: PublicKey
    enclave_id: bytes


@dataclass
class Task:
    """A task; `challenges` has one entry an attempt, the last is the current one."""

    request: TaskRequest
    demander: str
    agreement: Agreement
    challenges: list[bytes]
    state: TaskState = "waiting"
    released: Released | None = None
    counted: bool = False
    error: dict[str, object] = field(default_factory=dict)
    result: str = ""
    receipt: bytes = b""
    destruction: bytes = b""
    log_index: int = -1

    @property
    def attempt(self) -> int:
        """The number of the current attempt, from 1."""
        return len(self.challenges)

    def ticket(self, task_id: str) -> Ticket:
        """Return what a node needs to start the current attempt."""
        return Ticket(
            task=task_id,
            attempt=self.attempt,
            app=self.agreement.app,
            datasets=self.agreement.datasets,
            challenge=self.challenges[-1],
        )

    def status(self, task_id: str) -> TaskStatus:
        """Return what the demander is shown."""
        return TaskStatus(
            task=task_id,
            agreement=self.request.agreement,
            state=self.state,
            attempts=self.attempt,
            result=self.result,
            receipt=self.receipt,
            error=self.error,
        )


@dataclass(frozen=True)
class Mark(Record):
    """That a request was answered, and how: asked again, it is not done again."""

    sender: str
    request_id: bytes
    digest: bytes
    kind: Literal["stored", "fresh"]
    """Whether a repetition gets `answer` again or is worked out anew (reads)."""
    answer: bytes


@dataclass(frozen=True)
class Keys:
    """The broker's own keys, made at genesis."""

    config: bytes
    public: BrokerPublic
    signing: SigningKey
    kem: KemKey


@dataclass
class State:
    """Everything the broker knows; `clock` never goes back."""

    keys: Keys | None = None
    clock: int = 0
    entries: int = 0
    """How many events there were; each has the entry of that index in the log."""
    members: TrustedList | None = None
    by_id: dict[str, Member] = field(default_factory=dict)
    """The same members by party id, which is a digest and so not free."""
    datasets: dict[str, Dataset] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    open_tasks: dict[str, Task] = field(default_factory=dict)
    """Those that are waiting or released."""
    node_rules: NodeRules | None = None
    withdrawn: dict[bytes, str] = field(default_factory=dict)
    """Devices out of service, with the ids of the rules that they broke."""
    marks: dict[tuple[str, bytes], tuple[int, Mark]] = field(default_factory=dict)

    def name(self, party: str) -> str:
        """Return a party's name on the list, or its id where it has none."""
        member = self.by_id.get(party)
        return member.identity.name if member else f"party {party[:16]}"

    def names(self, parties: tuple[str, ...]) -> str:
        """Return parties by name, for a sentence."""
        return ", ".join(self.name(party) for party in parties) or "nobody"

    def require(self, party: str, role: Role | None = None) -> PublicIdentity:
        """Return the identity of a member that holds `role` (WL-1, default deny).

        Raises:
            Refused: not on the trusted list, or without that role.
        """
        member = self.by_id.get(party)
        if member is not None and (role is None or role in member.roles):
            return member.identity
        if self.members is None:
            raise Refused.because(
                rule="trusted-list.member",
                owner="administrator",
                expected="a party on the trusted list",
                got="no trusted list yet",
                remedy="The administrator publishes the first trusted list.",
            )
        return self.members.require(party, role)

    def contract(self, agreement: str, party: str) -> Contract:
        """Return an agreement to a party that it concerns.

        Raises:
            NotFound: there is none, or it is none of the party's business.
        """
        contract = self.contracts.get(agreement)
        if contract is None or party not in contract.parties:
            message = f"there is no agreement {agreement[:64]} that concerns you"
            raise NotFound(message)
        return contract

    def current(self, task_id: str, attempt: int) -> Task:
        """Return the task if `attempt` is its current one.

        Raises:
            NotFound: there is no such task or no such attempt.
            Conflict: the attempt has ended; another one may be running.
        """
        task = self.tasks.get(task_id)
        if task is None or not 1 <= attempt <= task.attempt:
            message = f"there is no task {task_id[:64]} with an attempt {attempt}"
            raise NotFound(message)
        if attempt != task.attempt or task.state == "failed":
            message = f"attempt {attempt} of this task has ended"
            raise Conflict(message)
        return task
