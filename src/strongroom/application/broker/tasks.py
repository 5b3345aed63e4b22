# SPDX-License-Identifier: Apache-2.0
"""Tasks: asked for, tried out dry, watched, and tried again when a node fails."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from strongroom.application.broker.checks import Wish, refuse, usage_findings
from strongroom.application.broker.events import AttemptFailed, TaskRequested
from strongroom.application.broker.ledger import Act, Ledger, rules_text
from strongroom.application.broker.operation import Operation, Outcome
from strongroom.application.broker.state import MAX_ATTEMPTS, Contract, Task
from strongroom.application.cleanroom import TaskRequest
from strongroom.core.codec import cbor
from strongroom.core.codec.bundle import EntryPoint
from strongroom.core.codec.signed import open_record
from strongroom.errors import Conflict, Finding, Malformed, NotFound, error_from_value
from strongroom.management.keys import PublicIdentity
from strongroom.management.trusted_list import Role

CHALLENGE_BYTES = 32
NODE = "node"
MAX_ERROR_TEXT = 500
_FINAL = ("app-failed", "limit-reached", "refused")
"""What an app that had its keys reports of itself: trying again changes nothing."""
_TYPES: dict[str, tuple[type, ...]] = {
    "json": (dict, list, str, int, float, bool, type(None)),
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@dataclass(frozen=True)
class RequestTask(Operation):
    """task.request: one use of an agreement, if nothing speaks against it now."""

    ROLE: ClassVar[Role | None] = "result"

    request: bytes

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check all that a release will check, but the enclave."""
        wanted = open_record(TaskRequest, self.request, sender.verifying)
        contract = ledger.state.contract(wanted.agreement, sender.id)
        refuse(_findings(ledger, contract, wanted, sender))
        name = wanted.task_id(ledger.row)
        if name in ledger.state.tasks:
            message = "this very task was already requested; make a new request"
            raise Conflict(message)
        challenge = ledger.gate.random(CHALLENGE_BYTES)
        task = Task(wanted, sender.id, contract.agreement, [challenge])
        detail = {"agreement": wanted.agreement, "app": contract.agreement.app}
        event = TaskRequested(name, wanted, sender.id, challenge)
        ticket = task.ticket(name).to_bytes()
        return Outcome({"task": name}, name, event, detail, ticket)


@dataclass(frozen=True)
class DryRun(Operation):
    """task.dry-run: would this be allowed? All findings at once; nothing changes."""

    ROLE: ClassVar[Role | None] = "result"

    request: bytes

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check the same as a request."""
        wanted = open_record(TaskRequest, self.request, sender.verifying)
        contract = ledger.state.contract(wanted.agreement, sender.id)
        findings = _findings(ledger, contract, wanted, sender)
        rows = [{n: getattr(f, n) for n in Finding.__slots__} for f in findings]
        answer: dict[str, object] = {"allowed": not findings, "findings": rows}
        detail = {"app": contract.agreement.app}
        if findings:
            detail["rules"] = rules_text(findings)
        return Outcome(answer, wanted.agreement, detail=detail)


@dataclass(frozen=True)
class ShowTask(Operation):
    """task.status: how a task stands, for the one who asked for it."""

    task: str

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Find it among the asker's own."""
        task = ledger.state.tasks.get(self.task)
        if task is None or task.demander != sender.id:
            message = f"you have no task {self.task[:64]}"
            raise NotFound(message)
        status = task.status(self.task).to_value()
        return Outcome({"status": status}, self.task)


def tickets(ledger: Ledger) -> dict[str, object]:
    """Return the attempts that wait for a node, and those that one is running."""
    rows: dict[str, list[bytes]] = {"waiting": [], "released": []}
    for name, task in ledger.state.open_tasks.items():
        rows[task.state].append(task.ticket(name).to_bytes())
    return {"tickets": rows["waiting"], "released": rows["released"]}


def fail_attempt(
    ledger: Ledger, name: str, attempt: int, said: Mapping[str, object]
) -> None:
    """End an attempt on the node's word, which can cost a try but win nothing.

    Raises:
        NotFound, Conflict: it is not the current attempt of an open task.
    """
    task = ledger.state.current(name, attempt)
    if task.state == "done":
        message = "this task is done"
        raise Conflict(message)
    error = error_from_value(said)
    shown: dict[str, object] = {
        "error": error.code,
        "message": error.message[:MAX_ERROR_TEXT],
        "findings": [
            {n: getattr(f, n)[:MAX_ERROR_TEXT] for n in Finding.__slots__}
            for f in error.findings[:16]
        ],
    }
    final = task.state == "released" and error.code in _FINAL
    end_attempt(ledger, name, task, shown, final=final)


def end_attempt(
    ledger: Ledger, name: str, task: Task, error: dict[str, object], *, final: bool
) -> None:
    """End the current attempt; start another one unless it was the last."""
    again = not final and task.attempt < MAX_ATTEMPTS
    challenge = ledger.gate.random(CHALLENGE_BYTES) if again else b""
    detail = {
        "task": name,
        "attempt": str(task.attempt),
        "error": str(error["error"]),
        "agreement": task.request.agreement,
    }
    action = "task.attempt-failed" if again else "task.failed"
    act = Act("task", action, NODE, name, detail)
    ledger.commit(AttemptFailed(name, error, challenge), act, outcome="failed")


def _findings(
    ledger: Ledger, contract: Contract, wanted: TaskRequest, sender: PublicIdentity
) -> list[Finding]:
    state, now = ledger.state, ledger.now()
    wish = Wish(wanted.entry_point, sender.id)
    findings = usage_findings(state, contract, wish, now)
    app = state.apps[contract.agreement.app].registration.manifest
    entry = app.entry_point(wanted.entry_point)
    if entry is not None:
        findings += _values(entry, wanted.values, app.name)
    return findings


def _values(entry: EntryPoint, data: bytes, app: str) -> Iterator[Finding]:
    declared = {p.name: p.type for p in entry.parameters if not p.is_dataset}
    try:
        values = cbor.decode(data)
    except Malformed:
        values = None
    if (
        not isinstance(values, dict)
        or set(values) != set(declared)
        or any(type(values[n]) not in _TYPES[t] for n, t in declared.items())
    ):
        named = ", ".join(f"{name}: {kind}" for name, kind in declared.items())
        yield Finding(
            "task.values",
            f"app {app}",
            f"exactly the arguments of {entry.name}: {named or 'none'}",
            "others, or of other types",
            "Ask again with the arguments that the app's manifest declares.",
        )
