# SPDX-License-Identifier: Apache-2.0
"""What every operation of a party is: a record of its arguments that can be run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from strongroom.application.broker.events import Event, Noted
from strongroom.application.broker.ledger import Ledger
from strongroom.core.codec.record import Record
from strongroom.management.keys import PublicIdentity
from strongroom.management.trusted_list import Role


@dataclass(frozen=True)
class Outcome:
    """What an operation decided. It becomes true when the ledger has committed it.

    `object` is what the operation was about and `detail` more names for the audit
    log; `ticket` is set if there is new work for a compute node.
    """

    answer: dict[str, object]
    object: str
    event: Event = field(default_factory=Noted)
    detail: Mapping[str, str] = field(default_factory=dict)
    ticket: bytes = b""

    @property
    def is_read(self) -> bool:
        """Whether nothing changed, so that asking again gives a fresh answer."""
        return isinstance(self.event, Noted)


class Operation(Record, ABC):
    """One thing that a party may ask; the fields are the arguments."""

    ROLE: ClassVar[Role | None] = None
    """The role that the sender needs on the trusted list; None: any member."""

    @classmethod
    def authorise(cls, ledger: Ledger, sender: str) -> None:
        """Check that the sender may ask for this at all (WL-1, default deny).

        Raises:
            Refused: not on the trusted list, or not in the role.
        """
        ledger.state.require(sender, cls.ROLE)

    @abstractmethod
    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Decide, without changing anything.

        Raises:
            StrongroomError: why not.
        """
