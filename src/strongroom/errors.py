# SPDX-License-Identifier: Apache-2.0
"""The one error tree, named by what the caller does next.

    StrongroomError
    ├── Malformed        these bytes are not what they claim to be: get other bytes
    ├── Refused          a rule said no: read the findings, change what they name
    │   ├── Untrusted    a signature, certificate or measurement does not hold
    │   ├── Stale        too old, expired, replayed or rolled back: get a fresh one
    │   └── Tampered     authenticated data was altered: get the original again
    ├── NotFound         no such thing: check the name
    ├── Conflict         the state has moved on: look again, then decide
    ├── LimitReached     a declared limit was hit: ask for less or raise the limit
    ├── Unavailable      a component did not answer: try again later
    ├── Misconfigured    the machine or a setting lacks something: mend it
    └── AppFailed        the application itself raised: ask its provider

Every refusal carries at least one `Finding`: rule, owner of the rule, expected,
got, remedy. Findings never hold a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a refusal, written for the person who can act on it."""

    rule: str
    owner: str
    expected: str
    got: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"[{self.rule}] rule of {self.owner}: expected {self.expected}, "
            f"got {self.got}. {self.remedy}"
        )


class StrongroomError(Exception):
    """Anything this package raises on purpose."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.findings = tuple(findings)

    def to_value(self) -> dict[str, object]:
        """Return the error as a map that `error_from_value` reads back."""
        return {
            "error": self.code,
            "message": self.message,
            "findings": [
                {name: getattr(finding, name) for name in Finding.__slots__}
                for finding in self.findings
            ],
        }


class Malformed(StrongroomError):
    """Bytes or values that are not of the format they claim."""

    code = "malformed"
    exit_code = 3


class Refused(StrongroomError):
    """A rule said no; `findings` says which, whose, and what to do."""

    code = "refused"
    exit_code = 4

    @classmethod
    def because(
        cls, rule: str, owner: str, *, expected: str, got: str, remedy: str
    ) -> Self:
        """Make a refusal with one finding, whose text is also the message."""
        finding = Finding(rule, owner, expected, got, remedy)
        return cls(str(finding), [finding])


class Untrusted(Refused):
    """A signature, certificate or measurement does not hold."""

    code = "untrusted"


class Stale(Refused):
    """Too old, expired, replayed or rolled back."""

    code = "stale"


class Tampered(Refused):
    """Authenticated data was altered, cut, reordered or repeated."""

    code = "tampered"


class NotFound(StrongroomError):
    """The thing that was named does not exist here."""

    code = "not-found"
    exit_code = 5


class Conflict(StrongroomError):
    """The request does not fit the state that things are in now."""

    code = "conflict"
    exit_code = 6


class LimitReached(StrongroomError):
    """A declared limit was hit; the message names it."""

    code = "limit-reached"
    exit_code = 7


class Unavailable(StrongroomError):
    """A component did not answer; the same call may succeed later."""

    code = "unavailable"
    exit_code = 8


class Misconfigured(StrongroomError):
    """The machine or a setting lacks something that is required."""

    code = "misconfigured"
    exit_code = 9


class AppFailed(StrongroomError):
    """The application raised; its own message is kept out on purpose."""

    code = "app-failed"
    exit_code = 10


CODES: dict[str, type[StrongroomError]] = {
    kind.code: kind
    for kind in (
        StrongroomError,
        Malformed,
        Refused,
        Untrusted,
        Stale,
        Tampered,
        NotFound,
        Conflict,
        LimitReached,
        Unavailable,
        Misconfigured,
        AppFailed,
    )
}


def error_from_value(value: object) -> StrongroomError:
    """Read back what `StrongroomError.to_value` wrote; total over any value."""
    if not isinstance(value, Mapping):
        return Malformed("an error report is not a map")
    kind = CODES.get(str(value.get("error")), StrongroomError)
    rows = value.get("findings")
    findings = [
        Finding(*(str(row.get(name, "")) for name in Finding.__slots__))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, Mapping)
    ]
    return kind(str(value.get("message", "")), findings)
