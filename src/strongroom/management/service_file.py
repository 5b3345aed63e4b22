# SPDX-License-Identifier: Apache-2.0
"""The service file: what a client has to know of a service app before it calls one.

Signed by the administrator of the machine that serves it. It says what evidence must
show; that it does is verified in each connection.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record, peek_record
from strongroom.core.rats import AppraisalPolicy, AppRule, Endorsements
from strongroom.errors import Untrusted
from strongroom.management.keys import PublicIdentity


@dataclass(frozen=True)
class ServiceFile(Record):
    """One app on one machine.

    Attributes:
        app: its measurement.
        product: its name, and `svn` its security version.
        config: digest of what it was started with.
        roots: that the machine's evidence leads to.
        registers: accepted values by name.
        locks: that the app has.
        written_at: Unix seconds.
    """

    TYPE = "strongroom/service/v1"

    address: str
    suite: str
    kind: str
    app: bytes
    product: str
    svn: int
    config: bytes
    roots: tuple[bytes, ...]
    registers: dict[str, tuple[bytes, ...]]
    locks: tuple[str, ...]
    administrator: PublicIdentity
    written_at: int

    @property
    def endorsements(self) -> Endorsements:
        """What evidence of the machine is verified with."""
        return Endorsements(self.roots, ())

    def policy(
        self, owner: str, kinds: tuple[str, ...], max_platform_age_s: int
    ) -> AppraisalPolicy:
        """Return what evidence must show, by the owner's choice of platforms."""
        return AppraisalPolicy(
            owner=owner,
            kinds=kinds,
            registers=self.registers,
            locks=self.locks,
            max_platform_age_s=max_platform_age_s,
            min_firmware_svn=0,
            apps=(AppRule.measured(self.app, config=self.config),),
        )


def open_service_file(data: bytes, administrator: str | None) -> ServiceFile:
    """Return a service file whose signature holds.

    Args:
        data: as the administrator gave it.
        administrator: the administrator's id, known from elsewhere; None takes the
            one in the file, which proves only that it is whole.

    Raises:
        Malformed: not a service file.
        Untrusted: not signed by its administrator; `service.administrator`.
    """
    claimed, _ = peek_record(ServiceFile, data)
    if administrator not in (None, claimed.administrator.id):
        raise Untrusted.because(
            "service.administrator",
            "you",
            expected=f"a service of administrator {administrator}",
            got=claimed.administrator.id,
            remedy="Ask the administrator for the service file on another way.",
        )
    return open_record(ServiceFile, data, claimed.administrator.verifying)
