# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/cli.md from the commands themselves; a test holds it to them.

python -m strongroom.cli.reference > docs/reference/cli.md
"""

import sys

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from strongroom.cli import words
from strongroom.cli.app import tree

_HEAD = """\
# Command line

Written by `python -m strongroom.cli.reference`; do not edit.

Options before the noun hold for every command; `--json` may stand at the end as well.
With `--json` a command prints one JSON document on stdout, errors too, always in
English, with whole ids and ISO 8601 times. A passphrase is typed without echo or read
from `--passphrase-file`; it is never an argument and never in the environment.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | two things differ, or a case or an attack ends otherwise than documented |
| 2 | the command line is wrong |
| 3 | malformed: these bytes are not what they claim to be |
| 4 | refused: a rule said no; also `task dry-run` of what would be refused |
| 5 | not found |
| 6 | conflict: the state has moved on, or the name is taken |
| 7 | a declared limit was reached |
| 8 | unavailable: try again later |
| 9 | misconfigured: the machine or a setting lacks something |
| 10 | the app failed |
| 70 | a fault of strongroom itself; `--trace` shows where |
| 130 | interrupted |

Shell completion: `strongroom --install-completion`.
"""


def page() -> str:
    """Return the whole page, in English."""
    words.use("en")
    return _HEAD + "".join(_sections(tree(), "strongroom"))


def _sections(node: TyperGroup | TyperCommand, path: str) -> list[str]:
    level = "##" if isinstance(node, TyperGroup) else "###"
    parts = [f"\n{level} `{path}`\n\n{node.help}\n"]
    context = typer.Context(node)
    rows = [row for row in (_row(each, context) for each in node.params) if row]
    if rows:
        parts.append("\n| parameter | |\n| --- | --- |\n" + "".join(rows))
    if isinstance(node, TyperGroup):
        for name, below in node.commands.items():
            if isinstance(below, TyperGroup | TyperCommand):
                parts += _sections(below, f"{path} {name}")
    return parts


def _row(parameter: object, context: typer.Context) -> str:
    if isinstance(parameter, TyperArgument):
        name = parameter.name.upper()
        name = name if parameter.required else f"[{name}]"
    elif isinstance(parameter, TyperOption):
        kind = parameter.display_type(context).replace("list[str]", "str")
        value = "" if parameter.is_flag else f" {kind}"
        name = ", ".join(reversed(parameter.opts)) + value
    else:
        return ""
    name = name.replace("|", "\\|")
    return f"| `{name}` | {parameter.help}{_notes(parameter)} |\n"


def _notes(parameter: TyperArgument | TyperOption) -> str:
    if parameter.required:
        return " Required." if isinstance(parameter, TyperOption) else ""
    if parameter.default in (None, False, 0) or isinstance(parameter.default, list):
        return ""
    return f" Default: `{parameter.default}`."


if __name__ == "__main__":
    sys.stdout.write(page())
