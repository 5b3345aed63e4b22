# SPDX-License-Identifier: Apache-2.0
"""The receipt: what ran, on what, where, for whom, and that the room is gone (T-5).

Signed by a key that lived only in the enclave and that the evidence binds; the
monitor adds its record of destruction. Everything in a `ReceiptBundle` can be
verified offline by anyone who holds the room's public keys.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.rats import Evidence


@dataclass(frozen=True)
class Receipt(Record):
    """What the enclave states about one finished attempt.

    `inputs` are dataset ids, `values` the MAC of the request's own arguments
    under the request's nonce, `result` the sealed result's id,
    `result_key` its data key sealed to the recipient.
    """

    TYPE = "strongroom/receipt/v1"

    suite: str
    task: str
    attempt: int
    agreement: str
    room: str
    app: str
    entry_point: str
    inputs: tuple[str, ...]
    values: bytes
    recipient: str
    result: str
    result_length: int
    result_key: bytes
    started_at: int
    finished_at: int


@dataclass(frozen=True)
class ReceiptBundle(Record):
    """A receipt with all that proves it; what a demander keeps.

    `receipt` and `destruction` are signed records, `keys` the enclave's keys that
    `evidence` binds, `checkpoint` and `inclusion` the log's proof that the broker
    recorded this task at `log_index`.
    """

    TYPE = "strongroom/receipt-bundle/v1"

    receipt: bytes
    keys: bytes
    evidence: Evidence
    challenge: bytes
    destruction: bytes
    log_entry: bytes
    log_index: int
    checkpoint: bytes
    inclusion: tuple[bytes, ...]
