# SPDX-License-Identifier: Apache-2.0
"""Runs one command line and turns every way it can end into an exit code.

0 done, 2 wrong usage, 3 to 10 by the class of the error (strongroom.errors),
70 a fault of our own, 130 interrupted.
"""

import os
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from strongroom.cli import words
from strongroom.cli.app import tree
from strongroom.cli.desk import Desk
from strongroom.cli.errors import from_os, show_error, show_fault, show_usage
from strongroom.cli.output import Printer
from strongroom.errors import StrongroomError

FAULT, INTERRUPTED = 70, 130


def run(arguments: Sequence[str]) -> int:
    """Run a command line; print its result or why there is none."""
    options = list(arguments)
    as_json = "--json" in options
    words.use("en" if as_json else _language(options))
    desk = Desk(Printer(as_json=as_json))
    desk.trace = "--trace" in options
    try:
        code = tree(options).main(
            options, prog_name="strongroom", standalone_mode=False, obj=desk
        )
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (typer.Abort, KeyboardInterrupt) as error:
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    except Exception as error:  # noqa: BLE001 - the last place that can tell a person
        return _explain(desk, error)
    finally:
        desk.close()
    return code if isinstance(code, int) else 0


def _explain(desk: Desk, error: Exception) -> int:
    """Print why there is no result; return the exit code that says so."""
    known = from_os(error) if isinstance(error, OSError) else error
    if isinstance(known, StrongroomError):
        show_error(desk.printer, known)
        return known.exit_code
    if isinstance(known, TyperException):
        show_usage(desk.printer, known)
        return known.exit_code
    if desk.trace:
        traceback.print_exception(error)
    show_fault(desk.printer, error)
    return FAULT


def _language(arguments: Sequence[str]) -> words.Language:
    """Return the language of help and errors, which come before options are parsed."""
    for position, part in enumerate(arguments):
        name, _, value = part.partition("=")
        if name == "--lang":
            rest = arguments[position + 1 : position + 2]
            chosen = value or (rest[0] if rest else "")
            return "zh" if chosen == "zh" else "en"
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    found = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return "zh" if found.lower().startswith("zh") else "en"
