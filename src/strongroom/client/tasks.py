# SPDX-License-Identifier: Apache-2.0
"""Result demanders: ask, wait, fetch, verify, open (R-RES)."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from strongroom.application.cleanroom import ReceiptBundle, TaskRequest, TaskStatus
from strongroom.application.cleanroom.task import RESULT_KEY_INFO
from strongroom.client.receipts import VerifiedReceipt, verify_receipt
from strongroom.client.session import Session
from strongroom.core.codec import cbor
from strongroom.core.codec.signed import sign_record
from strongroom.errors import Finding, Malformed, Unavailable, error_from_value
from strongroom.services.sealing import SealedFile

_POLL_S = 0.05


def request(
    session: Session, agreement_id: str, entry_point: str, values: dict[str, object]
) -> str:
    """Ask for one use of an agreement; return the task's id."""
    answer = session.ask(
        "task.request",
        {"request": _statement(session, agreement_id, entry_point, values)},
    )
    return _text(answer, "task")


def dry_run(
    session: Session, agreement_id: str, entry_point: str, values: dict[str, object]
) -> tuple[Finding, ...]:
    """Return every reason why a request would be refused; empty if it would not."""
    answer = session.ask(
        "task.dry-run",
        {"request": _statement(session, agreement_id, entry_point, values)},
    )
    report = {"error": "refused", "message": "", "findings": answer.get("findings")}
    return error_from_value(report).findings


def _statement(
    session: Session, agreement_id: str, entry_point: str, values: dict[str, object]
) -> bytes:
    wanted = TaskRequest(
        agreement=agreement_id,
        entry_point=entry_point,
        values=cbor.encode(values),
        nonce=os.urandom(32),
    )
    return sign_record(session.identity.signing, wanted)


def status(session: Session, task_id: str) -> TaskStatus:
    """Return how a task stands."""
    return TaskStatus.from_value(
        session.ask("task.status", {"task": task_id}).get("status")
    )


def wait(
    session: Session,
    task_id: str,
    timeout_s: float,
    progress: Callable[[TaskStatus], None] | None = None,
) -> TaskStatus:
    """Wait until a task is done.

    Raises:
        Unavailable: not done within `timeout_s`.
        StrongroomError: why the task failed.
    """
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        current = status(session, task_id)
        if progress:
            progress(current)
        if current.state == "done":
            return current
        if current.state == "failed":
            raise error_from_value(current.error)
        time.sleep(_POLL_S)
    message = f"task {task_id[:16]} was not done within {timeout_s:.0f} s"
    raise Unavailable(message)


def fetch(
    session: Session, task_id: str, target: Path
) -> tuple[VerifiedReceipt, ReceiptBundle]:
    """Fetch a result: verify its receipt, open its ciphertext, write the plaintext.

    Raises:
        Refused: the receipt, the evidence behind it or the ciphertext does not hold.
    """
    answer = session.ask("task.result", {"task": task_id})
    kept = answer.get("receipt")
    if not isinstance(kept, bytes):
        message = "the broker's receipt is not bytes"
        raise Malformed(message)
    bundle = ReceiptBundle.from_bytes(kept)
    verified = verify_receipt(
        bundle, session.room, session.policy, session.identity.public.name
    )
    receipt = verified.receipt
    info = RESULT_KEY_INFO + receipt.task.encode()
    key = session.identity.kem.open(receipt.result_key, info)
    with tempfile.TemporaryFile() as file:
        file.write(session.transport.get(f"/v1/objects/{receipt.result}"))
        file.flush()
        opened = SealedFile(file.fileno(), key)
        if opened.info.dataset_id != receipt.result:
            message = "the store gave another result than the receipt names"
            raise Malformed(message)
        with os.fdopen(
            os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        ) as writer:
            writer.writelines(opened.stream())
    return verified, bundle


def _text(answer: dict[str, object], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        message = f"the broker's answer has no {name}"
        raise Malformed(message)
    return value
