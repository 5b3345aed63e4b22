# SPDX-License-Identifier: Apache-2.0
"""Count our own lines in the trusted computing base, from what is really imported.

    .venv/bin/python scripts/count_tcb.py [--json] [--modules]

For every part of the base a fresh interpreter imports what that process imports and
says which files of this package it has loaded. Their lines are counted without blank
lines, comments and docstrings.

An enclave is a fork of the template, so whatever the template has loaded is loaded in
it, needed or not: the preloads of a node and the lock-down count as well. The row of
the runtime alone stands beside it. Not counted: the interpreter, libraries, the app,
and what is imported later than at start, except the broker, which has its own row.
"""

import argparse
import ast
import io
import json
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "strongroom"
TEMPLATE = "strongroom.system.monitor.template"
RUNTIME = "strongroom.application.runtime"
BROKER = "strongroom.application.broker.program"
MONITOR = "strongroom.system.monitor.__main__"
PRELOAD = "from strongroom.node.provision import preload; print(','.join(preload()))"
DEVICES = (
    "from strongroom.system.monitor.process import DEVICES; "
    "print(','.join(place.partition(':')[0] for place in DEVICES.values()))"
)
LOADED = f"""
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
files = {{
    name: module.__file__
    for name, module in sys.modules.items()
    if name.split(".")[0] == {PACKAGE!r} and getattr(module, "__file__", None)
}}
print(json.dumps(files))
"""
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Part:
    """One process of the trusted computing base.

    Attributes:
        name: what it is.
        imports: what it imports, in order.
        goal_lines: the design's goal (section 10), 0 where it sets none.
    """

    name: str
    imports: tuple[str, ...]
    goal_lines: int = 0


def main() -> int:
    """Print the table or, with --json, the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="figures for programs")
    parser.add_argument("--modules", action="store_true", help="every module's lines")
    arguments = parser.parse_args()
    counts = {part: _count(part.imports) for part in _parts()}
    if arguments.json:
        rows = [_row(part, lines) for part, lines in counts.items()]
        print(json.dumps(rows, indent=2))
        return 0
    for part, lines in counts.items():
        _print(part, lines, every_module=arguments.modules)
    return 0


def _parts() -> tuple[Part, ...]:
    simulated, tpm = _names(DEVICES)
    enclave = (TEMPLATE, *_names(PRELOAD), RUNTIME)
    return (
        Part("monitor", (MONITOR, simulated), 2_500),
        Part("monitor on a TPM", (MONITOR, tpm)),
        Part("task enclave", enclave, 3_000),
        Part("  of it: the runtime alone", (RUNTIME,)),
        Part("broker enclave", (*enclave, BROKER)),
    )


def _names(program: str) -> tuple[str, ...]:
    """Return what a process imports by name at its start, as it says itself."""
    return tuple(filter(None, _python(program).strip().split(",")))


def _count(imports: Sequence[str]) -> dict[str, int]:
    """Return the lines of each module that a fresh interpreter loads."""
    files: dict[str, str] = json.loads(_python(LOADED, *imports))
    return {name: code_lines(Path(path)) for name, path in sorted(files.items())}


def _python(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def code_lines(path: Path) -> int:
    """Return how many lines of a source file hold code.

    A line that holds a part of a statement counts, also inside a text of several
    lines; blank lines outside of texts, comments and docstrings do not.
    """
    source = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - _docstring_lines(ast.parse(source)))


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Return the lines of texts that stand alone: docstrings, also of attributes."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            case _:
                pass
    return lines


def _rooms(lines: dict[str, int]) -> Counter[str]:
    """Return the lines by room: the two names after the package's own."""
    rooms: Counter[str] = Counter()
    for name, count in lines.items():
        rooms["/".join(name.split(".")[1:3]) or "__init__"] += count
    return rooms


def _row(part: Part, lines: dict[str, int]) -> dict[str, object]:
    return {
        "part": part.name.strip(),
        "imports": list(part.imports),
        "lines": sum(lines.values()),
        "goal_lines": part.goal_lines or None,
        "modules": lines,
    }


def _print(part: Part, lines: dict[str, int], *, every_module: bool) -> None:
    total = sum(lines.values())
    goal = ""
    if part.goal_lines:
        within = "within" if total <= part.goal_lines else "OVER"
        goal = f"{within} the goal of {part.goal_lines}"
    print(f"{part.name:<28}{total:>7} lines{len(lines):>5} modules  {goal}".rstrip())
    if part.name.startswith(" "):
        return
    detail = lines if every_module else _rooms(lines)
    for name, count in sorted(detail.items(), key=lambda row: -row[1]):
        print(f"    {name:<46}{count:>6}")


if __name__ == "__main__":
    sys.exit(main())
