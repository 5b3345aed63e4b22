# SPDX-License-Identifier: Apache-2.0
"""One record of the audit log (LOG-1, LOG-2): names, digests and numbers only.

A record is public to every party of a room, so it takes no free text and no bytes:
every value is short and printable, and what it names is an identifier or a digest.
That no secret is given is the caller's part; the canary test of LOG-2 checks it.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

Category = Literal["hardware", "system", "interface", "task", "network"]
"""The five classes of LOG-1."""

Outcome = Literal["ok", "refused", "failed"]

CATEGORIES: tuple[str, ...] = get_args(Category)
MAX_TEXT = 256
MAX_DETAILS = 16
_ACTION = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class LogEntry(Record):
    """Who did what to what, when, and how it ended."""

    TYPE: ClassVar[str] = "strongroom/log-entry/v1"

    time: int
    """Unix seconds."""
    category: Category
    action: str
    """Dotted lower-case name, as `enclave.create`."""
    subject: str
    """Who acted: a party id, an enclave, a component."""
    object: str
    """What was acted on."""
    outcome: Outcome
    detail: dict[str, str]
    """More identifiers by name; `task`, `app` and `party` are searched."""

    def __post_init__(self) -> None:
        """Refuse what no log should hold."""
        if self.time < 0:
            message = "log entry: the time is negative"
            raise Malformed(message)
        for name in (self.action, *self.detail):
            if not _ACTION.fullmatch(name):
                message = "log entry: actions and detail names are short and lower-case"
                raise Malformed(message)
        for text in (self.subject, self.object, *self.detail.values()):
            if len(text) > MAX_TEXT or not text.isprintable():
                message = f"log entry: values are up to {MAX_TEXT} printable letters"
                raise Malformed(message)
        if len(self.detail) > MAX_DETAILS:
            message = f"log entry: more than {MAX_DETAILS} details"
            raise Malformed(message)

    def concerns(self, *, task: str | None, app: str | None, party: str | None) -> bool:
        """Tell whether the record is about all of those that are given (LOG-3)."""
        ends = (self.subject, self.object)
        wanted = (("task", task), ("app", app), ("party", party))
        return all(
            value is None or self.detail.get(name) == value or value in ends
            for name, value in wanted
        )
