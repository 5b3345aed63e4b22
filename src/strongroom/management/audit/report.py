# SPDX-License-Identifier: Apache-2.0
"""What a checked log is good for: tracing back operations (LOG-3)."""

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.core.codec.log_entry import LogEntry
from strongroom.core.codec.tlog import Checkpoint


@dataclass(frozen=True, slots=True)
class AuditReport:
    """A log that passed `verify_folder`: everything in it is what the key signed."""

    checkpoint: Checkpoint
    entries: tuple[bytes, ...]
    suite_id: str

    def query(
        self,
        *,
        task: str | None = None,
        app: str | None = None,
        party: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[tuple[int, LogEntry]]:
        """Yield index and record of the entries about all that is given.

        `since` and `until` are Unix seconds, both included.
        """
        for index, data in enumerate(self.entries):
            entry = LogEntry.from_bytes(data)
            if since is not None and entry.time < since:
                continue
            if until is not None and entry.time > until:
                continue
            if entry.concerns(task=task, app=app, party=party):
                yield index, entry
