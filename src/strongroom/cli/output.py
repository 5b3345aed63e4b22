# SPDX-License-Identifier: Apache-2.0
"""One printer: for people tables and colours by rich, for programs one JSON document.

A command hands over both: the value, complete and in English, and the blocks that
people see. Whatever other parties wrote is stripped of control characters, so that
a name cannot move a reader's cursor.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from strongroom.cli.words import say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_COLUMNS = 200
"""How wide text is where no terminal says it: no id is broken in two."""

Value = Mapping[str, object]


class Block(Protocol):
    """A part of what people see."""

    def render(self) -> "RenderableType":
        """Return it as rich takes it."""


@dataclass(frozen=True)
class Line:
    """One sentence in the language in use, in a style of rich."""

    text: str
    style: str = ""

    def render(self) -> "RenderableType":
        """Return the sentence."""
        from rich.text import Text  # noqa: PLC0415

        return Text(clean(self.text), style=self.style)


@dataclass(frozen=True)
class Facts:
    """Names on the left, what they are on the right."""

    title: str
    rows: Sequence[tuple[str, object]]

    def render(self) -> "RenderableType":
        """Return a table without lines."""
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table.grid("", "", padding=(0, 2, 0, 0))
        table.title = Text(clean(say(self.title)), style="bold")
        table.title_justify = "left"
        table.columns[1].overflow = "fold"
        for name, value in self.rows:
            table.add_row(Text(say(name), style="cyan"), Text(clean(value)))
        return table


@dataclass(frozen=True)
class Grid:
    """A table with a heading a column; says so where it has no rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def render(self) -> "RenderableType":
        """Return a table, or the sentence that there is nothing."""
        from rich import box  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        title = Text(clean(say(self.title)), style="bold")
        if not self.rows:
            return Text.assemble(title, ": ", say("none"))
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for name in self.columns:
            table.add_column(say(name), overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(clean(cell)) for cell in row))
        return table


class Printer:
    """Prints results to stdout and, for people, errors and progress to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def show(self, value: Value, *blocks: Block) -> None:
        """Print a result: `value` to programs, `blocks` to people."""
        if self.as_json:
            self.document(value)
            return
        console = self._console(sys.stdout)
        for block in blocks:
            console.print(block.render())

    def document(self, value: Value) -> None:
        """Print the one JSON document, on one line."""
        sys.stdout.write(json.dumps(value, default=_plain) + "\n")
        sys.stdout.flush()

    def remark(self, *blocks: Block) -> None:
        """Tell people something beside the result; programs do not see it."""
        if not self.as_json:
            self.complain(*blocks)

    def complain(self, *blocks: Block) -> None:
        """Print to stderr."""
        console = self._console(sys.stderr)
        for block in blocks:
            console.print(block.render())

    @contextmanager
    def progress(
        self, what: str, total: int | None, *, counted: bool = False
    ) -> Iterator[Callable[[int], None]]:
        """Show a bar on stderr while the context lasts, where a person looks on.

        Args:
            what: is done, in English.
            total: how much there is to do, bytes; None where nobody knows.
            counted: that it is things, not bytes.

        Yields:
            A function that is told how much is done.
        """
        if self.as_json or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        amount = MofNCompleteColumn() if counted else DownloadColumn()
        amounts = [BarColumn(), amount] if total is not None else []
        console = self._console(sys.stderr)
        with Progress(
            *columns, *amounts, TimeElapsedColumn(), console=console, transient=True
        ) as bar:
            task = bar.add_task(say(what), total=total)
            yield lambda done: bar.update(task, completed=done)

    def _console(self, file: TextIO) -> "Console":
        from rich.console import Console  # noqa: PLC0415

        width = None if file.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
        return Console(file=file, width=width, highlight=False, markup=False)


def clean(value: object) -> str:
    """Return a value as text without control characters, but for line ends."""
    return "".join(
        letter
        if letter.isprintable() or letter == "\n"
        else "\N{REPLACEMENT CHARACTER}"
        for letter in str(value)
    )


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return value.hex()
    return str(value)
