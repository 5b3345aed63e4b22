# SPDX-License-Identifier: Apache-2.0
"""The tree of commands, in the language in use.

Only the noun that a command line names is loaded; for the help of everything, and
for the reference, all of them are.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from strongroom.cli.command import Json
from strongroom.cli.desk import Desk
from strongroom.cli.words import say

OPTIONS_TITLE, ARGUMENTS_TITLE, COMMANDS_TITLE = "Options", "Arguments", "Commands"
_NOUNS = {
    "identity": "identity",
    "room": "room",
    "trusted-list": "trusted_list",
    "data": "data",
    "app": "apps",
    "agreement": "agreement",
    "task": "task",
    "receipt": "receipt",
    "audit": "audit",
    "attest": "attest",
    "verifier": "attest_service",
    "endorsements": "endorsements",
    "node": "node",
    "up": "up",
    "rng": "rng",
}
"""Each noun with the module that offers its `attach`."""
_VALUED = ("--home", "--lang", "--passphrase-file")


def configure(
    ctx: typer.Context,
    *,
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="STRONGROOM_HOME",
            help="This party's folder; ~/.strongroom if not given.",
        ),
    ] = None,
    as_json: Json = False,
    lang: Annotated[
        Literal["en", "zh"] | None,
        typer.Option(help="Language of texts; by LC_ALL or LANG if not given."),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(help="File with the passphrase; typed without echo if not given."),
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show where a fault of strongroom is.")
    ] = False,
) -> None:
    """Take the options that every command has."""
    del as_json, lang, trace  # `run` read them: errors and help need them before
    desk = ctx.ensure_object(Desk)
    desk.root = home or desk.root
    desk.passphrase_file = passphrase_file


def tree(arguments: Sequence[str] = ()) -> TyperGroup:
    """Return the commands that `arguments` can mean, with help in the language in use.

    Args:
        arguments: a command line; without a noun in its place, it can mean them all.
    """
    root = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        help="Confidential computing for Python: data usable, never visible.",
    )
    root.callback()(configure)
    named = _noun(arguments)
    for noun in [named] if named else _NOUNS:
        import_module(f"strongroom.cli.{_NOUNS[noun]}").attach(root, noun)
    made = get_command(root)
    if not isinstance(made, TyperGroup):
        message = "the root of the commands is a group"
        raise TypeError(message)
    _translate(made)
    return made


def _noun(arguments: Sequence[str]) -> str | None:
    """Return the noun of a command line: its first part that is no option."""
    rest = iter(arguments)
    for part in rest:
        if part in _VALUED:
            next(rest, None)
        elif part == "--help" or not part.startswith("-"):
            return part if part in _NOUNS else None
    return None


def _wrappable(text: str) -> str:
    """Return a text that a narrow column can wrap: Chinese has no spaces of its own."""
    for mark in "，；：）":  # noqa: RUF001 - meant
        text = text.replace(mark, f"{mark} ")
    return text


def _translate(node: TyperGroup | TyperCommand) -> None:
    """Put the texts of a command and of all below it into the language in use."""
    node.help = say(node.help or "")
    node.rich_help_panel = say(COMMANDS_TITLE)
    for parameter in node.params:
        if isinstance(parameter, TyperOption | TyperArgument):
            is_option = isinstance(parameter, TyperOption)
            parameter.help = _wrappable(say(parameter.help or ""))
            title = OPTIONS_TITLE if is_option else ARGUMENTS_TITLE
            parameter.rich_help_panel = say(title)
    help_option = node.get_help_option(typer.Context(node))
    if isinstance(help_option, TyperOption):
        help_option.help = say(help_option.help or "")
        help_option.rich_help_panel = say(OPTIONS_TITLE)
    if isinstance(node, TyperGroup):
        for below in node.commands.values():
            if isinstance(below, TyperGroup | TyperCommand):
                _translate(below)
