# SPDX-License-Identifier: Apache-2.0
"""Heads of a node's own log, as its monitor signs them."""

from strongroom.core.codec.audit_log import AuditLog
from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.segment import origin_of
from strongroom.core.crypto import SigningKey


def head_of(key: SigningKey, device_id: bytes, entries: int, segment: int = 0) -> bytes:
    """Return the signed head of a log of so many records."""
    record = LogEntry(0, "system", "gate.status", "uid 0 pid 1", "", "ok", {})
    rows = [record.to_bytes()] * entries
    log = AuditLog(origin_of(device_id, segment), key.suite_id, rows)
    return log.checkpoint(key)
