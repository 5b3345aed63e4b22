# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and how their texts become values."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from strongroom.cli.desk import Desk
from strongroom.cli.views import moment
from strongroom.cli.words import say

ANY_WORD, MAX_USES = "any", "--max-uses"
Suite = Literal["sm", "intl"]


class RoleName(StrEnum):
    """The roles of the trusted list, as the standard names them (section 2)."""

    ALGORITHM = "algorithm"
    DATA = "data"
    RESULT = "result"
    SERVICE = "service"
    PLATFORM = "platform"
    ADMINISTRATOR = "administrator"


Purposes = Annotated[
    list[str] | None,
    typer.Option("--purpose", help="Purpose that is allowed; 'any' for no condition."),
]
Apps = Annotated[
    list[str] | None,
    typer.Option("--app", help="App that is allowed: measurement or bundle; or 'any'."),
]
EntryPoints = Annotated[
    list[str] | None,
    typer.Option("--entry-point", help="Entry point that is allowed; or 'any'."),
]
Recipients = Annotated[
    list[str] | None,
    typer.Option(
        "--recipient", help="Party that may receive: name, id, identity file; or 'any'."
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", help="Result field that may leave; or 'any'."),
]
MaxUses = Annotated[
    int | None, typer.Option(min=1, help="How many tasks may use it, all together.")
]
Until = Annotated[
    str, typer.Option(help="When the permission ends: a date, or a duration like 30d.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", help="Usage policy in Cedar, instead of the options."),
]
Values = Annotated[
    list[str] | None,
    typer.Option("--value", help="An argument: NAME=JSON, or NAME=@FILE with JSON."),
]
RoomFile = Annotated[
    Path | None,
    typer.Option("--room", help="Room file; the room of this home if not given."),
]


def usage_error(message: str) -> typer.BadParameter:
    """Return the error of a wrong command line; its text is already translated."""
    return typer.BadParameter(message)


def pairs(items: list[str] | None, option: str) -> list[tuple[str, str]]:
    """Return the NAME=TEXT arguments of an option.

    Raises:
        BadParameter: one without a name.
    """
    found = []
    for item in items or []:
        name, equals, text = item.partition("=")
        if not name or not equals:
            raise usage_error(
                say("{option} takes NAME=..., not {item}", option=option, item=item)
            )
        found.append((name, text))
    return found


def json_values(items: list[str] | None) -> dict[str, object]:
    """Return the values of `--value` options.

    Raises:
        BadParameter: not JSON.
    """
    values: dict[str, object] = {}
    for name, text in pairs(items, "--value"):
        source = Path(text[1:]).read_text("utf-8") if text.startswith("@") else text
        try:
            values[name] = json.loads(source)
        except ValueError as error:
            message = say(
                "the value {name} is not JSON; text is written as {name}='\"text\"'",
                name=name,
            )
            raise usage_error(message) from error
    return values


def require_file(path: Path) -> Path:
    """Return the path of a file that is there.

    Raises:
        OSError: it is not, or is no file.
    """
    with path.open("rb"):
        return path


def measurement(text: str) -> str:
    """Return an app's measurement in hex: itself, or that of a bundle file."""
    file = Path(text)
    if not file.is_file():
        return text
    from strongroom.core.codec.bundle import Bundle  # noqa: PLC0415

    return Bundle.from_bytes(file.read_bytes()).verify().measurement.hex()


def terms(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    *,
    purposes: list[str] | None,
    apps: list[str] | None,
    entry_points: list[str] | None,
    recipients: list[str] | None,
    fields: list[str] | None,
    max_uses: int | None,
    until: str,
    policy: Path | None,
) -> str:
    """Return the usage policy that the options mean, Cedar text.

    A condition that nobody wants has to be left out by name, with 'any': what is
    forgotten is asked for, not allowed.

    Raises:
        BadParameter: names the option that is missing.
    """
    if policy is not None:
        return policy.read_text("utf-8")
    from strongroom.application.cleanroom import UsageTerms  # noqa: PLC0415

    if max_uses is None:
        raise _missing(MAX_USES)
    parties = [
        each if each == ANY_WORD else desk.contacts.resolve(each)
        for each in recipients or []
    ]
    return UsageTerms(
        purposes=_condition("--purpose", purposes),
        apps=_condition("--app", [measurement(each) for each in apps or []]),
        entry_points=_condition("--entry-point", entry_points),
        recipients=_condition("--recipient", parties),
        fields=_condition("--field", fields),
        max_uses=max_uses,
        expires_at=moment(until, desk.now()),
    ).to_cedar()


def _condition(option: str, items: list[str] | None) -> tuple[str, ...]:
    if not items:
        raise _missing(option)
    return ("*",) if items == [ANY_WORD] else tuple(items)


def _missing(option: str) -> typer.BadParameter:
    text = "say {option}, or --policy with a policy of your own"
    return usage_error(say(text, option=option))
