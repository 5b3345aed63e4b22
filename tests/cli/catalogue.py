# SPDX-License-Identifier: Apache-2.0
"""Finds every text of the command line that people read, so that none is forgotten."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

import strongroom.cli
from strongroom.attack.route import ACTORS, REASONS, Outcome
from strongroom.attack.table import ROUTES
from strongroom.cli.app import tree
from strongroom.core.codec.log_entry import CATEGORIES

FOLDER = Path(strongroom.cli.__file__).parent
_FIRST = {"say": 1, "Facts": 1, "Grid": 1, "Check": 1, "Refusal": 1, "progress": 1}
_NAMED = {"text", "columns", "rows", "_TITLES"}


def helps() -> Iterator[str]:
    """Yield the help of every command and option."""
    for _, node in commands(tree(), ()):
        yield node.help or ""
        for parameter in node.params:
            if isinstance(parameter, TyperOption | TyperArgument):
                yield parameter.help or ""


def commands(
    node: TyperGroup | TyperCommand, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], TyperGroup | TyperCommand]]:
    """Yield every command with its path, groups before what is in them."""
    yield path, node
    if isinstance(node, TyperGroup):
        for name, below in sorted(node.commands.items()):
            assert isinstance(below, TyperGroup | TyperCommand)
            yield from commands(below, (*path, name))


def texts() -> Iterator[str]:
    """Yield every literal that the modules of the command line let `say` see."""
    yield from _of_attacks()
    yield from CATEGORIES
    for file in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield from _from_call(node)
            elif isinstance(node, ast.List) and node.elts:
                yield from _from_rows(node)
            elif isinstance(node, ast.Assign):
                yield from _from_name(node)


def _of_attacks() -> Iterator[str]:
    """Yield the words of the table of attacks, which is data and stands elsewhere."""
    yield from (each for each in ACTORS if each != "root")
    yield from get_args(Outcome)
    yield from REASONS
    for route in ROUTES.values():
        yield from (route.name, route.family)
        yield from (known.why for known in route.known.values())


def _from_call(node: ast.Call) -> Iterator[str]:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name in _FIRST and node.args:
        yield from _literals(node.args[0])
    if name == "Grid":
        yield from _literals(node.args[1])


def _from_rows(node: ast.List) -> Iterator[str]:
    pairs = [each for each in node.elts if isinstance(each, ast.Tuple)]
    if len(pairs) == len(node.elts):
        for pair in pairs:
            yield from _literals(pair.elts[0])


def _from_name(node: ast.Assign) -> Iterator[str]:
    """Yield what goes by a name that such texts have where they do not fit a line."""
    names = {getattr(target, "id", "") for target in node.targets}
    if not names & _NAMED:
        return
    if isinstance(node.value, ast.Dict):
        for value in node.value.values:
            yield from _literals(value)
    elif isinstance(node.value, ast.Tuple):
        for each in node.value.elts:
            first = each.elts[0] if isinstance(each, ast.Tuple) else each
            yield from _literals(first)
    else:
        yield from _literals(node.value)


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.Tuple | ast.List):
        for each in node.elts:
            yield from _literals(each)
