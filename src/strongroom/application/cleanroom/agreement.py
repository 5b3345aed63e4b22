# SPDX-License-Identifier: Apache-2.0
"""The agreement: who may learn what from whose data by which code, and how often.

Every party signs the same bytes. No key moves before the last needed signature,
and any party can withdraw until then and after (docs/specs/agreement.md).
"""

from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec.record import Record
from strongroom.core.crypto import suite
from strongroom.core.rats import AppraisalPolicy
from strongroom.errors import Malformed

AgreementState = Literal["proposed", "active", "withdrawn", "expired", "exhausted"]


@dataclass(frozen=True)
class InputBinding(Record):
    """Which datasets an app's parameter takes, in this order."""

    parameter: str
    datasets: tuple[str, ...]


@dataclass(frozen=True)
class Agreement(Record):
    """The bytes that every party in `signers` signs.

    `room` is the broker's id, `app` a measurement in hex, `signers` the party ids
    whose signatures are all needed, `recipients` those that may ask and receive.
    `fields` narrows the app's own output rule; `min_group` raises it. `appraisal`
    says which platforms may run it. Times are Unix seconds.
    """

    TYPE = "strongroom/agreement/v1"

    suite: str
    room: str
    title: str
    purpose: str
    app: str
    entry_points: tuple[str, ...]
    inputs: tuple[InputBinding, ...]
    recipients: tuple[str, ...]
    signers: tuple[str, ...]
    fields: tuple[str, ...]
    min_group: int
    max_uses: int
    not_before: int
    expires_at: int
    appraisal: AppraisalPolicy
    nonce: bytes

    def __post_init__(self) -> None:
        if not (self.entry_points and self.recipients and self.signers):
            message = "an agreement names entry points, recipients and signers"
            raise Malformed(message)
        for names in (self.signers, self.recipients, self.entry_points):
            if len(set(names)) != len(names):
                message = "an agreement names every party and entry point once"
                raise Malformed(message)
        if self.max_uses < 1 or self.not_before >= self.expires_at:
            message = "an agreement allows at least one use, before it expires"
            raise Malformed(message)

    @property
    def id(self) -> str:
        """Sixty-four hex digits over the bytes that everyone signs."""
        return suite(self.suite).digest(self.to_bytes())[:32].hex()

    @property
    def datasets(self) -> tuple[str, ...]:
        """All datasets of all inputs, in order."""
        return tuple(d for binding in self.inputs for d in binding.datasets)


@dataclass(frozen=True)
class Withdrawal(Record):
    """A party's signed word that an agreement ends now."""

    TYPE = "strongroom/withdrawal/v1"

    agreement: str
    party: str
    reason: str
    at: int


@dataclass(frozen=True)
class AgreementStatus(Record):
    """How an agreement stands: what anyone who asks is shown."""

    agreement: Agreement
    state: AgreementState
    signed: tuple[str, ...]
    missing: tuple[str, ...]
    withdrawn_by: str
    uses: int
