# SPDX-License-Identifier: Apache-2.0
"""A room around one broker: parties with real keys, a dataset, an app, a node."""

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from strongroom.application.broker.config import BrokerConfig, BrokerPublic, Method
from strongroom.application.broker.program import Broker
from strongroom.application.cleanroom import (
    Agreement,
    AppRegistration,
    DatasetRegistration,
    EnclaveKeys,
    InputBinding,
    Receipt,
    Release,
    TaskRequest,
    Ticket,
    UsageTerms,
    Withdrawal,
)
from strongroom.application.cleanroom.messages import (
    new_request,
    open_answer,
    seal_request,
)
from strongroom.application.cleanroom.task import RELEASE_INFO
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import (
    EntryPoint,
    Manifest,
    OutputRule,
    Parameter,
)
from strongroom.core.codec.floe import HEADER_BYTES, OVERHEAD_BYTES, Sealer
from strongroom.core.codec.record import Record
from strongroom.core.codec.sealed import DatasetHeader, Prefix, dataset_id
from strongroom.core.codec.signed import sign_record
from strongroom.core.crypto import KemKey, SigningKey, suite
from strongroom.core.rats import LOCKS, AppraisalPolicy, AppRule, Call, Evidence
from strongroom.core.rats.policy import not_checked_bytes
from strongroom.errors import StrongroomError
from strongroom.management.keys import Identity
from strongroom.management.trusted_list import Member, Role, TrustedList
from tests.application.broker.fake_gate import (
    START,
    Clock,
    Enclave,
    FakeGate,
    Machine,
    Memory,
)

ROLES: dict[str, tuple[Role, ...]] = {
    "hospital": ("data",),
    "clinic": ("data",),
    "maker": ("algorithm",),
    "insurer": ("result",),
}
BROKER = b"\x42" * 48
OPEN_REGISTERS = {
    name: (not_checked_bytes("a test"),)
    for name in ("firmware", "monitor", "template", "config")
}


def terms(**changes: object) -> str:
    """Return a policy without conditions but those in `changes`."""
    given: dict[str, object] = {
        "purposes": ("*",),
        "apps": ("*",),
        "entry_points": ("*",),
        "recipients": ("*",),
        "fields": ("*",),
        "max_uses": 1000,
        "expires_at": START * 2,
    }
    made = UsageTerms(**(given | changes))  # type: ignore[arg-type]  # tests vary any
    return made.to_cedar()


def manifest(suite_id: str, name: str = "sums", *, encrypted: bool = False) -> Manifest:
    """Return an app with two entry points over tables."""
    rows = Parameter("rows", "table", many=True)
    who = Parameter("name", "text", many=False)
    output = OutputRule("json", ("total", "count"), 10, 4096, 5, "count")
    raw = OutputRule("bytes", (), 1, 4096, 0, "")
    return Manifest(
        suite=suite_id,
        name=name,
        svn=1,
        kind="task",
        memory_bytes=1 << 20,
        threads=1,
        processes=0,
        cpu_seconds=0,
        interfaces=(),
        storage=(),
        peers=(),
        entry_points=(
            EntryPoint("main", "main:main", (rows, who), output),
            EntryPoint("raw", "main:raw", (rows, who), raw),
        ),
        files=(),
        encrypted=encrypted,
    )


@dataclass
class Attempt:
    """One attempt as a node sees it: ticket, enclave, and the enclave's keys."""

    ticket: Ticket
    enclave: Enclave
    signing: SigningKey
    kem: KemKey
    keys: bytes
    evidence: Evidence


class World:
    """One room; `start` opens the broker again on the same journal and device."""

    def __init__(self, folder: Path, suite_id: str = "intl") -> None:
        self.row = suite(suite_id)
        self.clock = Clock()
        self.memory = Memory()
        self.machine = Machine(folder, suite_id, self.clock)
        self.journal = folder / "journal"
        self.admin = Identity.generate("administrator", suite_id, os.urandom)
        self.parties = {
            name: Identity.generate(name, suite_id, os.urandom) for name in ROLES
        }
        self.config = BrokerConfig(
            suite=suite_id,
            origin="room.example/log",
            administrator=self.admin.public,
            roots=(self.machine.root,),
        )
        self.version = 0
        self.start()

    def start(self) -> None:
        """Start a broker on what there is, as after a crash."""
        enclave = self.machine.start(
            BROKER[: self.row.digest_bytes], self.config.to_bytes()
        )
        report = partial(self.machine.report, enclave)
        self.gate = FakeGate(
            self.memory, self.clock, self.config.to_bytes(), report=report
        )
        self.broker = Broker(self.gate, self.config)
        fd = os.open(self.journal, os.O_RDWR | os.O_CREAT, 0o600)
        opened = self.call(Method.OPEN, {}, (fd,))
        self.public = BrokerPublic.from_bytes(self.bytes_of(opened, "public"))

    def call(
        self, method: int, value: object, fds: tuple[int, ...] = ()
    ) -> dict[str, object]:
        """Call the broker as the host does."""
        self.broker.answer(Call(method, cbor.encode(value), fds))
        answer = self.gate.answers.pop()
        if isinstance(answer, StrongroomError):
            raise answer
        value = cbor.decode(answer)
        assert isinstance(value, dict)
        return value

    @staticmethod
    def bytes_of(answer: dict[str, object], name: str) -> bytes:
        """Return a field that is bytes."""
        value = answer[name]
        assert isinstance(value, bytes)
        return value

    def box(self, who: Identity, op: str, **body: object) -> bytes:
        """Return a closed message of a party."""
        request = new_request(
            who,
            self.public.id,
            op,
            cbor.encode(body),
            self.clock(),
            os.urandom,
        )
        self.request = request
        return seal_request(request, who, self.public.recipient)

    def send(self, box: bytes) -> dict[str, object]:
        """Send the box that was made last; return what the sender reads."""
        sealed = self.bytes_of(self.call(Method.MESSAGE, {"box": box}), "box")
        answer = open_answer(self.request, self.row, sealed)
        assert isinstance(answer, dict)
        return answer

    def ask(self, name: str, op: str, **body: object) -> dict[str, object]:
        """Ask as a party."""
        who = self.admin if name == "administrator" else self.parties[name]
        return self.send(self.box(who, op, **body))

    def sign(self, name: str, record: Record) -> bytes:
        """Return a record signed by a party."""
        return sign_record(self.parties[name].signing, record)

    def id(self, name: str) -> str:
        """Return a party's id."""
        return self.parties[name].public.id

    def publish(self, roles: dict[str, tuple[Role, ...]] | None = None) -> None:
        """Publish the next trusted list."""
        self.version += 1
        members = tuple(
            Member(self.parties[name].public, held)
            for name, held in (ROLES if roles is None else roles).items()
        )
        listed = TrustedList(self.row.id, self.version, self.clock(), members)
        signed = sign_record(self.admin.signing, listed)
        self.ask("administrator", "trusted-list.publish", list=signed)

    def registration(
        self, owner: str, policy: str, **changes: object
    ) -> tuple[DatasetRegistration, bytes]:
        """Seal a small table; return its registration and its key."""
        key = os.urandom(self.row.aead_key_bytes)
        header = DatasetHeader(
            suite="sm" if self.row.id == "sm" else "intl",
            name="rows",
            media_type="text/csv",
            columns=("name", "amount"),
            rows=2,
            owner=self.id(owner),
            created_at=self.clock(),
        )
        prefix = Prefix.of(header).raw
        sealer = Sealer(self.row, key, prefix, random=os.urandom)
        head = prefix + sealer.header
        length = len(head) + 100 + OVERHEAD_BYTES
        assert len(sealer.header) == HEADER_BYTES
        said = DatasetRegistration(
            dataset=dataset_id(self.row, head, length),
            header=head,
            length=length,
            owner=self.id(owner),
            policy=policy,
            registered_at=self.clock(),
        )
        return replace(said, **changes), key  # type: ignore[arg-type]  # tests vary any

    def dataset(self, owner: str = "hospital", policy: str = "") -> str:
        """Register a dataset."""
        said, key = self.registration(owner, policy or terms())
        self.ask(
            owner, "dataset.register", registration=self.sign(owner, said), key=key
        )
        return said.dataset

    def app(self, name: str = "sums", policy: str = "") -> str:
        """Register an app; with a policy, one whose code is encrypted."""
        made = manifest(self.row.id, name, encrypted=bool(policy))
        said = AppRegistration(
            manifest=made,
            signer=self.parties["maker"].public.sign.key_id,
            owner=self.id("maker"),
            policy=policy,
            registered_at=self.clock(),
        )
        key = os.urandom(self.row.aead_key_bytes) if policy else b""
        signed = self.sign("maker", said)
        self.ask("maker", "app.register", registration=signed, code_key=key)
        return made.measurement.hex()

    def draft(self, app: str, datasets: list[str], /, **changes: object) -> Agreement:
        """Return an agreement that everyone would sign."""
        given: dict[str, object] = {
            "suite": self.row.id,
            "room": self.public.id,
            "title": "test",
            "purpose": "testing",
            "app": app,
            "entry_points": ("main",),
            "inputs": (InputBinding("rows", tuple(datasets)),),
            "recipients": (self.id("insurer"),),
            "signers": tuple(self.id(name) for name in ROLES),
            "fields": ("total", "count"),
            "min_group": 0,
            "max_uses": 1000,
            "not_before": self.clock(),
            "expires_at": self.clock() + 3600,
            "appraisal": self.appraisal(app),
            "nonce": os.urandom(32),
        }
        return Agreement(**(given | changes))  # type: ignore[arg-type]  # tests vary any

    def appraisal(self, app: str, **changes: object) -> AppraisalPolicy:
        """Return a policy that accepts this machine."""
        given: dict[str, object] = {
            "owner": "agreement test",
            "registers": OPEN_REGISTERS,
            "locks": LOCKS,
            "max_platform_age_s": 86_400,
            "min_firmware_svn": 1,
            "apps": (
                AppRule.measured(bytes.fromhex(app), config=self.row.digest(b"")),
            ),
            "kinds": ("simulated",),
        }
        return AppraisalPolicy(**(given | changes))  # type: ignore[arg-type]  # any

    def propose(self, draft: Agreement, by: str = "insurer") -> str:
        """Propose an agreement."""
        self.ask(
            by,
            "agreement.propose",
            agreement=draft.to_bytes(),
            signature=self.sign(by, draft),
        )
        return draft.id

    def sign_agreement(self, name: str, draft: Agreement) -> dict[str, object]:
        """Sign an agreement."""
        signature = self.sign(name, draft)
        return self.ask(name, "agreement.sign", agreement=draft.id, signature=signature)

    def agreement(self, app: str, datasets: list[str], /, **changes: object) -> str:
        """Propose an agreement and have everyone sign it."""
        draft = self.draft(app, datasets, **changes)
        self.propose(draft)
        for name in ("hospital", "clinic", "maker"):
            if self.id(name) in draft.signers:
                self.sign_agreement(name, draft)
        return draft.id

    def withdraw(self, name: str, agreement: str) -> None:
        """Withdraw."""
        said = Withdrawal(agreement, self.id(name), "no longer", self.clock())
        self.ask(name, "agreement.withdraw", withdrawal=self.sign(name, said))

    def wanted(self, agreement: str, entry: str = "main", **values: object) -> bytes:
        """Return a signed task request of the insurer."""
        arguments = values or {"name": "ann"}
        request = TaskRequest(agreement, entry, cbor.encode(arguments), os.urandom(32))
        return self.sign("insurer", request)

    def task(self, agreement: str, entry: str = "main") -> str:
        """Ask for a task."""
        wanted = self.wanted(agreement, entry)
        task = self.ask("insurer", "task.request", request=wanted)["task"]
        assert isinstance(task, str)
        return task

    def ticket(self, task: str) -> Ticket:
        """Return the waiting ticket of a task."""
        rows = self.call(Method.TICKETS, {})["tickets"]
        assert isinstance(rows, list)
        found = [Ticket.from_bytes(row) for row in rows]
        return next(each for each in found if each.task == task)

    def attempt(self, ticket: Ticket) -> Attempt:
        """Start an enclave for a ticket and have it attested."""
        signing = self.row.signing_key(os.urandom(self.row.sign_seed_bytes))
        kem = self.row.kem_key(os.urandom(self.row.kem_seed_bytes))
        keys = EnclaveKeys(
            ticket.task, ticket.attempt, signing.public.raw, kem.public.raw
        ).to_bytes()
        enclave = self.machine.start(bytes.fromhex(ticket.app))
        evidence = self.machine.evidence(
            enclave, ticket.challenge, self.row.digest(keys)[:64]
        )
        return Attempt(ticket, enclave, signing, kem, keys, evidence)

    def release(self, attempt: Attempt, /, **changes: object) -> Release:
        """Ask for the keys of an attempt and open them in its enclave."""
        given: dict[str, object] = {
            "task": attempt.ticket.task,
            "attempt": attempt.ticket.attempt,
            "keys": attempt.keys,
            "evidence": attempt.evidence.to_bytes(),
        }
        answer = self.call(Method.RELEASE, given | changes)
        box = attempt.kem.open(self.bytes_of(answer, "box"), RELEASE_INFO)
        return Release.from_bytes(box)

    def receipt(
        self, attempt: Attempt, release: Release, /, **changes: object
    ) -> bytes:
        """Return the receipt that the enclave signs."""
        given: dict[str, object] = {
            "suite": release.suite,
            "task": release.task,
            "attempt": release.attempt,
            "agreement": release.agreement,
            "room": release.room,
            "app": release.app,
            "entry_point": release.entry_point.name,
            "inputs": tuple(item.dataset for item in release.inputs),
            "values": self.row.mac(release.nonce, release.values),
            "recipient": release.recipient.id,
            "result": "ab" * 32,
            "result_length": 100,
            "result_key": b"sealed",
            "started_at": self.clock(),
            "finished_at": self.clock(),
        }
        made = Receipt(**(given | changes))  # type: ignore[arg-type]  # tests vary any
        return sign_record(attempt.signing, made)

    def complete(self, attempt: Attempt, receipt: bytes, gone: bytes) -> None:
        """Bring a receipt back."""
        self.call(
            Method.COMPLETE,
            {
                "task": attempt.ticket.task,
                "attempt": attempt.ticket.attempt,
                "receipt": receipt,
                "destruction": gone,
            },
        )

    def fail(self, ticket: Ticket, error: StrongroomError) -> None:
        """Report a failed attempt."""
        said = {
            "task": ticket.task,
            "attempt": ticket.attempt,
            "error": error.to_value(),
        }
        self.call(Method.FAILED, said)

    def run(self, task: str) -> Attempt:
        """Run a task to its end."""
        attempt = self.attempt(self.ticket(task))
        release = self.release(attempt)
        receipt = self.receipt(attempt, release)
        self.complete(attempt, receipt, self.machine.destroy(attempt.enclave))
        return attempt

    def close(self) -> None:
        """Power off."""
        self.machine.close()
