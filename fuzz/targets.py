# SPDX-License-Identifier: Apache-2.0
"""Every parser of foreign bytes, each with where its corpus comes from.

A target takes bytes and returns anything or raises a `StrongroomError`. Whatever else
it raises is a finding, and so is taking longer or more memory than `one.py` allows.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import cast

SHARED = Path(__file__).resolve().parents[2] / "shared" / "evidence"
MAX_LEN = 64 << 10

_METHODS = ("components", "fields", "header_fields", "measurements")
"""Methods that only turn what was parsed into something else."""

Parser = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """A parser as `module:name[.name]`, and file patterns of its corpus in SHARED.

    `what` is passed as a second argument by parsers that name their format in errors.
    A parser that takes more than bytes is called `through` a function that takes
    bytes. `samples` names a function that makes inputs where no file has any.
    """

    parser: str
    corpus: tuple[str, ...] = ()
    what: str = ""
    max_len: int = MAX_LEN
    through: str = ""
    samples: str = ""

    def load(self) -> Parser:
        """Import the parser and return it as a function of bytes alone."""
        found = _imported(self.through or self.parser)
        if self.what:
            return partial(
                _named, cast("Callable[[bytes, str], object]", found), self.what
            )
        return cast("Parser", found)

    def seeds(self) -> Iterator[bytes]:
        """Yield the corpus: the files that lie in SHARED, and what is made."""
        for file in sorted(
            {file for each in self.corpus for file in SHARED.glob(each)}
        ):
            yield file.read_bytes()[: self.max_len]
        if self.samples:
            make = cast("Callable[[], Iterator[bytes]]", _imported(self.samples))
            yield from (each[: self.max_len] for each in make())


def look(found: object) -> None:
    """Ask what was parsed for everything that it reads late.

    Raises:
        StrongroomError: something is not what it should be, which is an answer too.
    """
    for each in found if isinstance(found, tuple | list) else (found,):
        for name in _late(type(each)):  # type: ignore[arg-type]  # it is hashable
            value: object = getattr(each, name)
            if callable(value):
                value()


@cache
def _late(kind: type) -> tuple[str, ...]:
    return tuple(
        name
        for name in dir(kind)
        if name in _METHODS
        or (
            isinstance(inspect.getattr_static(kind, name), property | cached_property)
            and kind.__module__.startswith("strongroom.")
        )
    )


def _imported(name: str) -> object:
    module, _, path = name.partition(":")
    found: object = import_module(module)
    for each in path.split("."):
        found = getattr(found, each)
    return found


def _named(parse: Callable[[bytes, str], object], what: str, data: bytes) -> object:
    return parse(data, what)
