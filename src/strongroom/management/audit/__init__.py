# SPDX-License-Identifier: Apache-2.0
"""The audit log: structured records in a transparency log (LOG-1, LOG-2, LOG-3)."""

from strongroom.core.codec.audit_log import AuditLog
from strongroom.core.codec.log_entry import CATEGORIES, Category, LogEntry, Outcome
from strongroom.management.audit.gate import HEAD_ACTION, GateLog, verify_gate_log
from strongroom.management.audit.report import AuditReport
from strongroom.management.audit.verify import verify_folder

__all__ = [
    "CATEGORIES",
    "HEAD_ACTION",
    "AuditLog",
    "AuditReport",
    "Category",
    "GateLog",
    "LogEntry",
    "Outcome",
    "verify_folder",
    "verify_gate_log",
]
