# SPDX-License-Identifier: Apache-2.0
"""How errors look: a refusal says which rule, whose, expected, got, and what to do."""

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typer.exceptions import TyperException

from strongroom.cli.output import Block, Line, Printer, clean
from strongroom.cli.words import say
from strongroom.errors import (
    Conflict,
    Finding,
    Misconfigured,
    NotFound,
    StrongroomError,
    Unavailable,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

_TITLES = {
    "malformed": "Malformed",
    "refused": "Refused",
    "untrusted": "Refused: not to be trusted",
    "stale": "Refused: too old",
    "tampered": "Refused: tampered with",
    "not-found": "Not found",
    "conflict": "Conflict",
    "limit-reached": "Limit reached",
    "unavailable": "Unavailable",
    "misconfigured": "Misconfigured",
    "app-failed": "The app failed",
    "error": "Error",
}
_OS_ERRORS: dict[int, type[StrongroomError]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: Conflict,
    errno.EACCES: Misconfigured,
    errno.EPERM: Misconfigured,
    errno.ENOTDIR: Misconfigured,
    errno.EISDIR: Misconfigured,
    errno.ENOSPC: Misconfigured,
}


@dataclass(frozen=True)
class Refusal:
    """A panel with the findings of an error, one table a finding."""

    title: str
    message: str
    findings: tuple[Finding, ...]

    def render(self) -> "RenderableType":
        """Return the panel."""
        from rich.console import Group  # noqa: PLC0415
        from rich.panel import Panel  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        parts: list[RenderableType] = []
        for finding in self.findings:
            if parts:
                parts.append(Text())
            parts.append(_finding_table(finding))
        if not parts:
            parts.append(Text(clean(self.message)))
        return Panel(
            Group(*parts),
            title=say(self.title),
            title_align="left",
            border_style="red",
            expand=False,
        )


def _finding_table(finding: Finding) -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table.grid("", "", padding=(0, 2, 0, 0))
    table.columns[1].overflow = "fold"
    rows = (
        ("rule", finding.rule, "bold"),
        ("whose rule", finding.owner, "bold"),
        ("expected", finding.expected, ""),
        ("got", finding.got, ""),
        ("what to do", finding.remedy, "green"),
    )
    for name, text, style in rows:
        table.add_row(Text(say(name), style="cyan"), Text(clean(text), style=style))
    return table


def finding_values(findings: tuple[Finding, ...]) -> list[object]:
    """Return findings as JSON shows them."""
    return [
        {name: getattr(each, name) for name in Finding.__slots__} for each in findings
    ]


def show_error(printer: Printer, error: StrongroomError) -> None:
    """Print an error of ours: findings to people, all of it to programs."""
    if printer.as_json:
        printer.document(error.to_value())
        return
    title = _TITLES.get(error.code, "Error")
    printer.complain(Refusal(title, error.message, error.findings))


def show_usage(printer: Printer, error: TyperException) -> None:
    """Print what is wrong with the command line, and how it is meant."""
    message = error.format_message()
    if printer.as_json:
        printer.document({"error": "usage", "message": message, "findings": []})
        return
    context = getattr(error, "ctx", None)
    blocks: list[Block] = [Line(say("Error: {message}", message=message), "red")]
    if context is not None:
        blocks.append(Line(context.get_usage()))
        path = context.command_path
        blocks.append(Line(say("`{command} --help` says more.", command=path)))
    printer.complain(*blocks)


def show_fault(printer: Printer, error: Exception) -> None:
    """Print that we are at fault, but not what the error says: it may hold secrets."""
    kind = type(error).__name__
    if printer.as_json:
        message = f"a fault of strongroom itself: {kind}; --trace shows where"
        printer.document({"error": "fault", "message": message, "findings": []})
        return
    text = say("This is a fault of strongroom itself: {kind}.", kind=kind)
    hint = say("`strongroom --trace ...` shows where; please report it.")
    printer.complain(Line(text, "red"), Line(hint))


def from_os(error: OSError) -> StrongroomError:
    """Return what the system says about a file as an error of ours."""
    kind = _OS_ERRORS.get(error.errno or 0, Unavailable)
    name = f"{error.filename}: " if error.filename else ""
    return kind(f"{name}{error.strerror or type(error).__name__}")
