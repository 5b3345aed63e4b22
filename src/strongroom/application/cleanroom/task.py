# SPDX-License-Identifier: Apache-2.0
"""A task is one use of an agreement; an attempt is one try to run it (T-1, T-2).

Asked for by the demander, ticketed by the broker, run by any node whose enclave
the broker appraises: keys are released to that enclave, for that attempt, once.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from strongroom.core.codec.bundle import EntryPoint
from strongroom.core.codec.record import Record
from strongroom.core.crypto import Suite
from strongroom.errors import Malformed
from strongroom.management.keys import PublicIdentity

RELEASE_INFO = b"strongroom/release/v1"
RESULT_KEY_INFO = b"strongroom/result-key/v1:"
"""What the box of a `Release` is bound to."""

NONCE_BYTES = 32
TaskState = Literal["waiting", "released", "done", "failed"]


class TaskMethod(IntEnum):
    """The numbered calls of a task enclave across the gate (HW-4)."""

    KEYS = 1
    RUN = 2


@dataclass(frozen=True)
class TaskRequest(Record):
    """What a demander asks; `values` are the request's own arguments as CBOR.

    `nonce` is 32 fresh bytes: it makes the task's id unique and keys the digest of
    `values` in the receipt, so that nobody else can guess them from either.
    """

    TYPE = "strongroom/task-request/v1"

    agreement: str
    entry_point: str
    values: bytes
    nonce: bytes

    def __post_init__(self) -> None:
        if len(self.nonce) != NONCE_BYTES:
            message = f"a task request's nonce has {NONCE_BYTES} bytes"
            raise Malformed(message)

    def task_id(self, row: Suite) -> str:
        """Sixty-four hex digits that name the task and tell nothing of it."""
        return row.digest(self.to_bytes())[:32].hex()


@dataclass(frozen=True)
class Ticket(Record):
    """What the untrusted node needs to start one attempt: names only, no secrets."""

    TYPE = "strongroom/ticket/v1"

    task: str
    attempt: int
    app: str
    datasets: tuple[str, ...]
    challenge: bytes


@dataclass(frozen=True)
class EnclaveKeys(Record):
    """The keys an enclave made for one attempt; its evidence binds their digest."""

    TYPE = "strongroom/enclave-keys/v1"

    task: str
    attempt: int
    sign: bytes
    kem: bytes


@dataclass(frozen=True)
class ReleasedInput(Record):
    """One dataset opened to one enclave."""

    parameter: str
    dataset: str
    header: bytes
    length: int
    key: bytes


@dataclass(frozen=True)
class Release(Record):
    """Everything an enclave needs for one attempt, sealed to the key it attested."""

    TYPE = "strongroom/release/v1"

    suite: str
    task: str
    attempt: int
    agreement: str
    room: str
    app: str
    entry_point: EntryPoint
    inputs: tuple[ReleasedInput, ...]
    values: bytes
    nonce: bytes
    code_key: bytes
    recipient: PublicIdentity
    released_at: int


@dataclass(frozen=True)
class TaskStatus(Record):
    """How a task stands: what its demander is shown.

    `result` is the sealed result's id and `receipt` the signed receipt once done;
    `error` is a `StrongroomError.to_value` map, empty unless failed.
    """

    task: str
    agreement: str
    state: TaskState
    attempts: int
    result: str
    receipt: bytes
    error: dict[str, object]
