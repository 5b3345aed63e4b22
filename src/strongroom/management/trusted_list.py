# SPDX-License-Identifier: Apache-2.0
"""The trusted list: who may touch the room at all, default deny (WL-1).

Signed by the administrator and versioned, so that an older list cannot return.
"""

from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record
from strongroom.core.crypto import VerifyingKey
from strongroom.errors import Malformed, Refused, Stale
from strongroom.management.keys import PublicIdentity

Role = Literal["algorithm", "data", "result", "service", "platform", "administrator"]


@dataclass(frozen=True)
class Member(Record):
    """One party and the roles it may take (STANDARD section 2)."""

    identity: PublicIdentity
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class TrustedList(Record):
    """All parties of a room, by the administrator's signature."""

    TYPE = "strongroom/trusted-list/v1"

    suite: str
    version: int
    issued_at: int
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        ids = [member.identity.id for member in self.members]
        names = [member.identity.name for member in self.members]
        if len(set(ids)) != len(ids) or len(set(names)) != len(names):
            message = "a trusted list names every party once"
            raise Malformed(message)
        if self.version < 1:
            message = "a trusted list's versions start at 1"
            raise Malformed(message)

    def find(self, party_id: str) -> Member | None:
        """Return the member with this id, or None."""
        return next((m for m in self.members if m.identity.id == party_id), None)

    def require(self, party_id: str, role: Role | None = None) -> PublicIdentity:
        """Return the identity of a member that holds `role`.

        Raises:
            Refused: not on the list, or without that role.
        """
        member = self.find(party_id)
        if member is not None and (role is None or role in member.roles):
            return member.identity
        wanted = f"a member with the role {role}" if role else "a member"
        raise Refused.because(
            "trusted-list.member" if member is None else "trusted-list.role",
            "administrator",
            expected=f"{wanted} of trusted list version {self.version}",
            got=f"party {party_id[:16]}"
            + (f" with {', '.join(member.roles)}" if member else ""),
            remedy="Ask the administrator to put the party on the list in that role.",
        )


def open_trusted_list(
    data: bytes, administrator: VerifyingKey, *, newest_version: int = 0
) -> TrustedList:
    """Verify a signed list; refuse one older than what was already seen.

    Raises:
        Malformed, Untrusted: not a list signed by this administrator.
        Stale: `version` is below `newest_version`.
    """
    trusted = open_record(TrustedList, data, administrator)
    if trusted.version < newest_version:
        raise Stale.because(
            "trusted-list.version",
            "administrator",
            expected=f"version {newest_version} or newer",
            got=f"version {trusted.version}",
            remedy="Fetch the current trusted list.",
        )
    return trusted
