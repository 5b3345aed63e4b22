# SPDX-License-Identifier: Apache-2.0
"""The command line: parse, call client or node, print; nothing is decided here.

app       the tree of commands        command   how a function becomes one
desk      what every command has      output    for people by rich, or one JSON document
words     English and Chinese         errors    refusals and exit codes

One module a noun. What is slow to import is imported where it is used, so that a
help text costs no cryptography.
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code.

    Args:
        arguments: without the program's name; those of this process if None.
    """
    from strongroom.cli.run import run  # noqa: PLC0415 - keeps `import` cheap

    return run(sys.argv[1:] if arguments is None else arguments)
