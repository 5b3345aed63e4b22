# SPDX-License-Identifier: Apache-2.0
"""Says which extra to install where a command needs one."""

from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.cli.words import say
from strongroom.errors import Misconfigured


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import something of an extra inside this context.

    Raises:
        Misconfigured: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "strongroom":
            raise
        text = "this needs {module}: pip install 'strongroom[{extra}]'"
        raise Misconfigured(say(text, module=error.name, extra=extra)) from error
