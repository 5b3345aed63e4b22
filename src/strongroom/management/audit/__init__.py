# SPDX-License-Identifier: Apache-2.0
"""The audit log: structured records in a transparency log (LOG-1, LOG-2, LOG-3)."""

from strongroom.management.audit.entry import CATEGORIES, Category, LogEntry, Outcome
from strongroom.management.audit.log import AuditLog
from strongroom.management.audit.report import AuditReport
from strongroom.management.audit.verify import verify_folder

__all__ = [
    "CATEGORIES",
    "AuditLog",
    "AuditReport",
    "Category",
    "LogEntry",
    "Outcome",
    "verify_folder",
]
