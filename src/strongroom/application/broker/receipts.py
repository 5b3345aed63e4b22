# SPDX-License-Identifier: Apache-2.0
"""What comes back: receipts, checked, for whom they belong to (T-5, T-6, AS-3)."""

from dataclasses import dataclass

from strongroom.application.broker.events import TaskCompleted
from strongroom.application.broker.ledger import Act, Ledger
from strongroom.application.broker.operation import Operation, Outcome
from strongroom.application.broker.state import Released, Task
from strongroom.application.cleanroom import EnclaveKeys, Receipt, ReceiptBundle
from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record
from strongroom.core.rats import Destruction
from strongroom.errors import Conflict, Finding, NotFound, Refused, Untrusted
from strongroom.management.keys import PublicIdentity


@dataclass(frozen=True)
class CompleteCall(Record):
    """What a node brings back from one attempt."""

    task: str
    attempt: int
    receipt: bytes
    destruction: bytes


@dataclass(frozen=True)
class FetchResult(Operation):
    """task.result: the receipt with all its proofs, for the recipient alone (T-6)."""

    task: str

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check that it is the recipient who asks."""
        task = ledger.state.tasks.get(self.task)
        if task is None:
            message = f"there is no task {self.task[:64]}"
            raise NotFound(message)
        if task.demander != sender.id:
            raise Refused.because(
                rule="task.recipient",
                owner=ledger.state.name(task.demander),
                expected="the party that asked for the task",
                got=sender.name,
                remedy="Ask that party, or make a request of your own.",
            )
        if task.released is None or task.state != "done":
            message = f"this task is {task.state}; it has no result"
            raise Conflict(message)
        bundle = _bundle(ledger, task, task.released)
        return Outcome({"receipt": bundle.to_bytes()}, self.task)


def complete(ledger: Ledger, call: CompleteCall) -> None:
    """Take the receipt of a finished attempt.

    1. The attempt is the current one and had its keys. The same receipt again is
       answered as before.
    2. The receipt is signed by the key that this attempt's evidence binds.
    3. It speaks of this task and of nothing else: every field is compared.
    4. The monitor that ran the enclave signed that this very enclave is gone.
    5. The task is done; the audit log names the receipt by its digest.

    Raises:
        NotFound, Conflict: step 1.
        Untrusted: steps 2 to 4, with a finding for each difference.
    """
    task = ledger.state.current(call.task, call.attempt)
    if task.state == "done" and task.receipt == call.receipt:
        return
    if task.released is None or task.state != "released":
        message = f"this task is {task.state}; it takes no receipt"
        raise Conflict(message)
    keys = EnclaveKeys.from_bytes(task.released.keys)
    signer = ledger.row.verifying_key(keys.sign)
    receipt = open_record(Receipt, call.receipt, signer)
    _compare("receipt", _expected(ledger, call, task), receipt)
    monitor = task.released.monitor.verifying()
    gone = open_record(Destruction, call.destruction, monitor)
    enclave: dict[str, object] = {
        "suite": ledger.row.id,
        "enclave_id": task.released.enclave_id,
        "measurement": bytes.fromhex(task.agreement.app),
    }
    _compare("destruction", enclave, gone)
    event = TaskCompleted(call.task, receipt.result, call.receipt, call.destruction)
    ledger.commit(event, _act(ledger, call, task, receipt))


def _expected(ledger: Ledger, call: CompleteCall, task: Task) -> dict[str, object]:
    request = task.request
    return {
        "suite": ledger.row.id,
        "task": call.task,
        "attempt": call.attempt,
        "agreement": request.agreement,
        "room": ledger.keys.public.id,
        "app": task.agreement.app,
        "entry_point": request.entry_point,
        "inputs": task.agreement.datasets,
        "values": ledger.row.mac(request.nonce, request.values),
        "recipient": task.demander,
    }


def _compare(what: str, expected: dict[str, object], said: Record) -> None:
    findings = [
        Finding(
            f"{what}.{name.replace('_', '-')}",
            "broker",
            f"the {name} of this attempt",
            "another one",
            "The node mixed up attempts, or is not to be trusted; end this attempt.",
        )
        for name, value in expected.items()
        if getattr(said, name) != value
    ]
    if findings:
        raise Untrusted("; ".join(map(str, findings)), findings)


def _act(ledger: Ledger, call: CompleteCall, task: Task, receipt: Receipt) -> Act:
    detail = {
        "task": call.task,
        "attempt": str(call.attempt),
        "agreement": receipt.agreement,
        "app": receipt.app,
        "party": task.demander,
        "result": receipt.result[:64],
        "receipt": ledger.row.digest(call.receipt).hex(),
        "destruction": ledger.row.digest(call.destruction).hex(),
    }
    return Act("task", "task.complete", "node", call.task, detail)


def _bundle(ledger: Ledger, task: Task, released: Released) -> ReceiptBundle:
    log, index = ledger.log, task.log_index
    return ReceiptBundle(
        receipt=task.receipt,
        keys=released.keys,
        evidence=released.evidence,
        challenge=task.challenges[-1],
        destruction=task.destruction,
        log_entry=log.entry(index),
        log_index=index,
        checkpoint=log.checkpoint(ledger.keys.signing),
        inclusion=tuple(log.inclusion_proof(index)),
    )
