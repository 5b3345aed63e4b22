# SPDX-License-Identifier: Apache-2.0
"""Hardware evidence as a person names it: a file, or the folder of a case."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.arguments import usage_error
from strongroom.cli.words import say

if TYPE_CHECKING:
    from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust

EndorsementsOf = Annotated[
    Path | None,
    typer.Option(
        "--endorsements",
        help="Endorsements record, or store folder; those of a case if not given.",
    ),
]
At = Annotated[
    str | None,
    typer.Option("--time", help="Judge as at this moment, RFC 3339; now if not given."),
]


@dataclass(frozen=True)
class Given:
    """Evidence with what came along: trust and bound value where there are any."""

    evidence: "HardwareEvidence"
    trust: "Trust | None"
    bound: bytes | None
    now: int

    def verify(self) -> "HardwareClaims":
        """Return the claims of the evidence.

        Raises:
            Misconfigured: no endorsements were given.
            StrongroomError: the evidence does not hold.
        """
        from strongroom.errors import Misconfigured  # noqa: PLC0415
        from strongroom.services.attestation.hardware import (  # noqa: PLC0415
            verify_hardware,
        )

        if self.trust is None:
            message = say("no endorsements: say --endorsements; nothing is verified")
            raise Misconfigured(message)
        return verify_hardware(self.evidence, self.trust, now=self.now)


def read_given(
    path: Path, endorsements: Path | None, time: str | None, clock: int
) -> Given:
    """Return the evidence at `path`.

    Args:
        path: a `HardwareEvidence` record, or a folder with case.json.
        endorsements: an `Endorsements` record or a store; None: the case's own.
        time: RFC 3339; None: the case's, or now.
        clock: now.

    Raises:
        Malformed: no hardware evidence.
    """
    from strongroom.cli.cases import read_case  # noqa: PLC0415
    from strongroom.core.rats import HardwareEvidence, Trust  # noqa: PLC0415

    now = clock if time is None else instant(time)
    if path.is_dir():
        case = read_case(path)
        trust = _trust(endorsements, case.evidence) or Trust(case.endorsements)
        return Given(case.evidence, trust, case.bound, case.time if not time else now)
    evidence = HardwareEvidence.from_bytes(path.read_bytes())
    return Given(evidence, _trust(endorsements, evidence), None, now)


def is_evidence(path: Path) -> bool:
    """Return whether `path` is a case folder, or a record of hardware evidence."""
    from strongroom.core.codec import cbor  # noqa: PLC0415
    from strongroom.core.rats import HardwareEvidence  # noqa: PLC0415
    from strongroom.errors import Malformed  # noqa: PLC0415

    if path.is_dir():
        return True
    try:
        value = cbor.decode(path.read_bytes())
    except Malformed:
        return False
    return isinstance(value, dict) and value.get("type") == HardwareEvidence.TYPE


def instant(text: str) -> int:
    """Return the Unix seconds of a date and time; UTC where it names no zone.

    Raises:
        BadParameter: something else.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = say("{text} is no moment such as 2027-01-31T00:00:00Z", text=text)
        raise usage_error(message) from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def hex_bytes(text: str, option: str) -> bytes:
    """Return the bytes that an option gives in hex.

    Raises:
        BadParameter: not hex.
    """
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        message = say("{option} takes hex digits, not {text}", option=option, text=text)
        raise usage_error(message) from error


def _trust(path: Path | None, evidence: "HardwareEvidence") -> "Trust | None":
    from strongroom.core.rats import Endorsements, Trust  # noqa: PLC0415
    from strongroom.management.endorsements import EndorsementStore  # noqa: PLC0415
    from strongroom.services.attestation.subjects import (  # noqa: PLC0415
        evidence_subject,
    )

    if path is None:
        return None
    if path.is_dir():
        store = EndorsementStore(path)
        subject = evidence_subject(evidence)
        return Trust(store.endorsements(evidence.kind, subject))
    return Trust(Endorsements.from_bytes(path.read_bytes()))
