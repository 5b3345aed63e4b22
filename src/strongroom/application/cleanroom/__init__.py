# SPDX-License-Identifier: Apache-2.0
"""The clean room's nouns: dataset, agreement, task, receipt, and their messages."""

from strongroom.application.cleanroom.agreement import (
    Agreement,
    AgreementStatus,
    InputBinding,
    Withdrawal,
)
from strongroom.application.cleanroom.dataset import (
    AppRegistration,
    DatasetRegistration,
)
from strongroom.application.cleanroom.receipt import Receipt, ReceiptBundle
from strongroom.application.cleanroom.task import (
    EnclaveKeys,
    Release,
    ReleasedInput,
    TaskRequest,
    TaskStatus,
    Ticket,
)
from strongroom.application.cleanroom.usage import ANY, UsageTerms

__all__ = [
    "ANY",
    "Agreement",
    "AgreementStatus",
    "AppRegistration",
    "DatasetRegistration",
    "EnclaveKeys",
    "InputBinding",
    "Receipt",
    "ReceiptBundle",
    "Release",
    "ReleasedInput",
    "TaskRequest",
    "TaskStatus",
    "Ticket",
    "UsageTerms",
    "Withdrawal",
]
