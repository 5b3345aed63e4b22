# SPDX-License-Identifier: Apache-2.0
"""Evidence: UNVERIFIED bytes of a platform and, if asked for, of one app on it."""

import re
from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True)
class Evidence(Record):
    """What travels from attester to verifier (docs/specs/evidence.md).

    `kind` says which verifier reads `platform`; it is a hint and is checked against
    what the platform itself states. `app` is b"" where the platform alone is shown.
    """

    TYPE = "strongroom/evidence/v1"

    kind: str
    platform: bytes
    app: bytes

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            message = "a kind of platform is lower-case-with-dashes"
            raise Malformed(message)
