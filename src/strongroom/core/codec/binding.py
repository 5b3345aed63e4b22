# SPDX-License-Identifier: Apache-2.0
"""What data is sealed to, and who may take it along to another app (SEAL)."""

from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

MAX_APPROVAL_BYTES = 16 << 10


@dataclass(frozen=True, kw_only=True)
class Binding(Record):
    """The characteristic value of an app that sealed data (7.9).

    Attributes:
        policy: "measurement" for this very app alone, "signer" for every app of the
            same signer and product whose SVN is `svn` or higher.
        measurement: of the app that sealed.
        signer: id of the key that signed it.
        product: its name.
        svn: its security version.
    """

    policy: Literal["measurement", "signer"]
    measurement: bytes
    signer: bytes
    product: str
    svn: int

    def __post_init__(self) -> None:
        if self.svn < 0:
            message = "a security version is not negative"
            raise Malformed(message)


@dataclass(frozen=True, kw_only=True)
class UpgradeApproval(Record):
    """The signer's word that app `new` may open what app `old` sealed.

    It is signed by the key that signed both bundles: what another signer's app
    sealed is under another key, so nobody can approve away the data of others.
    """

    TYPE = "strongroom/upgrade-approval/v1"

    suite: str
    old: bytes
    new: bytes

    def __post_init__(self) -> None:
        if self.old == self.new:
            message = "an upgrade is from one app to another"
            raise Malformed(message)
