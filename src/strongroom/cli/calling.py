# SPDX-License-Identifier: Apache-2.0
"""`strongroom app call`: a client that verifies a service app before it says a word."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli import arguments
from strongroom.cli.command import command
from strongroom.cli.desk import Desk
from strongroom.cli.extras import needs
from strongroom.cli.output import Grid, Line
from strongroom.cli.room import Allow, known_kinds
from strongroom.cli.views import Check, iso
from strongroom.cli.words import say
from strongroom.errors import Malformed, NotFound, StrongroomError, error_from_value

if TYPE_CHECKING:
    from strongroom.client.home import PartyPolicy
    from strongroom.client.services import Proved, ServiceLine

_MAX_TEXT_BYTES = 1 << 16
ServiceOption = Annotated[
    Path, typer.Option("--service", help="Service file, from whoever serves the app.")
]


def add_call(group: typer.Typer) -> None:
    """Put the command into its group."""
    command(group, "call")(call)


def call(  # noqa: PLR0913 - one parameter an option
    desk: Desk,
    address: Annotated[str, typer.Argument(help="Host and port of the app.")],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[COMMAND]",
            help="Entry point, or a path of the app's own HTTP; without, verify alone.",
        ),
    ] = None,
    *,
    service: ServiceOption,
    administrator: Annotated[
        str | None,
        typer.Option(help="The administrator's id, as you know it from elsewhere."),
    ] = None,
    app: Annotated[
        str | None,
        typer.Option(help="The app you want: measurement or bundle."),
    ] = None,
    allow: Allow = None,
    value: arguments.Values = None,
    data: Annotated[
        str | None,
        typer.Option(help="All values as a map in JSON; for a path, the body."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="File with what --data would say.")
    ] = None,
    identify: Annotated[
        bool, typer.Option("--identify", help="Prove who calls, by this home's key.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the answer to this file."),
    ] = None,
) -> None:
    """Verify a service app's evidence, then call one of its commands."""
    from strongroom.core.rats import AppRule  # noqa: PLC0415
    from strongroom.management.service_file import open_service_file  # noqa: PLC0415

    with needs("tls"):
        from strongroom.client.services import ServiceLine  # noqa: PLC0415
    about = open_service_file(service.read_bytes(), administrator)
    mine = _policy(desk, allow or [])
    wanted = about.policy(desk.owner(), mine.kinds, mine.max_platform_age_s)
    if app is not None:
        pinned = bytes.fromhex(arguments.measurement(app))
        rule = AppRule.measured(pinned, config=about.config)
        wanted = replace(wanted, apps=(rule,))
    key = desk.session.identity.signing if identify else None
    body = _body(value, data, file)
    with ServiceLine(about, wanted, desk.now, key, address) as line:
        answer = _ask(line, name, body)
        proved = line.proved
    _show(desk, proved, mine.max_platform_age_s, answer, output)
    if administrator is None:
        _warn(desk)


def _policy(desk: Desk, allow: list[str]) -> "PartyPolicy":
    """Return what this party accepts; hardware alone where it has no home."""
    from strongroom.client.home import DEFAULT_POLICY, PartyPolicy  # noqa: PLC0415

    try:
        policy = desk.home.policy()
    except NotFound:
        policy = DEFAULT_POLICY
    kinds = tuple(dict.fromkeys([*policy.kinds, *known_kinds(allow)]))
    return PartyPolicy(kinds, policy.max_platform_age_s)


def _body(value: list[str] | None, data: str | None, file: Path | None) -> bytes:
    """Return what the options say: a map in JSON, or any bytes for a path.

    Raises:
        BadParameter: more than one of them.
    """
    given = [each for each in (value, data, file) if each]
    if len(given) > 1:
        raise arguments.usage_error(say("say one of --value, --data and --file"))
    if value:
        return json.dumps(arguments.json_values(value)).encode()
    if file is not None:
        return file.read_bytes()
    return (data or "").encode()


def _ask(line: "ServiceLine", name: str | None, body: bytes) -> object:
    """Return the answer: a value, bytes, or the names of the commands."""
    if name is None:
        return line.commands()
    if not name.startswith("/"):
        return line.call(name, **_map(body))
    answer = line.http("POST" if body else "GET", name, body)
    if answer.is_error:
        raise _http_error(answer.status_code, answer.content)
    return answer.content


def _map(body: bytes) -> dict[str, object]:
    try:
        values = json.loads(body or b"{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise arguments.usage_error(say("the values of a command are a map in JSON"))
    return values


def _http_error(status: int, body: bytes) -> StrongroomError:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict) and "error" in value:
        return error_from_value(value)
    return Malformed(say("the app answered with status {status}", status=status))


def _show(
    desk: Desk,
    proved: "Proved",
    most: int,
    answer: object,
    output: Path | None,
) -> None:
    from strongroom.cli.proofs import evidence_checks, unproved  # noqa: PLC0415

    now = desk.now()
    checks = [
        *evidence_checks(proved.platform, proved.app, most, now),
        Check("this connection", say("the app's word binds it: nobody is between")),
        Check("key of the certificate", proved.pin),
    ]
    missing = unproved(proved.platform.kind)
    if output is not None:
        output.write_bytes(_bytes(answer))
    value = {
        "answer": answer,
        "measurement": proved.app.measurement,
        "platform": proved.platform.kind,
        "pin": proved.pin,
        "checks": [each.sentence for each in checks],
        "not_proved": missing,
        "verified_at": iso(now),
    }
    rows = [(say(each.what), each.found, each.grade) for each in checks]
    desk.printer.remark(
        Grid("What was verified", ("check", "found", "grade"), rows),
        Grid("What this does not prove", ("statement",), [(each,) for each in missing]),
    )
    desk.printer.show(value, Line(_text(answer, output)))


def _text(answer: object, output: Path | None) -> str:
    if output is not None:
        return say("The answer is in {file}.", file=output)
    return _bytes(answer)[:_MAX_TEXT_BYTES].decode("utf-8", "replace")


def _bytes(answer: object) -> bytes:
    if isinstance(answer, bytes):
        return answer
    return json.dumps(answer, ensure_ascii=False, default=bytes.hex).encode()


def _warn(desk: Desk) -> None:
    warning = say(
        "Compare the administrator's id with what you know from elsewhere: the "
        "file proves only that it is whole."
    )
    desk.printer.remark(Line(warning, "yellow"))
