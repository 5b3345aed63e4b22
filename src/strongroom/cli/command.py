# SPDX-License-Identifier: Apache-2.0
"""How a function becomes a command: it gets the desk first, and `--json` at its end."""

import inspect
from collections.abc import Callable
from typing import Annotated, Concatenate, ParamSpec

import typer

from strongroom.cli.desk import Desk

P = ParamSpec("P")
Function = Callable[Concatenate[Desk, P], None]
Attach = Callable[[typer.Typer, str], None]

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]


def noun(help_text: str) -> tuple[typer.Typer, Attach]:
    """Return a group of commands about one thing, and what puts it into the tree."""
    group = typer.Typer(help=help_text, no_args_is_help=True, add_completion=False)

    def attach(root: typer.Typer, name: str) -> None:
        root.add_typer(group, name=name)

    return group, attach


def command(group: typer.Typer, name: str) -> Callable[[Function[P]], Function[P]]:
    """Make a function the command `name` of a group; its docstring is the help.

    The function's first parameter is the `Desk`, the others are the command's.
    `--json` was read before (`run`): here it is only declared, so that it may stand
    at the end of a line as well as at its start.
    """

    def register(function: Function[P]) -> Function[P]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        context = inspect.Parameter(
            "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        as_json = inspect.Parameter(
            "as_json", inspect.Parameter.KEYWORD_ONLY, annotation=Json, default=False
        )
        parameters = [context, *own, as_json]

        def run(ctx: typer.Context, **arguments: object) -> None:
            del arguments["as_json"]
            function(ctx.ensure_object(Desk), **arguments)  # type: ignore[call-arg, arg-type]

        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__dict__["__signature__"] = signature.replace(parameters=parameters)
        text = inspect.getdoc(function)
        group.command(name, help=text)(run)
        return function

    return register
